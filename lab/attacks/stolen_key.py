"""A copy of a device's key, used elsewhere."""

from client.defence.alarms import AlarmKind
from client.services.delivery import DeliveryClient
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import alarms
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Open a session with a copy of Bob's key and certificate, and let Bob's client look after its account."""
    bob = stage.people[1].session
    await bob.maintain()
    before = await bob.worker.run(bob.steps.alarms.all)
    account = bob.account
    async with DeliveryClient(account.delivery, account.key, account.chain, clock=stage.world.clock) as copy:
        session = await copy.open_session()
    await bob.maintain()
    new = [each for each in await bob.worker.run(bob.steps.alarms.all) if each not in before]
    sent = f"a signed session request of {account.number}, by a copy of the key"
    if new:
        return Outcome(alarms.alarm(AlarmKind(new[0].kind)), new[0].words, "⚠ ALARM", sent=sent)
    return Outcome(None, "Bob's client has noticed nothing.", sent=sent, won=session.number == account.number.e164)


ATTACK = Attack(
    "stolen-key",
    "Use a stolen key",
    "Mallory has copied Bob's key from a backup and uses it at the delivery service.",
    alarms.alarm(AlarmKind.SESSION),
    run,
    story=(
        "Mallory has a copy of Bob's key and certificate and is, to every service and every check, Bob's device. "
        "She wants to read on and to write as him for as long as nobody notices. The delivery service tells each "
        "device which sessions were opened with its key: Bob's client knows its own, raises an alarm about the "
        "other one, and says what to do."
    ),
    has="a copy of a device's key",
    sees="an alarm on the owner's device, with what to do",
    without=(alarms.SESSIONS,),
)
