"""Other words under a valid proof."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
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
)
