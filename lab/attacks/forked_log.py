"""A delivery service that shows different histories to different members."""

from client.defence.lies import Lie
from client.events import MessageReceived
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.deception import group_of, noticed
from lab.seams import witness
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Hide a message of Alice's from Vera for good, and let Vera answer what she has seen."""
    scene = await stage.deception()
    last = (await scene.alice.session.find_chat(scene.group.hex())).cursor
    scene.liar.hide = lambda entry: entry.seq == last + 1
    await scene.say("Shall we sell?")
    await scene.say("Yes or no, please.", as_bob=True)
    await scene.read()
    await scene.vera.send(scene.group, "Yes!")
    events = [event for event in await scene.alice.session.receive() if group_of(event) == scene.group]
    heard = [event.message.text for event in events if isinstance(event, MessageReceived)]
    return noticed(events, Lie.FORKED, "two histories of one chat, each complete in itself", won=heard == ["Yes!"])


ATTACK = Attack(
    "forked-log",
    "Show two histories",
    "The delivery service shows Vera another history than Alice and Bob, so that her answer means something else.",
    witness.witness(Lie.FORKED),
    run,
    story=(
        "The delivery service wants Vera's “Yes!” to answer a question that she never saw. Each message carries a "
        "digest of the log as its sender has read it, inside the encryption and under the proof: Alice's and Bob's "
        "clients see that Vera's is not theirs, and a line in the chat and its heading say that the service shows "
        "different histories."
    ),
    has="the delivery service",
    sees="a line and a heading: members are shown different histories",
    without=(witness.words_of_others(Lie.FORKED),),
)
