"""The wave of spam: a spammer with a genuine, certified number writes to people who did not ask, three times over.

The people are the same each time and the spammer's number is a new one, so that nobody has heard of it before. What is
told and counted is read from the recipients' clients.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from client.defence.admission import Consent
from client.defence.rules import default_toml
from client.defence.status_refresh import INTERVAL
from client.desk.desk import Desk
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from lab.clock import SettableClock
from lab.story import Defence, Reported, Struck, Tally, WaveBegins, WaveEnds, WaveEvent
from lab.world import World

WAVE = "spam-wave"  # beside the names of the attacks
ABOUT = (
    "A spammer has a genuine, certified number, so that no check can refuse it, and writes to people who did not ask. "
    "Three times over: with nothing in the way; against the rules of admission, which show no more than the proven "
    "number until somebody accepts; and with reports, where one person reports what came and everybody else's client "
    "learns of it with the list of statuses."
)
PEOPLE = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Gita", "Hugo", "Iris", "Jun")
FIRST_NUMBER, SPAMMERS = 12_025_550_120, 12_025_550_190
REPORTER = 2  # counted from 0: the first who thinks of reporting what came
SPAM = "You have won a voucher. Pay 1.99 at prizes.example to get it."
TITLE = "Prize draw"
EVERYTHING_TO_THE_INBOX = '[[rule]]\nname = "everything"\nplace = "inbox"\n'


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody with a client of their own."""

    name: str
    number: TelephoneNumber
    desk: Desk


@dataclass(frozen=True, slots=True)
class Crowd:
    """Those who are written to, and a spammer for each defence."""

    victims: Sequence[Resident]
    spammers: dict[Defence, Resident]
    clock: SettableClock


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    """Enrol everybody in a world of their own: what the attacks do to their services does not reach this one."""
    async with World() as world, AsyncExitStack() as stack:

        async def resident(name: str, digits: int) -> Resident:
            number = TelephoneNumber.from_digits(str(digits))
            return Resident(name, number, await stack.enter_async_context(world.desk(name, number.e164)))

        victims = [await resident(name, FIRST_NUMBER + place) for place, name in enumerate(PEOPLE)]
        spammers = {each: await resident("Spammer", SPAMMERS + place) for place, each in enumerate(Defence)}
        yield Crowd(victims, spammers, world.clock)


@asynccontextmanager
async def crowd_in_background() -> AsyncIterator["asyncio.Task[Crowd]"]:
    """Begin to enrol the crowd; whoever awaits the task has it. At the end everybody is gone."""
    async with AsyncExitStack() as stack:
        gathering = asyncio.create_task(stack.enter_async_context(crowd()))
        try:
            yield gathering
        finally:
            gathering.cancel()
            await asyncio.wait((gathering,))


async def waves(people: Crowd) -> AsyncGenerator[WaveEvent]:
    """Tell all three."""
    for defence in Defence:
        async for event in wave(people, defence):
            yield event


async def wave(people: Crowd, defence: Defence) -> AsyncGenerator[WaveEvent]:
    """Let the spammer write to one after the other, and each look."""
    spammer = people.spammers[defence]
    rules = EVERYTHING_TO_THE_INBOX if defence is Defence.NONE else default_toml()
    for victim in people.victims:
        await victim.desk.admission.use(rules)
    yield WaveBegins(defence, spammer.number, len(people.victims))
    tally = Tally()
    for place, victim in enumerate(people.victims):
        await _write(spammer, victim)
        await victim.desk.device.sync()
        struck, tally = await _look(people.victims, victim, spammer, defence, tally)
        yield struck
        if defence is Defence.REPORTS and place == REPORTER:
            answer = await _report(victim, spammer)
            tally = replace(await _counted(people.victims, spammer, tally), reports=tally.reports + 1)
            yield Reported(defence, victim.name, answer, tally)
            people.clock.advance(INTERVAL)  # so that each client finds it time to ask for the list of statuses
    yield WaveEnds(defence, tally, held(defence, tally, len(people.victims)))


def held(defence: Defence, tally: Tally, people: int) -> bool:
    """Whether it went as it must: without a defence it reaches all, with reports those before the first one."""
    match defence:
        case Defence.NONE:
            return tally.inbox == people
        case Defence.ADMISSION:
            return (tally.inbox, tally.requests) == (0, people)
        case Defence.REPORTS:
            return tally.inbox == 0 and tally.saw[-1:] == (REPORTER + 1,) and tally.quarantined >= people - REPORTER - 1


async def _write(spammer: Resident, victim: Resident) -> None:
    chat = await spammer.desk.chats.create(TITLE, [victim.number.e164], roles=False)
    await spammer.desk.messages.send(chat.group, SPAM)
    await spammer.desk.settle()


async def _look(
    everybody: Sequence[Resident], victim: Resident, spammer: Resident, defence: Defence, before: Tally
) -> tuple[Struck, Tally]:
    """What the victim's client has made of it, and the count with it."""
    place = await _place(victim, spammer)
    saw = (before.saw[-1] if before.saw else 0) + (place in (Consent.INBOX, Consent.REQUEST))
    tally = await _counted(everybody, spammer, replace(before, attempted=before.attempted + 1, saw=(*before.saw, saw)))
    shown, why = await _shown(victim, spammer, place)
    return Struck(defence, victim.name, "nowhere" if place is None else place, shown, why, tally), tally


async def _place(victim: Resident, spammer: Resident) -> Consent | None:
    chats = await victim.desk.session.chats()
    return next((chat.consent for chat in chats if chat.inviter == spammer.number.e164), None)


async def _counted(everybody: Sequence[Resident], spammer: Resident, before: Tally) -> Tally:
    places = Counter([await _place(victim, spammer) for victim in everybody])
    return replace(
        before,
        refreshed=sum(_has_heard_of(spammer, victim) for victim in everybody),
        inbox=places[Consent.INBOX],
        requests=places[Consent.REQUEST],
        quarantined=places[Consent.QUARANTINE],
    )


def _has_heard_of(spammer: Resident, victim: Resident) -> bool:
    """Whether the list of statuses in this client names the spammer."""
    session = victim.desk.session
    return session.steps.statuses.of(spammer.number, session.now()) is not NumberStatus.CLEAR


async def _shown(victim: Resident, spammer: Resident, place: Consent | None) -> tuple[str, str]:
    """What stands on the victim's screen of the spammer's words, and why no more of them does."""
    if place is Consent.INBOX:
        (chat,) = [chat for chat in await victim.desk.chats.all() if chat.direct == spammer.number.e164]
        return (await victim.desk.messages.page(chat.group))[-1].text, ""
    if place is Consent.REQUEST:
        (request,) = [each for each in await victim.desk.people.requests() if each.number == spammer.number.e164]
        return f"number only, {request.label}", request.why
    held_back = [each for each in await victim.desk.people.held() if each.number == spammer.number.e164]
    return "", held_back[0].why if held_back else ""


async def _report(victim: Resident, spammer: Resident) -> str:
    (request,) = [each for each in await victim.desk.people.requests() if each.number == spammer.number.e164]
    rows = await victim.desk.people.reportable(request.group)
    return (await victim.desk.messages.report(rows)).words
