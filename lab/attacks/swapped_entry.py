"""A log that shows the owner of a number another entry than the one which it holds."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import apsw

from client.defence.alarms import AlarmKind
from identity.certificates import public_point
from lab.attacks.attack import Attack
from lab.attacks.concealed_certificate import strike
from lab.attacks.outcome import Outcome
from lab.seams import alarms
from lab.stage import Stage

_FOR_KEY = "SELECT position, leaf_input FROM entry WHERE instr(leaf_input, ?)"
_SWAPPED = "UPDATE entry SET leaf_input = (SELECT leaf_input FROM entry WHERE position = 0) WHERE position = ?"


async def run(stage: Stage) -> Outcome:
    """Get a certificate for Dora's number, have it struck from the authority's list, and another entry shown for it."""
    async with stage.newcomer("Dora") as dora:
        thief = await stage.world.mallory(dora.account.number.e164)
        struck = strike(stage, thief.number.digits)
        with _another_in_its_place(stage, public_point(thief.device.key.public_key())):
            await dora.maintain()
        raised = await dora.worker.run(dora.steps.alarms.all)
    sent = f"a certificate for {thief.number}, and another entry of the log in its place"
    if raised:
        return Outcome(alarms.alarm(AlarmKind(raised[0].kind)), raised[0].words, "⚠ ALARM", sent=sent)
    return Outcome(None, "Dora's client has noticed nothing.", sent=sent, won=struck > 0)


@contextmanager
def _another_in_its_place(stage: Stage, key: bytes) -> Iterator[None]:
    """What the log's operator can do: hand out the first entry for a key's, under the tree of the genuine ones."""
    with closing(apsw.Connection(str(stage.world.folder / "authority" / "log" / "log.sqlite"))) as database:
        database.set_busy_timeout(5_000)
        ((position, genuine),) = database.execute(_FOR_KEY, (key,))
        database.execute(_SWAPPED, (position,))
        try:
            yield
        finally:
            database.execute("UPDATE entry SET leaf_input = ? WHERE position = ?", (genuine, position))


ATTACK = Attack(
    "swapped-entry",
    "Have a log help to conceal",
    "Mallory gets a certificate for Dora's number, and has both the authority and the log keep it from Dora.",
    alarms.alarm(AlarmKind.LOG),
    run,
    story=(
        "Mallory has bribed the log's operator too. The log cannot leave her certificate out of its tree, whose head "
        "it has signed and shows to everybody; so it hands Dora's client another certificate in its place. The client "
        "reads every entry and builds the tree by itself: what it was shown is not what the head stands for, and it "
        "raises an alarm about the log. A log that keeps a whole second tree for Dora alone is not found out by her "
        "client, but by whoever compares two heads."
    ),
    has="a hand in the authority's database and in its log's",
    sees="an alarm about the log on the owner's device",
    without=(alarms.TREE,),
)
