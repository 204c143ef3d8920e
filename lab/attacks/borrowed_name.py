"""An honest proof over content that names somebody else."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Sign properly, for the own number, a content whose sender is Alice."""
    framed = stage.mallory.framed(stage.group, "Signed, Alice.", sender=stage.alice.number)
    return await stage.send_proven(stage.mallory.prove(stage.group, framed), framed)


ATTACK = Attack(
    "borrowed-name",
    "Sign a letter in Alice's name",
    "Mallory's proof is honest, but the message inside it names Alice as its sender.",
    check(12),
    run,
)
