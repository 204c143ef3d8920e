"""One run of the laboratory: days pass, spammers write, people look, and every first contact is followed to its end."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

from client.admission import Consent
from client.errors import ClientError, ServiceError
from client.message import Kind, Message
from delivery_service.quotas import NO_QUOTAS, QUOTAS
from identity.number import TelephoneNumber
from lab.clock import SettableClock
from lab.spam.population import TOGETHER, Person, population
from lab.spam.records import Attempt
from lab.spam.scenario import Defence, Scenario, Strategy
from lab.spam.spammer import GROUP_SIZE, Numbers, Spammer
from lab.world import World

START = 1_800_000_000  # the simulated second at which every run begins: 15 January 2027
ACTIVE = 1 / 3  # of the people look at their client in a step
_SHOW_ALL = '[[rule]]\nname = "show everything"\nplace = "inbox"\n'
_HIDE_REPORTED = '[[rule]]\nname = "reported"\nstatus = ["reported", "withdrawn"]\nplace = "quarantine"\n'

Progress = Callable[[int], None]


@dataclass(slots=True)
class Laboratory:
    """A run while it happens."""

    scenario: Scenario
    world: World
    people: dict[TelephoneNumber, Person]
    spammers: Sequence[Spammer]
    attempts: list[Attempt] = field(default_factory=list)
    waiting: defaultdict[TelephoneNumber, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    step: int = 0

    async def take_step(self) -> None:
        """Everybody has a turn: spammers, then honest people who write, then those who look."""
        for spammer in self.spammers:
            await self._spam(spammer)
        active = [person for person in self.people.values() if person.random.random() < ACTIVE]
        await self._together(self._write, active)
        await self._together(self._look, active)
        self.world.clock.advance(self.scenario.step)
        self.step += 1

    async def _together(self, act: Callable[[Person], Awaitable[None]], people: Sequence[Person]) -> None:
        turns = asyncio.Semaphore(TOGETHER)

        async def turn(person: Person) -> None:
            async with turns:
                await act(person)
                await person.desk.settle()

        await asyncio.gather(*map(turn, people))

    async def _spam(self, spammer: Spammer) -> None:
        spammer.due += self.scenario.per_day[spammer.strategy] * self.scenario.step / 86_400
        size = GROUP_SIZE if spammer.strategy is Strategy.GROUP_INVITE else 1
        while spammer.due >= size:
            spammer.due -= size
            await self._pitch(spammer, spammer.next_targets(size))

    async def _pitch(self, spammer: Spammer, targets: Sequence[TelephoneNumber]) -> None:
        mallory = await spammer.identity(self.scenario.rotate_after)
        made = [self._attempt(spammer.name, mallory.number, target, spammer.strategy) for target in targets]
        try:
            groups = await spammer.pitch(mallory, targets)
        except ServiceError as error:
            for attempt in made:
                attempt.refused = error.code
            return
        for attempt, target in zip(made, targets, strict=True):
            attempt.group = groups.get(target, "")
            attempt.refused = "" if attempt.group else "no-key-package"

    async def _write(self, person: Person) -> None:
        draws = person.random.random(), person.random.random()
        if draws[0] < self.scenario.first_contacts:
            await self._first_contact(person, self._stranger_to(person), stranger=True)
        if draws[1] < self.scenario.to_contacts and person.friends:
            await self._first_contact(person, person.friends.pop(), stranger=False)

    def _stranger_to(self, person: Person) -> TelephoneNumber:
        others = [number for number in self.people if number != person.number and number not in person.friends]
        return person.random.choice(others)

    async def _first_contact(self, person: Person, target: TelephoneNumber, *, stranger: bool) -> None:
        attempt = self._attempt(person.name, person.number, target, None, stranger=stranger)
        try:
            chat = await person.desk.chats.direct(target.e164)
            await person.desk.messages.send(chat.group, f"Hello, this is {person.name}.")
            await person.desk.device.sync()
        except ClientError as error:
            attempt.refused = error.code
        else:
            attempt.group = chat.group

    def _attempt(
        self,
        sender: str,
        number: TelephoneNumber,
        target: TelephoneNumber,
        strategy: Strategy | None,
        *,
        stranger: bool = True,
    ) -> Attempt:
        attempt = Attempt(
            id=len(self.attempts),
            step=self.step,
            spam=strategy is not None,
            stranger=stranger,
            strategy=strategy or "",
            sender=sender,
            number=number.e164,
            target=target.e164,
        )
        self.attempts.append(attempt)
        self.waiting[target].append(attempt)
        return attempt

    async def _look(self, person: Person) -> None:
        await person.desk.device.sync()
        waiting = self.waiting.pop(person.number, [])
        self.waiting[person.number] += [each for each in waiting if not await self._dealt_with(person, each)]

    async def _dealt_with(self, person: Person, attempt: Attempt) -> bool:
        """Let a person come across a first contact, and react; whether nothing more will come of it."""
        if attempt.refused:
            return True
        found = await person.desk.session.worker.run(_found, person, attempt.group)
        if found is None:
            return False
        consent, message = found
        mood = self._mood(attempt)
        attempt.place = message.place if consent is Consent.INBOX else consent
        match attempt.place:
            case "inbox":
                attempt.seen = self.step
                if attempt.spam and mood.random() < self.scenario.habits.reports:
                    await self._report(person, attempt, message)
                return True
            case "request":
                if mood.random() >= self.scenario.habits.looks:
                    return False
                attempt.carded = self.step
                await self._answer(person, attempt, message, mood.random())
        return True

    def _mood(self, attempt: Attempt) -> Random:
        """Chance for one person, one first contact and one step: the same whatever else happens and is defended."""
        names = self.scenario.seed, attempt.sender, attempt.target, attempt.step, self.step
        return Random("/".join(map(str, names)))  # noqa: S311 - a story, not a secret

    async def _answer(self, person: Person, attempt: Attempt, message: Message, draw: float) -> None:
        habits = self.scenario.habits
        accepts, reports = (
            (habits.accepts_spam, habits.reports) if attempt.spam else (habits.accepts_stranger, habits.misreports)
        )
        if draw < accepts:
            await person.desk.people.accept(attempt.group)
            attempt.accepted = attempt.seen = self.step
        elif draw < accepts + reports:
            await self._report(person, attempt, message)
        else:
            await person.desk.people.decline(attempt.group)

    async def _report(self, person: Person, attempt: Attempt, message: Message) -> None:
        if self.scenario.has(Defence.REPORTS):
            await person.desk.messages.report([message.id], "spam", "")
            attempt.reported = self.step
        await person.desk.people.block(attempt.number)


def _found(person: Person, group: str) -> tuple[Consent, Message] | None:
    """Where a chat is, and the message in it, once it has arrived; runs on the worker thread."""
    steps, group_id = person.desk.session.steps, bytes.fromhex(group)
    chat = steps.chats.get(group_id)
    if chat is None:
        return None
    received = [row for row in steps.history.chat(group_id) if row.kind is Kind.RECEIVED]
    return (chat.consent, received[0]) if received else None


async def run(scenario: Scenario, progress: Progress = lambda _: None) -> list[Attempt]:
    """Simulate; returns every first contact in the order in which it was attempted."""
    async with AsyncExitStack() as stack:
        quotas = QUOTAS if scenario.has(Defence.QUOTAS) else NO_QUOTAS
        world = await stack.enter_async_context(World(SettableClock(source=lambda: float(START)), quotas=quotas))
        people = await stack.enter_async_context(population(world, scenario.users, scenario.seed))
        if not scenario.has(Defence.ADMISSION):
            for person in people:
                await person.desk.admission.use((_HIDE_REPORTED if scenario.has(Defence.REPORTS) else "") + _SHOW_ALL)
        spammers = _spammers(scenario, world, people, stack)
        lab = Laboratory(scenario, world, {each.number: each for each in people}, spammers)
        for step in range(scenario.steps):
            await lab.take_step()
            progress(step)
    return lab.attempts


def _spammers(scenario: Scenario, world: World, people: Sequence[Person], stack: AsyncExitStack) -> list[Spammer]:
    """As many as the scenario has, of each strategy in turn; each with a list of everybody in an order of its own."""
    numbers, strategies = Numbers(), list(Strategy)
    made = []
    for place in range(scenario.spammers):
        random = Random(f"{scenario.seed}/spammer/{place}")  # noqa: S311 - a story, not a secret
        targets = [person.number for person in people]
        random.shuffle(targets)
        strategy = strategies[place % len(strategies)]
        made.append(Spammer(f"spammer {place}", place, strategy, random, targets, numbers, stack, world))
    return made
