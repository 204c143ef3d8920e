"""An honest proof over content that names somebody else."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.readings import in_the_name_of
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Sign properly, for the own number, a content whose sender is Alice."""
    framed = stage.mallory.framed(stage.group, "Signed, Alice.", sender=stage.alice.number)
    return in_the_name_of(stage.alice.number, await stage.send_proven(stage.mallory.prove(stage.group, framed), framed))


ATTACK = Attack(
    "borrowed-name",
    "Sign a letter in Alice's name",
    "Mallory's proof is honest, but the message inside it names Alice as its sender.",
    check(12),
    run,
    story=(
        "Mallory has a perfect proof for her own number. She wants the message under it to be read as Alice's: the "
        "content names Alice as its sender. The recipient sees PROOF FAILED, and the message is held back."
    ),
    has="an honest proof for her own number",
    sees="PROOF FAILED; the message is held back",
    without=(checks.REPLAY,),
)
