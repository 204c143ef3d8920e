"""People who use the line mode: real desks over the real services, with lines fed in and lines read out."""

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from client.config import Config
from client.desk.desk import Desk, open_desk
from client.desk.views import ChatView, MessageView
from client.enrolling import enrol
from client.plain.conversing import converse
from client.plain.paper import Paper
from client.storage.home import Home
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.world import COST, World

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
PASSPHRASE = "correct horse"
PATIENCE = 30  # seconds after which a test fails that waits for a line


class Person:
    """A desk, and what is said at it in line mode."""

    def __init__(self, desk: Desk, home: Path, folder: Path) -> None:
        self.desk = desk
        self.home = Home(home)
        self.clock: Callable[[], float] = time.time
        self.incognito = False
        self.config = Config(download_folder=folder)

    async def visit(self, *lines: str, unfinished: str = "") -> list[str]:
        """Feed these lines, then the end of the input; all that was read out."""
        source, sink = os.pipe()
        os.write(sink, "".join(f"{line}\n" for line in lines).encode() + unfinished.encode())
        os.close(sink)
        output = io.StringIO()
        await _converse(self, source, output)
        return output.getvalue().split("\n")

    @asynccontextmanager
    async def sitting(self) -> AsyncIterator["Keyboard"]:
        """Stay, and type and hear while others do the same."""
        source, typing = os.pipe()
        hearing, sink = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(hearing, "rb", 0)
        )
        with os.fdopen(sink, "w", encoding="utf-8") as output:
            task = asyncio.create_task(_converse(self, source, output))
            try:
                yield Keyboard(typing, reader)
            finally:
                os.close(typing)
                await asyncio.wait_for(task, PATIENCE)
                transport.close()

    async def chat(self) -> ChatView:
        """The first chat of the list."""
        return (await self.desk.chats.all())[0]

    async def rows(self) -> list[MessageView]:
        """What stands in it."""
        return await self.desk.messages.page((await self.chat()).group)

    async def last(self) -> MessageView:
        """The last row of the first chat, after reading what is new."""
        await self.desk.device.sync()
        return (await self.rows())[-1]

    async def says(self, text: str) -> MessageView:
        """Send a text to the first chat, and have it delivered."""
        message = await self.desk.messages.send((await self.chat()).group, text)
        await self.desk.device.sync()
        return await self.desk.messages.get(message.row)


class Keyboard:
    """What a person types, and what they hear."""

    def __init__(self, typing: int, hearing: asyncio.StreamReader) -> None:
        self._typing = typing
        self._hearing = hearing

    def type(self, *lines: str) -> None:
        """Type lines, each with Enter."""
        os.write(self._typing, "".join(f"{line}\n" for line in lines).encode())

    def leave(self, unfinished: str) -> None:
        """Type this without Enter; the input ends when the sitting does."""
        os.write(self._typing, unfinished.encode())

    async def hears(self, words: str) -> str:
        """The next line with these words in it."""
        return (await self.hears_all_until(words))[-1]

    async def hears_all_until(self, words: str) -> list[str]:
        """The next lines, up to one with these words in it."""
        heard: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not heard or words not in heard[-1]:
                line = (await self._hearing.readline()).decode()
                assert line, f"the output ended before {words!r}: {heard}"
                heard.append(line.rstrip("\n"))
        return heard


@asynccontextmanager
async def people(world: World, *numbers: TelephoneNumber, follow: bool = False) -> AsyncIterator[list[Person]]:
    """Enrolled, at their desks, reachable by others; with `follow` they are told of what comes at once."""
    async with AsyncExitStack() as stack:
        found = []
        for number in numbers:
            home = world.folder / number.digits
            await enrolled(world, home, number)
            opening = open_desk(home, PASSPHRASE, clock=world.clock, jitter=0, follow=follow)
            person = Person(await stack.enter_async_context(opening), home, world.folder / f"downloads-{number.digits}")
            await person.desk.device.sync()
            found.append(person)
        yield found


async def enrolled(world: World, home: Path, number: TelephoneNumber) -> None:
    """Make an account."""

    async def read_code(_: ChallengeOpened) -> str:
        return world.codes.codes[number]

    await enrol(
        home,
        PASSPHRASE,
        number,
        authority=world.authority_url,
        delivery=world.delivery_url,
        ask_code=read_code,
        cost=COST,
        clock=world.clock,
    )


async def befriend(alice: Person, bob: Person) -> None:
    """A direct chat, in which both are at home."""
    await bob.desk.people.know(ALICE.e164)
    await alice.desk.chats.direct(BOB.e164)
    await bob.desk.device.sync()


async def _converse(person: Person, source: int, output: io.TextIOBase) -> None:
    paper = Paper(source, output)  # type: ignore[arg-type]
    try:
        with paper.reading():
            await converse(
                person.desk, paper, person.config, person.home, incognito=person.incognito, clock=person.clock
            )
    finally:
        os.close(source)
