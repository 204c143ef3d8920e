"""The check number of a chat: thirty digits that are equal on every member's screen, or somebody is between them."""

from collections.abc import Iterator
from typing import ClassVar

from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from client.desk.told import ChatChanged
from client.desk.views import AgreementView, CheckNumberView
from client.tui.heard import Heard
from client.tui.qr import qr_text
from client.tui.screens.phrases import person
from client.tui.screens.reader import Reader
from client.tui.screens.sheet import Sheet

GROUPED = 5  # digits read in one breath
IN_A_ROW = 3  # such groups
WORDS = 24 + 3  # columns of the digits, and of what is between them and the QR code
NO_ROOM = "The digits as a QR code need a larger window."
HOW = (
    "The same thirty digits stand on the screen of every member. Read them to each other by voice or in person, not in "
    "this chat. They change with every change of the group, so compare while both of you are up to date: the epoch "
    "shown must be equal too."
)
MATCH = (
    "Then nobody stands between you: the devices whose digits you compared hold the same members and keys for this "
    "epoch. It says nothing about what a person means to do. After the next change of the group the digits are new."
)
DIFFER = (
    "First see whether the epochs are equal: if they are not, wait until both devices are up to date, and compare "
    "again. If the epochs are equal and the digits are not, somebody may be between you. Write nothing here that "
    "others must not read, look at who is in the chat (Members), and start a new chat after speaking to each other."
)


class CheckNumberScreen(Sheet[None]):
    """The digits, their QR code where it fits, and what to do when they match or differ."""

    HEADING = "Check number"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", "Other answer", show=False),
        Binding("right", "app.focus_next", "Other answer", show=False),
    ]
    DEFAULT_CSS = """
    CheckNumberScreen .buttons {
        height: auto;
    }
    CheckNumberScreen Button {
        margin-right: 2;
    }
    CheckNumberScreen #digits {
        margin: 1 2;
        text-style: bold;
    }
    CheckNumberScreen #agreement {
        margin-top: 1;
    }
    CheckNumberScreen #beside {
        height: 1fr;
    }
    CheckNumberScreen #code {
        width: auto;
        height: auto;
        margin-right: 2;
        display: none;
    }
    CheckNumberScreen #advice {
        margin-bottom: 1;
        display: none;
    }
    CheckNumberScreen #advice.-match {
        border-left: thick $success;
        padding-left: 1;
        display: block;
    }
    CheckNumberScreen #advice.-differ {
        border-left: thick $error;
        padding-left: 1;
        display: block;
    }
    """

    def __init__(self, group: str) -> None:
        super().__init__()
        self._group = group
        self._shown: CheckNumberView | None = None

    def body(self) -> Iterator[Widget]:
        with Horizontal(id="beside"):
            yield Static("", id="code", markup=False)
            with Reader() as reader:
                reader.can_focus = True
                yield Static("", id="whose", markup=False)
                yield Static("", id="digits", markup=False)
                yield Static("", id="advice", markup=False)
                yield Static(Content(HOW), id="how")
                yield Static("", id="agreement", markup=False)
                yield Static(Content(NO_ROOM), id="no-room", classes="quiet")
        with Horizontal(classes="buttons"):
            yield Button(Content("They match"), id="match", disabled=True)
            yield Button(Content("They differ"), id="differ", disabled=True)

    def on_mount(self) -> None:
        """Ask for the digits."""
        self.query_one(Reader).focus()
        self.load("Computing")

    def on_resize(self, event: events.Resize) -> None:
        """Show the QR code where it fits now."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if self._shown is not None:
            self._draw_code(self._shown)

    @on(Heard)
    def _heard(self, heard: Heard) -> None:
        if isinstance(heard.told, ChatChanged) and heard.told.chat.group == self._group:
            self.load()

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Show the digits of the epoch that the group is in now."""
        with self.doing(words):
            number = await self.api.chats.check_number(self._group)
            before, self._shown = self._shown, number
            self._draw(number)
            self.query_one("#agreement", Static).update(_agreement(await self.api.chats.agreement(self._group)))
            if before is not None and before.epoch != number.epoch:
                self._advise("", "")
                self.say(f"The group changed from epoch {before.epoch} to {number.epoch}: these digits are new.")
        self.call_after_refresh(self._resized)  # what was said while it was computed has left room for the code

    def _draw(self, number: CheckNumberView) -> None:
        self.query_one("#whose", Static).update(Content(f"{number.chat}, epoch {number.epoch}"))
        self.query_one("#digits", Static).update(Content(in_groups(number.digits)))
        self._draw_code(number)
        for button in self.query(Button):
            button.disabled = False

    def _draw_code(self, number: CheckNumberView) -> None:
        """Show the QR code beside the digits if the whole of it fits: no camera reads a part."""
        code, beside = self.query_one("#code", Static), self.query_one("#beside").size
        drawn = qr_text("".join(number.digits.split()))
        lines = drawn.plain.split("\n")
        fits = len(lines) <= beside.height and len(lines[0]) + WORDS <= beside.width
        code.update(drawn)
        code.display = fits
        self.query_one("#no-room").display = not fits

    @on(Button.Pressed)
    def _compared(self, event: Button.Pressed) -> None:
        if event.button.id == "match":
            self._advise(f"✓ They match. {MATCH}", "-match")
        else:
            self._advise(f"✗ They differ. {DIFFER}", "-differ")
        self.query_one(Reader).scroll_home(animate=False)

    def _advise(self, words: str, kind: str) -> None:
        advice = self.query_one("#advice", Static)
        advice.update(Content(words))
        advice.set_classes(kind)


def _agreement(members: list[AgreementView]) -> Content:
    """What each other device has said about the log, by itself and inside the encryption."""
    lines = [f"{person(each.number, each.name)} {each.words}" for each in members]
    return Content("\n".join(["What their devices have said about the order of this chat's messages:", *lines]))


def in_groups(digits: str) -> str:
    """Six groups of five digits in two rows."""
    plain = "".join(digits.split())
    groups = [plain[start : start + GROUPED] for start in range(0, len(plain), GROUPED)]
    return "\n".join("  ".join(groups[start : start + IN_A_ROW]) for start in range(0, len(groups), IN_A_ROW))
