"""A delivery service that leaves a message out."""

from client.defence.lies import Lie
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.deception import noticed
from lab.seams import witness
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Withhold the second of three messages from Vera, and show the others under their true numbers."""
    scene = await stage.deception()
    await scene.say("The key is under the mat.")
    await scene.read()
    last = (await scene.vera.find_chat(scene.group.hex())).cursor
    scene.liar.drop = lambda entry: entry.seq == last + 1
    await scene.say("No, it is not! Do not go there alone.")
    await scene.say("See you at six.")
    events = await scene.read()
    won = await scene.shown() == ["The key is under the mat.", "See you at six."]
    return noticed(events, Lie.WITHHELD, "a log with a number left out", won=won)


ATTACK = Attack(
    "dropped-message",
    "Leave a message out",
    "The delivery service drops one of Alice's messages on its way to Vera, and passes on what follows.",
    witness.witness(Lie.WITHHELD),
    run,
    story=(
        "The delivery service sees who writes and when, and cannot read a word. It wants Vera to miss one message "
        "and not to know. Entries are numbered: a line in Vera's chat says how many the service left out, also "
        "when it was asked for them again."
    ),
    has="the delivery service",
    sees="a line: how many entries the service left out",
    without=(
        witness.NUMBERS,
        witness.words_of_others(Lie.CLOSED_UP),
    ),
)
