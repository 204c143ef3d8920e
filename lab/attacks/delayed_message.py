"""A delivery service that holds a message back for a while."""

from dataclasses import replace

from client.defence.lies import Lie
from identity.verdict import Verdict
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.deception import noticed
from lab.readings import verdict
from lab.seams import checks, witness
from lab.stage import Stage

WAIT = 400  # seconds


async def run(stage: Stage) -> Outcome:
    """Hold Alice's message back, let Vera ask in vain, and show it later as if nothing had been."""
    scene = await stage.deception()
    scene.liar.hold(scene.group)
    await scene.say("The offer ends at noon.")
    stage.world.clock.advance(WAIT)
    await scene.read()
    scene.liar.release(scene.group)
    events = await scene.read()
    found = noticed(events, Lie.HELD_BACK, "an entry that was kept for some minutes", won=False)
    late = found.message is None or verdict(found.message) is Verdict.DELAYED
    return found if found.stopped else replace(found, by=check(11) if late else None, won=not late)


ATTACK = Attack(
    "delayed-message",
    "Hold a message back",
    "The delivery service keeps Alice's message for some minutes and passes it on when it is too late.",
    witness.witness(Lie.HELD_BACK),
    run,
    story=(
        "The delivery service wants a message to arrive after the moment that mattered, as if it had just been "
        "written. Vera's client had asked in between and was told that there was nothing new: a line in the chat "
        "says that the service held the message back. The message itself shows when it was signed, as VERIFIED, "
        "LATE."
    ),
    has="the delivery service",
    sees="VERIFIED, LATE, and a line: it was held back",
    without=(
        witness.TIMES,
        checks.TIME,
    ),
)
