"""A delivery service that repeats a message."""

from dataclasses import replace

from client.defence.lies import Lie
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.deception import noticed
from lab.seams import checks, display, engine
from lab.stage import Stage

ORDER = "Transfer 100 to the usual account."


async def run(stage: Stage) -> Outcome:
    """Show Vera the octets of Alice's message a second time, under the next number."""
    scene = await stage.deception()
    last = (await scene.alice.session.find_chat(scene.group.hex())).cursor
    scene.liar.replay = lambda entry: entry.seq == last + 1
    await scene.say(ORDER)
    events = await scene.read()
    texts = await scene.shown()
    found = noticed(events, Lie.REPLAYED, "the same octets under two numbers", won=texts == [ORDER, ORDER])
    return replace(found, by=display.display("shown-once")) if not found.stopped and texts == [ORDER] else found


ATTACK = Attack(
    "service-replay",
    "Repeat a message",
    "The delivery service shows Vera one of Alice's messages twice, as two entries of the log.",
    engine.engine("already_read"),
    run,
    story=(
        "The delivery service has ciphertext that it cannot read and wants it to have its effect twice. The key of "
        "a message is deleted with the first reading: Vera's client reads it once, and a line says that it came "
        "again."
    ),
    has="the delivery service",
    sees="the message once, and a line: it came again",
    without=(
        engine.KEYS,
        checks.REPLAY,
        display.SHOWN_ONCE,
    ),
)
