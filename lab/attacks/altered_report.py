"""A report with other words than were said."""

from dataclasses import replace

from lab.accusing import item_of, judged, report_of
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Report what Alice said with one word changed, and her own proof."""
    heard = await stage.overhear(stage.alice, "You will not regret it.")
    item = item_of(stage, stage.alice.session.account.chain, heard)
    altered = replace(item, framed=heard.framed.replace(b"will not", b"will now"))
    return await judged(stage, report_of(stage, stage.mallory.device, altered), "Alice's words with one letter changed")


ATTACK = Attack(
    "altered-report",
    "Report other words",
    "Mallory reports a message of Alice's to the authority, with one letter of it changed.",
    reports.authority("8"),
    run,
    story=(
        "Mallory has heard a harmless sentence of Alice's, with its proof, and wants Alice's number on the list of "
        "reported ones: one letter makes it a threat. A report is verified as a recipient verifies a message. The "
        "digest is that of other octets: the report is refused and counts for nothing."
    ),
    has="Alice's message with its proof",
    sees="nothing; the authority refuses the report",
    without=(reports.MESSAGES,),
)
