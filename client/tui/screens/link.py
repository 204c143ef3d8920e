"""Linking another device: its code, the digits to compare, and how far it is."""

from collections.abc import Iterator
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.desk.device_views import LinkView
from client.failures import hint_inside
from client.terminal.device_words import COMPARE, link_words
from client.tui.qr import qr_text
from client.tui.screens.sheet import Sheet

BESIDE = 26 + 3 + 4  # columns for the words, a gap and the frame
ABOVE_AND_BELOW = 2 + 2 + 1  # rows of the frame, of the keys, and of what is told
TOO_SMALL = "This window is too small for the QR code: type the code."


class LinkScreen(Sheet[None]):
    """Closing it before the person has agreed takes the code back; after that it goes on without the sheet."""

    HEADING = "Link another device"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "They are the same"),
        Binding("n", "answer(False)", "They are not"),
        Binding("b", "blocks", "Large blocks"),
    ]
    DEFAULT_CSS = """
    LinkScreen Horizontal {
        height: 1fr;
    }
    LinkScreen #qr {
        width: auto;
        height: auto;
        margin-right: 3;
    }
    LinkScreen #words {
        width: 1fr;
        height: auto;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._link: LinkView | None = None
        self._large = False

    def body(self) -> Iterator[Widget]:
        """The code, and beside it the same in letters."""
        with Horizontal():
            yield Static("", id="qr", markup=False)
            with VerticalScroll():
                yield Static("", id="words", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.follow()

    def on_resize(self, event: events.Resize) -> None:
        """Draw what fits now."""
        self._draw()

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Show each step until it is over."""
        with self.doing("Asking for a code"):
            self._show(await self.api.devices.link())
            self.say("")
            while self._link is not None and self._link.state not in ("done", "ended"):
                self._show(await self.api.devices.linking(self._link.step))

    def _show(self, link: LinkView) -> None:
        self._link = link
        self._draw()
        self.say(link.trouble, failed=True)
        self.refresh_bindings()

    def _draw(self) -> None:
        link = self._link
        if link is None or not self.is_mounted:
            return
        drawn = self._fitting(link.uri) if link.state == "waiting" else None
        picture = self.query_one("#qr", Static)
        picture.display = drawn is not None
        if drawn is not None:
            picture.update(drawn)
        self.query_one("#words", Static).update(_words(link, drawn is not None))

    def _fitting(self, uri: str) -> Text | None:
        columns, rows = self.size.width - BESIDE, self.size.height - ABOVE_AND_BELOW
        for large in (True, False) if self._large else (False,):
            drawn = qr_text(uri, full_blocks=large)
            lines = drawn.plain.split("\n")
            if len(lines) <= rows and len(lines[0]) <= columns:
                return drawn
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There are digits to compare, or a code to draw, at their time only."""
        state = None if self._link is None else self._link.state
        if action == "answer":
            return state == "comparing"
        return state == "waiting" if action == "blocks" else True

    @work(exclusive=True, group="answer")
    async def action_answer(self, agreed: bool) -> None:
        """Let the device have the number, or not."""
        with self.doing():
            self._show(await self.api.devices.agree(agreed))

    def action_blocks(self) -> None:
        """Draw larger, or smaller again."""
        self._large = not self._large
        self._draw()

    def action_leave(self) -> None:
        """Close; what nobody has agreed to is taken back."""
        self._leave()

    @work(exclusive=True, group="leave")
    async def _leave(self) -> None:
        if self._link is not None and self._link.state in ("waiting", "comparing"):
            with self.doing():
                await self.api.devices.cancel()
        self.dismiss(None)


def _words(link: LinkView, drawn: bool) -> Content:
    if link.state == "waiting":
        return Content.assemble(
            ("Code\n", "$text-muted"),
            (f"{link.code}\n\n", "bold"),
            ("Authority\n", "$text-muted"),
            f"{link.authority}\n\n",
            ("On the new device\n", "$text-muted"),
            "Start Ringtrue, or run:\nringtrue link CODE\n--authority URL\n\n",
            "" if drawn else f"{TOO_SMALL}\n\n",
            f"Good until {link.ends.astimezone():%H:%M}, for one device. Let nobody look on.",
        )
    if link.state == "comparing":
        question = f"\n\n{COMPARE} Press y or n."
        return Content.assemble(
            f"{link.key[:8]} {link.name} wants to have your number.\n\n",
            ("It must show these digits\n", "$text-muted"),
            (link.comparison, "bold"),
            question,
        )
    style = "$text-error" if link.state == "ended" else ""
    words = hint_inside(link_words(link))
    return Content.assemble((f"✗ {words}" if link.state == "ended" else words, style))
