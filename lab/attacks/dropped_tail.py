"""A delivery service that holds back the end of a log."""

from client.defence.lies import Lie
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.deception import noticed
from lab.seams import witness
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Hide Alice's last message from Vera, number and all, and pass on what Bob says after it."""
    scene = await stage.deception()
    last = (await scene.alice.session.find_chat(scene.group.hex())).cursor
    scene.liar.hide = lambda entry: entry.seq == last + 1
    await scene.say("Stop! The account number was wrong.")
    await scene.say("Understood.", as_bob=True)
    events = await scene.read()
    won = await scene.shown() == ["Understood."]
    return noticed(events, Lie.CLOSED_UP, "a log that ends one entry early", won=won)


ATTACK = Attack(
    "dropped-tail",
    "Hold back the end",
    "The delivery service hides Alice's last message from Vera and closes the gap in the numbers.",
    witness.witness(Lie.CLOSED_UP),
    run,
    story=(
        "The delivery service wants Vera not to hear the last word, and gives what follows the number of what it "
        "hides, so that nothing seems to be missing. Each message says, under its proof, how far its sender has "
        "read: the next one of a member who has read more puts a line into Vera's chat that names that member and "
        "the number of entries."
    ),
    has="the delivery service",
    sees="a line: who has read more, and how much",
    without=(witness.words_of_others(Lie.CLOSED_UP),),
)
