"""The people of a laboratory: each with a certified number, an encrypted store and a connection of their own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

import httpx

from client.desk.desk import Desk
from client.enrolling import enrol
from client.home import Home
from client.session import Session
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.world import COST, PASSPHRASE, World

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
            async with turns:
                desk = await stack.enter_async_context(_desk(world, place))
            return Person(f"person {place}", number_of(place), desk, Random(f"{seed}/person/{place}"))  # noqa: S311

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


@asynccontextmanager
async def _desk(world: World, place: int) -> AsyncIterator[Desk]:
    number, folder = number_of(place), world.folder / f"person-{place}"

    async def read_code(_: ChallengeOpened) -> str:
        return world.codes.codes[number]

    await enrol(
        folder,
        PASSPHRASE,
        number,
        authority=world.authority_url,
        delivery=world.delivery_url,
        ask_code=read_code,
        cost=COST,
        clock=world.clock,
        transport=transport_of(place),
    )
    transport = transport_of(place)
    async with Session.open(Path(folder), PASSPHRASE, clock=world.clock, transport=transport, jitter=0) as session:
        await session.maintain()
        # Without Desk.working: nothing is followed or told, people look when it is their turn.
        yield Desk(session, Home(Path(folder)), world.clock)
