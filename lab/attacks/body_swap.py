"""Other words under a valid proof."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Sign one content and send another."""
    signed = stage.mallory.framed(stage.group, "The meeting point is the station.")
    sent = stage.mallory.framed(stage.group, "The meeting point is my garage.")
    return await stage.send_proven(stage.mallory.prove(stage.group, signed), sent)


ATTACK = Attack(
    "body-swap",
    "Swap the words",
    "Mallory signs one text and sends another one with that proof.",
    check(9),
    run,
    story=(
        "Mallory has a proof of hers over harmless words. She wants other words to be shown under it. The digest "
        "covers the octets that arrived, so the recipient sees PROOF FAILED, and the message is held back."
    ),
    has="an honest proof over other words",
    sees="PROOF FAILED; the message is held back",
    without=(checks.CONTENT,),
)
