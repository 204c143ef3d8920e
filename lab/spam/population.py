"""The people of a laboratory: each with a certified number, an encrypted store and a connection of their own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

import httpx

from client.desk.desk import Desk
from identity.number import TelephoneNumber
from lab.world import World

FIRST_NUMBER = 12_025_550_000  # of the people; spammers take numbers from the other end
TOGETHER = 8  # enrolments and turns at once
ACQUAINTANCES = 6  # contacts of a person when the story begins


@dataclass(slots=True)
class Person:
    """Somebody honest. `friends`: who has them among the contacts, so that they may write without being a stranger."""

    name: str
    number: TelephoneNumber
    desk: Desk
    random: Random
    friends: list[TelephoneNumber] = field(default_factory=list)


def number_of(place: int) -> TelephoneNumber:
    """The number of the person at this place."""
    return TelephoneNumber.from_digits(str(FIRST_NUMBER + place))


def address(place: int) -> str:
    """A loopback address of one's own: the authority counts enrolments by address."""
    return f"127.{64 + place // 62_500}.{place // 250 % 250}.{place % 250 + 1}"


def transport_of(place: int) -> httpx.AsyncHTTPTransport:
    """A way to the services from that address; reading the system's roots once for all saves 60 ms a person."""
    return httpx.AsyncHTTPTransport(local_address=address(place), verify=_roots())


@lru_cache(maxsize=1)
def _roots() -> ssl.SSLContext:
    return ssl.create_default_context()


@asynccontextmanager
async def population(world: World, count: int, seed: int) -> AsyncIterator[list[Person]]:
    """Enrol so many people, and let each know a few others; their clients are open inside the context."""
    async with AsyncExitStack() as stack:
        turns = asyncio.Semaphore(TOGETHER)

        async def person(place: int) -> Person:
            name, number = f"person {place}", number_of(place)
            async with turns:
                desk = await stack.enter_async_context(world.desk(name, number.e164, transport_of(place)))
            return Person(name, number, desk, Random(f"{seed}/person/{place}"))  # noqa: S311

        people = await asyncio.gather(*map(person, range(count)))
        await _acquaint(people, Random(f"{seed}/friends"))  # noqa: S311 - a story, not a secret
        yield people


async def _acquaint(people: Sequence[Person], random: Random) -> None:
    for person in people:
        others = random.sample(people, min(ACQUAINTANCES, len(people)))
        for other in others:
            if other is not person:
                await other.desk.people.know(person.number.e164)
                person.friends.append(other.number)
