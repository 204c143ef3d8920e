"""A report that ascribes one person's words to another."""

from lab.accusing import item_of, judged, report_of
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Report what Alice really signed, with Carol's certificate beside it."""
    heard = await stage.overhear(stage.alice, "Carol, you owe me a beer.")
    item = item_of(stage, stage.people[2].session.account.chain, heard)
    return await judged(
        stage, report_of(stage, stage.mallory.device, item), "Alice's words and proof with Carol's certificate"
    )


ATTACK = Attack(
    "reascribed-report",
    "Report the wrong person",
    "Mallory reports a message that Alice has signed as if Carol had said it.",
    reports.authority("8"),
    run,
    story=(
        "Mallory has a message with a genuine proof, and wants it to count against somebody else: Bob's "
        "certificate takes the place of Alice's. A proof names its certificate and verifies under that one alone: "
        "the report is refused and counts for nothing."
    ),
    has="Alice's message with its proof",
    sees="nothing; the authority refuses the report",
    without=(reports.MESSAGES,),
)
