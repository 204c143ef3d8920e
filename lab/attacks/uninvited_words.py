"""A stranger who does not ask."""

from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import admission, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Write to Carol, who wants to be asked first, from a genuine number that she does not know."""
    carol = stage.people[2].session
    await carol.reaching.choose("ask")
    try:
        return await approach(await stage.accomplice(), stage.people[2], "Hello dear! Remember me?")
    finally:
        await carol.reaching.choose("open")


ATTACK = Attack(
    "uninvited-words",
    "Write without asking",
    "An accomplice with a genuine number wants to write to Carol, who lets strangers ask first.",
    service.service("no-consent"),
    run,
    story=(
        "A stranger has a genuine number and wants words of his own before Carol's eyes. Carol has chosen that "
        "whoever wants to reach her must ask, and a request carries no text: without her consent the delivery "
        "service hands out none of her key packages. Where it does, her client shows the number and nothing that "
        "the stranger chose, until she accepts."
    ),
    has="a genuine number, unknown to the victim",
    sees="nothing: the request is refused",
    without=(
        service.CONSENT,
        admission.left_out("stranger asks"),
    ),
)
