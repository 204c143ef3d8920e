"""The demo: honest people talk, then Mallory tries everything; told event by event."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import cycle
from random import Random
from typing import Protocol, TypeVar

from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.casting import FRIENDS, GROUP_NAME, MALLORY, enrol, set_stage
from lab.story import AttacksBegin, Attempted, Enrolled, Event, Finished, GroupMade, Opened, Spoke
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


async def run_demo(
    narrator: Narrator, seed: int | None = None, pause: float = 0.0, attacks: Sequence[Attack] = ATTACKS
) -> bool:
    """Play the whole story, `pause` seconds after each event; says whether everything went as it must."""
    succeeded = False
    async with aclosing(play(seed, attacks)) as events:
        async for event in events:
            narrator.tell(event)
            if isinstance(event, Finished):
                succeeded = event.succeeded
            await asyncio.sleep(pause)
    return succeeded


async def play(seed: int | None, attacks: Sequence[Attack]) -> AsyncGenerator[Event]:
    """Run a world and yield what happens in it. The seed settles who says what, and the order of the attacks."""
    started = time.monotonic()
    random = None if seed is None else Random(seed)  # noqa: S311 - a story, not a secret
    async with World() as world:
        yield Opened(world.authority_url, world.delivery_url)
        people = []
        for name, number in FRIENDS.items():
            people.append(await enrol(world, name, number))
            yield Enrolled(
                name,
                people[-1].number,
                world.codes.codes[people[-1].number],
                _fingerprint(people[-1].session.account.chain),
            )
        mallory = await world.mallory(MALLORY)
        yield Enrolled("Mallory", mallory.number, world.codes.codes[mallory.number], _fingerprint(mallory.device.chain))
        stage = await set_stage(world, people, mallory)
        yield GroupMade(GROUP_NAME, (*FRIENDS, "Mallory"), mallory.groups[stage.group].epoch)
        for speaker, line in talk(people, LINES, random):
            yield Spoke(await stage.say(speaker, line))
        await stage.send_honestly(stage.group, "Hello everybody! I am Mallory.")
        yield Spoke(stage.said[-1])
        attempts = []
        yield AttacksBegin(mallory.number)
        for place, attack in enumerate(order(attacks, random), start=1):
            told = len(stage.said)
            attempts.append(Attempted(place, attack, await attack.run(stage)))
            for said in stage.said[told:]:
                yield Spoke(said, prelude=True)
            yield attempts[-1]
        for speaker, line in talk(people, CLOSING_LINES, random):
            yield Spoke(await stage.say(speaker, line))
        verified = sum(said.verified for said in stage.said)
        seconds = time.monotonic() - started
        yield Finished(tuple(attempts), verified, len(stage.said) - verified, seconds)


def _fingerprint(chain: Sequence[bytes]) -> str:
    return hashlib.sha256(chain[0]).hexdigest()


def talk(people: Sequence[T], lines: Sequence[str], random: Random | None) -> Iterator[tuple[T, str]]:
    """Who says which line: one after the other, or as chance has it."""
    if random is None:
        return zip(cycle(people), lines)
    return ((random.choice(people), line) for line in random.sample(lines, len(lines)))


def order(attacks: Sequence[Attack], random: Random | None) -> Sequence[Attack]:
    """The attacks as told, or shuffled; the last one ends Mallory's membership and stays the last."""
    if random is None:
        return attacks
    return [*random.sample(attacks[:-1], len(attacks) - 1), attacks[-1]]
