"""Somebody who sits before the first run, with the services of a world in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from client.tui.screens.welcome import WelcomeScreen
from tests.client.conftest import AUTHORITY, CHEAP, DELIVERY, World
from tests.client.tui.shell_scene import text_of, until


class FirstRun(App[str | None]):
    """An app with nothing but the first run in it; its result is the screen's answer."""

    def __init__(
        self,
        world: World,
        home: Path,
        *,
        authority: str = AUTHORITY,
        delivery: str = DELIVERY,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self.answered = False
        self._welcome = WelcomeScreen(
            home,
            authority=authority,
            delivery=delivery,
            transport=transport or world.network,
            clock=clock or world.clock,
            cost=CHEAP,
        )

    async def _shutdown(self) -> None:
        self.workers.cancel_all()  # as the client does, before its screens go
        await super()._shutdown()

    def on_mount(self) -> None:
        self.push_screen(self._welcome, self._answer)

    def _answer(self, passphrase: str | None) -> None:
        self.answered = True
        self.exit(passphrase)


class Person:
    """Reads the screen and types."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self.pilot = pilot

    @property
    def screen(self) -> str:
        """What stands there, with its line breaks taken as spaces."""
        rows = (row.strip(" │╭╮╰╯─") for row in text_of(self.pilot.app).splitlines())
        return " ".join(" ".join(rows).split())

    async def sees(self, words: str) -> None:
        await until(self.pilot, lambda: words in self.screen, words)

    async def presses(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def types(self, text: str) -> None:
        """All at once, as from a clipboard."""
        field = self.pilot.app.focused
        assert field is not None
        field.post_message(events.Paste(text))
        await self.pilot.pause()

    async def clears(self) -> None:
        await self.pilot.press("end", "ctrl+u")

    async def to_number(self) -> None:
        await self.sees("Begin")
        await self.presses("enter")
        await self.sees("▸ 1 Number")
        services = self.pilot.app.screen.query_one("#services", Static)
        await until(self.pilot, lambda: "Compare the fingerprint" in str(services.content), "the services")

    async def to_code(self, number: str) -> None:
        await self.to_number()
        await self.types(number)
        await self.presses("enter")
        await self.sees("A code of 6 digits was sent")

    async def to_keep(self, code: str) -> None:
        await self.types(code)
        await self.presses("enter")
        await self.sees("is valid until")
        await self.presses("enter")
        await self.sees("The same again")

    async def keeps(self, passphrase: str) -> None:
        await self.types(passphrase)
        await self.presses("enter")
        await self.types(passphrase)
        await self.presses("enter")
