"""A message dated before its sender was here."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage

HALF_AN_HOUR = 1_800  # seconds; within the certificate's time, before Mallory was added


async def run(stage: Stage) -> Outcome:
    """Sign with an `iat` from before Mallory was added to the group."""
    framed = stage.mallory.framed(stage.group, "I warned you half an hour ago.")
    claims = stage.mallory.claims(stage.group, framed)
    return await stage.send_proven(stage.mallory.sign(claims | {"iat": stage.began - HALF_AN_HOUR}), framed)


ATTACK = Attack(
    "backdated",
    "Have said it earlier",
    "Mallory dates her message half an hour back, to a time before she was in the group.",
    check(11),
    run,
    story=(
        "Mallory was added a moment ago, and her certificate is some time older. She wants her words to count as "
        "said before she was here, as a warning that everybody ignored. The recipient sees PROOF FAILED, and the "
        "message is held back."
    ),
    has="a certificate older than her membership",
    sees="PROOF FAILED; the message is held back",
    without=(checks.TIME,),
)
