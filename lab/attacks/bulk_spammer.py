"""A spammer with genuine numbers."""

from identity.reports.report import ReportKind
from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import admission
from lab.stage import Stage

PRIZE = "You have won! Claim it within an hour."


async def run(stage: Stage) -> Outcome:
    """Write to Bob, who reports it, and then to Carol, whom nothing connects with Bob's report but the status list."""
    _, bob, carol = stage.people
    spammer = await stage.accomplice()
    first = await approach(spammer, bob, PRIZE)
    assert first.message is not None, "what a stranger writes stands behind the request"
    await bob.session.report([first.message.id], ReportKind.SPAM)
    await carol.session.refresh_statuses()
    return await approach(spammer, carol, PRIZE)


ATTACK = Attack(
    "bulk-spammer",
    "Spam with a genuine number",
    "A spammer buys certified numbers and writes to one person after the other.",
    admission.rule("number reported"),
    run,
    story=(
        "A spammer has genuine numbers and honest proofs, and wants to reach as many people as they last for. Bob "
        "reports what he got: the report proves itself, and the authority puts the number on its list, which every "
        "client fetches whole. At the next recipient the chat is held back and shows nothing; a recipient before "
        "that sees a request with a number and no words."
    ),
    has="genuine numbers",
    sees="a chat held back; before any report a request without words",
    without=(
        admission.left_out("number reported"),
        admission.left_out("stranger asks"),
    ),
)
