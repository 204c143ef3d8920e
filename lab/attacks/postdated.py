"""A message from the future."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage

AN_HOUR = 3_600  # seconds


async def run(stage: Stage) -> Outcome:
    """Sign with an `iat` that lies ahead."""
    framed = stage.mallory.framed(stage.group, "This will stay on top.")
    claims = stage.mallory.claims(stage.group, framed)
    return await stage.send_proven(stage.mallory.sign(claims | {"iat": stage.now() + AN_HOUR}), framed)


ATTACK = Attack(
    "postdated",
    "Date it ahead",
    "Mallory dates her message an hour ahead, so that it looks fresh for longer.",
    check(11),
    run,
    story=(
        "Mallory has an honest proof but for its time, which lies an hour ahead. She wants her message to look "
        "fresh for longer, and to stay below all others. The recipient sees PROOF FAILED, and the message is held "
        "back."
    ),
    has="a number and a place in the group",
    sees="PROOF FAILED; the message is held back",
    without=(checks.TIME,),
)
