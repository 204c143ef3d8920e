"""One's own number for others: as a QR code, an address and a short code."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.desk.told import RequestArrived
from client.desk.views import AccountView
from client.storage.home import write_private
from client.tui.heard import Heard
from client.tui.qr import qr_png, qr_text
from client.tui.screens.sheet import Sheet
from client.words.spelling import shown_number

BESIDE = 24 + 3 + 4  # columns for the words, a gap and the frame
ABOVE_AND_BELOW = 2 + 2 + 2  # rows of the frame, of the keys, and of what is told


class InviteScreen(Sheet[None]):
    """Shows how others find this account; nothing of it is a secret."""

    HEADING = "Your number for others"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy the address", id="copy"),
        Binding("p", "picture", "Save as PNG"),
        Binding("b", "blocks", "Large blocks"),
    ]
    DEFAULT_CSS = """
    InviteScreen .frame {
        max-width: 100;
    }
    InviteScreen Horizontal {
        height: 1fr;
    }
    InviteScreen #qr {
        width: auto;
        height: auto;
        margin-right: 3;
    }
    InviteScreen #words {
        width: 1fr;
        height: auto;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._account: AccountView | None = None
        self._large = False

    def body(self) -> Iterator[Widget]:
        """The code, and beside it the same in letters."""
        with Horizontal():
            yield Static("", id="qr", markup=False)
            with VerticalScroll():
                yield Static("", id="words", markup=False)

    def on_mount(self) -> None:
        """Ask for the account."""
        self.load()

    def on_heard(self, heard: Heard) -> None:
        """Say that it has worked."""
        if isinstance(heard.told, RequestArrived):
            self.say(asks(heard.told))

    def on_resize(self, event: events.Resize) -> None:
        """Draw what fits now."""
        self._draw()

    @work
    async def load(self) -> None:
        """Show the account's number."""
        with self.doing("Reading the account"):
            self._account = await self.api.device.account()
            self._draw()

    def _draw(self) -> None:
        account = self._account
        if account is None:
            return
        drawn, words = self._fitting(account.invite)
        picture = self.query_one("#qr", Static)
        picture.display = drawn is not None
        if drawn is not None:
            picture.update(drawn)
        self.query_one("#words", Static).update(
            Content.assemble(
                (shown_number(account.number), "bold"),
                *_titled("Address", account.invite),
                *_titled("Short code", account.short_code),
                f"\n\n{words}",
            )
        )

    def _fitting(self, address: str) -> tuple[Text | None, str]:
        columns, rows = self.size.width - BESIDE, self.size.height - ABOVE_AND_BELOW
        for large in (True, False) if self._large else (False,):
            drawn = qr_text(address, full_blocks=large)
            lines = drawn.plain.split("\n")
            if len(lines) <= rows and len(lines[0]) <= columns:
                words = "Scan it, or type the short code or the number into their Ringtrue."
                return drawn, words if large == self._large else f"{words} Large blocks need a larger window."
        return None, "This window is too small for the QR code: use the short code, or p for a picture."

    def action_copy(self) -> None:
        """Copy the address."""
        if self._account is not None:
            self.copy(self._account.invite)

    def action_blocks(self) -> None:
        """Draw larger, or smaller again."""
        self._large = not self._large
        self._draw()

    @work(exclusive=True)
    async def action_picture(self) -> None:
        """Save the QR code as a picture in the download folder, for this user only."""
        account = self._account
        if account is None:
            return
        folder = self.account.config.download_folder
        with self.doing("Saving the picture"):
            path = await asyncio.to_thread(_save, folder, account)
            self.say(f"Saved: {path}")


def asks(told: RequestArrived) -> str:
    """Who wants to talk, and where to answer."""
    request = told.request
    return f"{request.label}  {shown_number(request.number)} wants to talk to you: close this, then see Requests (F3)."


def _titled(title: str, value: str) -> tuple[tuple[str, str], str]:
    return (f"\n\n{title}", "$text-muted"), f"\n{value}"


def _save(folder: Path, account: AccountView) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"ringtrue-{account.number.removeprefix('+')}.png"
    write_private(path, qr_png(account.invite))
    return path
