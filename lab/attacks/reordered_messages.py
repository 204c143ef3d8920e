"""A delivery service that changes the order."""

from client.defence.lies import Lie
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.deception import noticed
from lab.lying import honest, reordered
from lab.seams import witness
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Hand two messages of one answer to Vera in the opposite order."""
    scene = await stage.deception()
    await scene.say("Left or right?")
    await scene.say("Left.", as_bob=True)
    scene.liar.answer = reordered
    events = await scene.read()
    scene.liar.answer = honest
    won = await scene.shown() != ["Left or right?", "Left."]
    return noticed(events, Lie.REORDERED, "one answer with its entries in the opposite order", won=won)


ATTACK = Attack(
    "reordered-messages",
    "Change the order",
    "The delivery service hands Vera an answer before its question.",
    witness.witness(Lie.REORDERED),
    run,
    story=(
        "The delivery service wants a conversation to read otherwise than it was held, or a client to stumble and "
        "to pass over what comes late. Vera's client puts the entries of an answer into the order of their "
        "numbers, and a line in her chat says that it had to."
    ),
    has="the delivery service",
    sees="the right order, and a line that it had to be made",
    without=(
        witness.ORDER,
        witness.NUMBERS,
        witness.words_of_others(Lie.CLOSED_UP),
    ),
)
