"""One run of the laboratory: days pass, spammers write, people look, and every first contact is followed to its end."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random

from client.errors import AskedFirstError, ClientError, NoConsentError, ServiceError
from delivery_service.quotas import NO_QUOTAS, QUOTAS
from identity.number import TelephoneNumber
from lab.clock import SettableClock
from lab.mallory import Mallory
from lab.spam.population import TOGETHER, Person, population
from lab.spam.reactions import Reactions
from lab.spam.records import Attempt
from lab.spam.scenario import Defence, Scenario, Strategy
from lab.spam.spammer import GROUP_SIZE, Numbers, Spammer
from lab.world import World

START = 1_800_000_000  # the simulated second at which every run begins: 15 January 2027
ACTIVE = 1 / 3  # of the people look at their client in a step
_SHOW_ALL = '[[rule]]\nname = "show everything"\nplace = "inbox"\n'
_HIDE_REPORTED = """
[[rule]]
name = "reported"
relation = ["new-key", "shares-group", "stranger"]
status = ["reported", "withdrawn"]
place = "quarantine"
"""

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
    asking: list[tuple[Attempt, Callable[[Attempt], Awaitable[None]]]] = field(default_factory=list)
    step: int = 0

    async def take_step(self) -> None:
        """Everybody has a turn: spammers, then honest people who write, then those who look."""
        await self._follow_up()
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
        await self._deliver(spammer, mallory, made)

    async def _deliver(self, spammer: Spammer, mallory: Mallory, made: Sequence[Attempt]) -> None:
        by_target = {TelephoneNumber.from_digits(attempt.target[1:]): attempt for attempt in made}
        pitched = await spammer.pitch(mallory, list(by_target))
        for target in pitched.reached:
            by_target[target].group = pitched.group
        for target, error in pitched.refused.items():
            attempt = by_target[target]
            if isinstance(error, NoConsentError) and len(made) == 1 and not attempt.asked:
                await self._ask(spammer, mallory, target, attempt)
            else:
                attempt.refused = error.code

    async def _write_at_last(self, spammer: Spammer, mallory: Mallory, attempt: Attempt) -> None:
        await self._deliver(spammer, mallory, [attempt])

    async def _ask(self, spammer: Spammer, mallory: Mallory, target: TelephoneNumber, attempt: Attempt) -> None:
        attempt.asked = True
        try:
            await mallory.delivery.ask(target, mallory.device.chain)
        except ServiceError as error:
            attempt.refused = error.code
        else:
            self.asking.append((attempt, partial(self._write_at_last, spammer, mallory)))

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
        await self._greet(person, attempt)

    async def _greet(self, person: Person, attempt: Attempt) -> None:
        try:
            chat = await person.desk.chats.direct(attempt.target)
            await person.desk.messages.send(chat.group, f"Hello, this is {person.name}.")
            await person.desk.device.sync()
        except AskedFirstError:
            attempt.asked = True
            self.asking.append((attempt, partial(self._greet, person)))
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
        reactions, waiting = Reactions(self.scenario, self.step), self.waiting.pop(person.number, [])
        left = [each for each in waiting if not (each.refused or await reactions.to(person, each))]
        self.waiting[person.number] += left

    async def _follow_up(self) -> None:
        """Those who were let through write at last."""
        granted = [each for each in self.asking if each[0].granted]
        self.asking = [each for each in self.asking if not each[0].granted]
        for attempt, again in granted:
            await again(attempt)


async def run(scenario: Scenario, progress: Progress = lambda _: None) -> list[Attempt]:
    """Simulate; returns every first contact in the order in which it was attempted."""
    async with AsyncExitStack() as stack:
        quotas = QUOTAS if scenario.has(Defence.QUOTAS) else NO_QUOTAS
        world = await stack.enter_async_context(World(SettableClock(source=lambda: float(START)), quotas=quotas))
        people = await stack.enter_async_context(population(world, scenario.users, scenario.seed))
        for person in people:
            await _prepare(person, scenario)
        spammers = _spammers(scenario, world, people)
        lab = Laboratory(scenario, world, {each.number: each for each in people}, spammers)
        for step in range(scenario.steps):
            await lab.take_step()
            progress(step)
    return lab.attempts


async def _prepare(person: Person, scenario: Scenario) -> None:
    """Let a person choose how to be reached; whoever wants to be asked keeps rules that ask."""
    if person.random.random() < scenario.habits.asks_first and scenario.has(Defence.CONSENT):
        await person.desk.people.mode("ask")
    elif not scenario.has(Defence.ADMISSION):
        await person.desk.admission.use((_HIDE_REPORTED if scenario.has(Defence.REPORTS) else "") + _SHOW_ALL)


def _spammers(scenario: Scenario, world: World, people: Sequence[Person]) -> list[Spammer]:
    """As many as the scenario has, of each strategy in turn; each with a list of everybody in an order of its own."""
    numbers, strategies = Numbers(), list(Strategy)
    made = []
    for place in range(scenario.spammers):
        random = Random(f"{scenario.seed}/spammer/{place}")  # noqa: S311 - a story, not a secret
        targets = [person.number for person in people]
        random.shuffle(targets)
        strategy = strategies[place % len(strategies)]
        made.append(Spammer(f"spammer {place}", strategy, random, targets, numbers, world))
    return made
