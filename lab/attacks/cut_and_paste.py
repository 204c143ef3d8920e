"""A signed message lifted out of another conversation."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
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
)
