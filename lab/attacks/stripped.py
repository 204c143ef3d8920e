"""A message without any proof."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.readings import in_the_name_of
from lab.seams import display
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Leave the PASSporT out: bare content, in Alice's name."""
    framed = stage.mallory.framed(stage.group, "It is me, Alice. Trust me.", sender=stage.alice.number)
    return in_the_name_of(stage.alice.number, await stage.send(framed))


ATTACK = Attack(
    "stripped",
    "Leave the proof out",
    "Mallory writes in Alice's name without any proof and hopes that nobody looks.",
    Guard(Keeper.DISPLAY, "unsigned"),
    run,
    story=(
        "Mallory has a place in the group and writes in Alice's name with no proof at all. She wants everybody to "
        "look at the words only. The recipient sees NO PROOF beside the number of the leaf that sent it, which is "
        "Mallory's."
    ),
    has="a number and a place in the group",
    sees="NO PROOF, beside the number of the leaf that sent it",
    without=(display.UNSIGNED,),
)
