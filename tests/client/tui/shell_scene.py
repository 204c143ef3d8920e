"""Two people in a world in memory, each with an open desk or with the whole terminal client around it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from client.config import Config
from client.desk.api import Api
from client.desk.daemon import Daemon
from client.desk.desk import Desk, open_desk
from client.tui.app import RingtrueApp
from identity.number import TelephoneNumber
from tests.client.conftest import ALICE, PASSPHRASE, World

PATIENCE = 20.0  # seconds until a test gives up on what should happen


@dataclass(frozen=True)
class WorldOpening:
    """The way to an account of the world: as the app goes it, with the world's clock and network."""

    world: World
    number: TelephoneNumber
    given: str | None = PASSPHRASE
    to_welcome: Callable[[], Any] | None = None

    def exists(self) -> bool:
        return (self.world.home(self.number) / "store.key").exists()

    def asks(self) -> bool:
        return self.given is None

    @asynccontextmanager
    async def open(self, passphrase: str | None) -> AsyncIterator[Api]:
        world = self.world
        async with open_desk(
            world.home(self.number),
            self.given if passphrase is None else passphrase,
            clock=world.clock,
            transport=world.network,
            jitter=0,
            follow=False,  # the network of this world does not stream
        ) as desk:
            yield desk

    def welcome(self) -> Any:
        assert self.to_welcome is not None
        return self.to_welcome()


@dataclass
class Scene:
    """Alice sits before the terminal client; others have desks."""

    world: World
    stack: AsyncExitStack
    folder: Path
    desks: dict[TelephoneNumber, Desk] = field(default_factory=dict)

    async def person(self, number: TelephoneNumber) -> Desk:
        """Somebody with an account and a desk."""
        await self.world.enrol(number)
        desk = await self.stack.enter_async_context(WorldOpening(self.world, number).open(None))
        await desk.device.sync()
        self.desks[number] = desk
        return desk

    async def enrolled(self, number: TelephoneNumber) -> None:
        """Somebody whom others can reach, and who has nothing open."""
        await self.world.enrol(number)
        async with WorldOpening(self.world, number).open(None) as desk:
            await desk.device.sync()

    @asynccontextmanager
    async def holding(self, number: TelephoneNumber) -> AsyncIterator[None]:
        """Another program has this account open."""
        async with WorldOpening(self.world, number).open(None):
            yield

    @asynccontextmanager
    async def daemon(self, number: TelephoneNumber) -> AsyncIterator[asyncio.Event]:
        """A daemon has this account open until the event is set."""
        ready, stop = asyncio.Event(), asyncio.Event()
        async with WorldOpening(self.world, number).open(None) as api:
            running = asyncio.create_task(Daemon(api, self.world.home(number), lambda _: None).run(ready.set, stop))
            await ready.wait()
            yield stop
            stop.set()
            await running

    def app(self, number: TelephoneNumber = ALICE, *, given: str | None = PASSPHRASE, **settings: Any) -> RingtrueApp:
        """The terminal client of somebody who has enrolled."""
        incognito = settings.pop("incognito", False)
        config = replace(Config(theme="dark", download_folder=self.folder), **settings)
        return RingtrueApp(
            self.world.home(number),
            config,
            opening=WorldOpening(self.world, number, given),
            incognito=incognito,
            clock=self.world.clock,
        )


async def until(pilot: Pilot[int], holds: Callable[[], Any], what: str) -> None:
    """Let the app work until something holds; what it waits for is the app's own doing, not time."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await pilot.pause(0.01)
    except TimeoutError:
        raise AssertionError(f"never came about: {what}\n{text_of(pilot.app)}") from None


def text_of(app: Any) -> str:
    """What stands on the screen, row by row."""
    screen = app.screen
    lines = screen._compositor.render_strips(screen.size)
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)
