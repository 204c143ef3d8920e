"""One report, made again and again."""

from lab.accusing import hand_in, item_of, judged, report_of
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import Heard
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Report what an accomplice really said, and hand the same report in a second time."""
    proof, framed = await stage.send_honestly(stage.group, "Best prices, today only!")
    item = item_of(stage, stage.mallory.device.chain, Heard(0, proof, framed))
    reporter = (await stage.accomplice()).device
    report = report_of(stage, reporter, item)
    await hand_in(stage, report)
    return await judged(stage, report, "a report that was counted already, octet for octet")


ATTACK = Attack(
    "replayed-report",
    "Report it ten times",
    "An accomplice hands one genuine report in again and again, so that it counts as many.",
    reports.authority("10"),
    run,
    story=(
        "An accomplice has one genuine report against a number, and wants the status that follows from ten. Each "
        "report carries a name of its own under its signature, each message counts once whoever reports it, and of "
        "several reports by one number or about one conversation one counts: the second is refused."
    ),
    without=(
        reports.DISTINCT,
        reports.KNOWN,
        reports.INDEPENDENT,
    ),
    spoils=True,
)
