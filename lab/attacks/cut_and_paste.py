"""A signed message lifted out of another conversation."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Say something honestly in one group, then carry proof and octets into another."""
    proof, framed = await stage.send_honestly(stage.other_group, "Yes, count me in!")
    return await stage.send_proven(proof, framed)


ATTACK = Attack(
    "cut-and-paste",
    "Move words to another group",
    "Mallory carries a message that she signed in another group into this one, where it means something else.",
    check(10),
    run,
    story=(
        "Mallory is in two groups and has said something in one of them, with an honest proof. She wants it to "
        "stand in the other one, where it means something else. A proof names its group: the recipient sees PROOF "
        "FAILED, and the message is held back."
    ),
    has="an honest proof from another group",
    sees="PROOF FAILED; the message is held back",
    without=(checks.AUDIENCE, checks.REPLAY),
)
