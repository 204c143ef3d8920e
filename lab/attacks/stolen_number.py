"""A certificate for a number, got by its one-time code."""

from client.defence.alarms import AlarmKind
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import alarms
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Receive Carol's code in her place, get a certificate for her number, and let Carol's client look."""
    carol = stage.people[2].session
    await carol.maintain()
    before = await carol.worker.run(carol.steps.alarms.all)
    thief = await stage.world.mallory(carol.account.number.e164)
    await carol.maintain()
    new = [each for each in await carol.worker.run(carol.steps.alarms.all) if each not in before]
    sent = f"a code that was sent to {carol.account.number}, and a new key"
    if new:
        return Outcome(alarms.alarm(AlarmKind(new[0].kind)), new[0].words, "⚠ ALARM", sent=sent)
    return Outcome(None, "Carol's client has noticed nothing.", sent=sent, won=thief.number == carol.account.number)


ATTACK = Attack(
    "stolen-number",
    "Receive somebody's code",
    "Mallory has Carol's calls sent to herself for an hour, and gets a certificate for Carol's number.",
    alarms.alarm(AlarmKind.CERTIFICATE),
    run,
    story=(
        "Mallory has had Carol's SIM replaced, and receives the code with which a number is proven. Her "
        "certificate for Carol's number is genuine, and she wants to use it unnoticed. The authority tells the "
        "holder of a number which certificates it has: Carol's client raises an alarm about the one for another "
        "key, and says what to do. Her contacts see a key that they have not met."
    ),
    has="the calls and codes of a number",
    sees="an alarm on the owner's device, with what to do",
    without=(alarms.CERTIFICATES, alarms.LOGGED),
)
