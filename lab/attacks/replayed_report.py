"""One report, made again and again."""

from identity.reports.report import ReportKind
from lab.accusing import hand_in, judged
from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Let Bob report what a stranger really wrote, and hand the same report in a second time."""
    bob = stage.people[1].session
    first = await approach(await stage.accomplice(), stage.people[1], "Best prices, today only!")
    assert first.message is not None, "what a stranger writes stands behind the request"
    reporting = bob.steps.reporting
    prepared = await bob.worker.run(reporting.prepare, [first.message.id], ReportKind.SPAM, "")
    report = await bob.worker.run(reporting.sign, prepared, stage.world.authority_url, stage.now())
    await hand_in(stage, report)
    return await judged(stage, report, "a report that was counted already, octet for octet")


ATTACK = Attack(
    "replayed-report",
    "Report it ten times",
    "Bob hands one genuine report in again and again, so that it counts as many.",
    reports.authority("10"),
    run,
    story=(
        "Bob has one genuine report against a number, and wants the status that follows from ten. Each "
        "report carries a name of its own under its signature, each message counts once whoever reports it, and of "
        "several reports by one number or about one conversation one counts: the second is refused."
    ),
    has="one genuine report",
    sees="nothing; the report counts once",
    without=(
        reports.DISTINCT,
        reports.KNOWN,
        reports.INDEPENDENT,
    ),
)
