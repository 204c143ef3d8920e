"""One signed message that shows different texts to different readers."""

from dataclasses import replace

from client.formats import content
from client.formats.parts import MultiPart, Semantics
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import display
from lab.stage import Stage

SHOWN, HIDDEN = "I agree to pay you 10.", "I agree to pay you nothing."


async def run(stage: Stage) -> Outcome:
    """Sign a content of which a program may choose one of two texts (draft-ietf-mimi-content §3.3)."""
    mallory = stage.mallory
    whole = content.decode(mallory.framed(stage.group, SHOWN))
    other = content.decode(mallory.framed(stage.group, HIDDEN))
    both = MultiPart(Semantics.CHOOSE_ONE, (whole.part, other.part))
    framed = content.encode(replace(whole, part=both))
    found = await stage.send_proven(mallory.prove(stage.group, framed), framed)
    told = found.message is not None and "other versions" in found.message.text
    if found.stopped or not told:
        return found
    reason = "Below the text it says that another version of it was sent along."
    return replace(found, by=display.ALTERNATIVES.guard, reason=reason, won=False)


ATTACK = Attack(
    "alternatives",
    "Say two things at once",
    "Mallory signs a message with two alternative texts, so that each program may show another one.",
    display.display("alternatives"),
    run,
    story=(
        "Mallory wants one signature over two texts: one that Bob's program shows now, and one that another "
        "program shows to whoever judges later. The digest covers all alternatives, and a client that shows one "
        "says, below the text, that other versions were sent with it."
    ),
    has="a number and a place in the group",
    sees="the text, and that other versions were sent with it",
    without=(display.ALTERNATIVES,),
)
