"""A certificate for a number, of which its authority says nothing."""

from contextlib import closing

import apsw

from client.defence.alarms import AlarmKind
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import alarms
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Get a certificate for Carol's number, and have it struck from what the authority tells Carol."""
    carol = stage.people[2].session
    await carol.maintain()
    before = await carol.worker.run(carol.steps.alarms.all)
    thief = await stage.world.mallory(carol.account.number.e164)
    struck = strike(stage, thief.number.digits)
    await carol.maintain()
    new = [each for each in await carol.worker.run(carol.steps.alarms.all) if each not in before]
    sent = f"a certificate for {carol.account.number}; {struck} rows struck from the authority's list"
    if new:
        return Outcome(alarms.alarm(AlarmKind(new[0].kind)), new[0].words, "⚠ ALARM", sent=sent)
    return Outcome(None, "Carol's client has noticed nothing.", sent=sent, won=struck > 0)


def strike(stage: Stage, digits: str) -> int:
    """What the authority's operator can do: the database is theirs."""
    with closing(apsw.Connection(str(stage.world.folder / "authority" / "authority.sqlite"))) as database:
        database.set_busy_timeout(5_000)
        database.execute("UPDATE certificates SET number = '' WHERE number = ?", (digits,))
        return database.changes()


ATTACK = Attack(
    "concealed-certificate",
    "Conceal a certificate",
    "Mallory gets a certificate for Carol's number, and has the authority keep it from Carol.",
    alarms.alarm(AlarmKind.CERTIFICATE),
    run,
    story=(
        "Mallory has bribed somebody at the authority: her certificate for Carol's number is issued, and struck "
        "from the list that Carol's client is shown. But it is in the log, where it has to be before it is issued, and "
        "the log cannot take it back without showing another tree than before. Carol's client reads the log, and "
        "raises an alarm."
    ),
    has="a hand in the authority's database, but not in its log",
    sees="an alarm on the owner's device, with what to do",
    without=(alarms.LOGGED,),
)
