"""The demo: honest people talk, Mallory tries everything, and a spammer writes to everybody; told event by event."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Protocol, TypeVar

from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.attacks.outcome import Outcome
from lab.casting import FRIENDS, GROUP_NAME, MALLORY, cast, enrol, set_stage
from lab.mallory import Mallory
from lab.people import Person
from lab.stage import Stage
from lab.story import Attacking, AttacksBegin, Attempted, Enrolled, Event, Finished, GroupMade, Opened, Spoke, WaveEnds
from lab.wave import Crowd, crowd_in_background, waves
from lab.world import World

LINES = (
    "Climbing on Saturday?",
    "Yes, if it stays dry!",
    "I have the ropes.",
    "They say sun until four.",
    "Train at 7:12, platform 3.",
    "Then breakfast on the train.",
)
CLOSING_LINES = ("So, Saturday it is.", "See you on platform 3.", "I bring coffee.")

T = TypeVar("T")


class Narrator(Protocol):
    """Tells what happens."""

    def tell(self, event: Event) -> None:
        """Tell one event."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What is played. `seed`: settles who says what and the order of the attacks; `wave`: whether spam comes last."""

    seed: int | None = None
    attacks: Sequence[Attack] = ATTACKS
    wave: bool = True

    @property
    def random(self) -> Random | None:
        """Chance, if it has a say."""
        return None if self.seed is None else Random(self.seed)  # noqa: S311 - a story, not a secret


async def run_demo(narrator: Narrator, programme: Programme, pause: float = 0.0) -> bool:
    """Play the whole story, `pause` seconds after each event; says whether everything went as it must."""
    succeeded = False
    async with aclosing(play(programme)) as events:
        async for event in events:
            narrator.tell(event)
            if isinstance(event, Finished):
                succeeded = event.succeeded
            await asyncio.sleep(pause)
    return succeeded


async def play(programme: Programme) -> AsyncGenerator[Event]:
    """Run a world and yield what happens in it."""
    started, random = time.monotonic(), programme.random
    async with AsyncExitStack() as stack:
        gathering = await stack.enter_async_context(crowd_in_background()) if programme.wave else None
        world = await stack.enter_async_context(World())
        yield Opened(world.authority_url, world.delivery_url)
        people, mallory = [], await world.mallory(MALLORY)
        for name, number in FRIENDS.items():
            people.append(await enrol(world, name, number))
            yield _enrolled(world, people[-1])
        yield _enrolled(world, mallory)
        stage = await set_stage(world, people, mallory)
        yield GroupMade(GROUP_NAME, (*FRIENDS, "Mallory"), mallory.groups[stage.group].epoch)
        told: list[Event] = []
        for act in (_talk(stage, random), _attack(stage, programme, random), _close(stage, random), _waves(gathering)):
            async with aclosing(act) as events:
                async for event in events:
                    told.append(event)
                    yield event
        yield _finished(told, stage, time.monotonic() - started)


async def rehearse(attack: Attack) -> Outcome:
    """Play one attack on a stage of its own."""
    async with World() as world:
        return await attack.run(await cast(world))


async def _talk(stage: Stage, random: Random | None) -> AsyncGenerator[Event]:
    for speaker, line in talk(stage.people, LINES, random):
        yield Spoke(await stage.say(speaker, line))
    await stage.send_honestly(stage.group, "Hello everybody! I am Mallory.")
    yield Spoke(stage.said[-1])


async def _attack(stage: Stage, programme: Programme, random: Random | None) -> AsyncGenerator[Event]:
    attacks = order(programme.attacks, random)
    if attacks:
        yield AttacksBegin(stage.mallory.number)
    for place, attack in enumerate(attacks, start=1):
        told = len(stage.said)
        yield Attacking(place, len(attacks), attack)
        attempted = Attempted(place, attack, await attack.run(stage))
        for said in stage.said[told:]:
            yield Spoke(said, prelude=True)
        yield attempted


async def _close(stage: Stage, random: Random | None) -> AsyncGenerator[Event]:
    for speaker, line in talk(stage.people, CLOSING_LINES, random):
        yield Spoke(await stage.say(speaker, line))


async def _waves(gathering: "asyncio.Task[Crowd] | None") -> AsyncGenerator[Event]:
    if gathering is not None:
        async for event in waves(await gathering):
            yield event


def _enrolled(world: World, who: Person | Mallory) -> Enrolled:
    name, chain = ("Mallory", who.device.chain) if isinstance(who, Mallory) else (who.name, who.session.account.chain)
    return Enrolled(name, who.number, world.codes.codes[who.number], _fingerprint(chain))


def _finished(told: Sequence[Event], stage: Stage, seconds: float) -> Finished:
    attempts = tuple(event for event in told if isinstance(event, Attempted))
    ended = tuple(event for event in told if isinstance(event, WaveEnds))
    verified = sum(said.verified for said in stage.said)
    return Finished(attempts, verified, len(stage.said) - verified, seconds, ended)


def _fingerprint(chain: Sequence[bytes]) -> str:
    return hashlib.sha256(chain[0]).hexdigest()


def talk(people: Sequence[T], lines: Sequence[str], random: Random | None) -> Iterator[tuple[T, str]]:
    """Who says which line: one after the other, or as chance has it."""
    if random is None:
        return zip(cycle(people), lines)
    return ((random.choice(people), line) for line in random.sample(lines, len(lines)))


def order(attacks: Sequence[Attack], random: Random | None) -> Sequence[Attack]:
    """The attacks as told, or shuffled; the last one ends Mallory's membership and stays the last."""
    if random is None or not attacks:
        return attacks
    return [*random.sample(attacks[:-1], len(attacks) - 1), attacks[-1]]
