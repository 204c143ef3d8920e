"""The passphrase of an account that is not open yet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from client.errors import WrongPassphraseError
from client.storage.home import Home
from client.storage.keys import open_key
from client.tui.screens.sheet import Sheet


class UnlockScreen(Sheet[str | None]):
    """Asks until the passphrase opens the store's key; its answer is that passphrase, None if somebody gave up."""

    HEADING = "Ringtrue is locked"
    DEFAULT_CSS = """
    UnlockScreen {
        background: $background;
    }
    UnlockScreen .frame {
        max-width: 64;
        height: auto;
        padding: 1 2;
    }
    """

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = Home(home)
        self._trying = False

    def body(self) -> Iterator[Widget]:
        """One field."""
        yield Label("The passphrase of this account", markup=False)
        yield Input(password=True)
        yield Static(Content("Nobody can reset it; without it the account cannot be read."), classes="quiet")

    def on_mount(self) -> None:
        """Begin in the field."""
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Submitted)
    @work
    async def attempt(self, event: Input.Submitted) -> None:
        """Try what was typed."""
        if self._trying:
            return
        self._trying = True
        with self.doing("Trying it"):
            try:
                await asyncio.to_thread(open_key, self._home, event.value)
            except WrongPassphraseError:
                event.input.clear()
                raise
            finally:
                self._trying = False
            self.dismiss(event.value)
