"""The two small questions: yes or no, and one line of text. The first Enter gives the harmless answer."""

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from client.defence.new_keys import TITLE, YES
from client.tui.screens.sheet import Sheet

_CSS = """
    {name} .frame {{
        max-width: 72;
        height: auto;
        max-height: 100%;
        padding: 1 2;
    }}
    {name} KeyLine {{
        display: none;
    }}
    {name} .buttons {{
        height: auto;
        margin-top: 1;
        align-horizontal: right;
    }}
    {name} Button {{
        margin-left: 2;
    }}
"""


class Confirm(Sheet[bool]):
    """A question with two answers; `yes` says what is done. Esc and the first Enter answer no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", "Other answer", show=False),
        Binding("right", "app.focus_next", "Other answer", show=False),
    ]
    DEFAULT_CSS = _CSS.format(name="Confirm")

    def __init__(self, title: str, words: str, yes: str) -> None:
        super().__init__()
        self._title = title
        self._words = words
        self._yes = yes

    def body(self) -> Iterator[Widget]:
        yield Static(Content(self._words))
        with Horizontal(classes="buttons"):
            yield Button(Content("Cancel"), id="no")
            yield Button(Content(self._yes), id="yes", variant="warning")

    def on_mount(self) -> None:
        """Begin on the harmless answer."""
        self.entitle(self._title)
        self.query_one(".frame").border_subtitle = Content("← → choose, Enter answers")
        self.query_one("#no").focus()

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_leave(self) -> None:
        """Answer no."""
        self.dismiss(False)


class Prompt(Sheet[str | None]):
    """A question for one line of text; Enter answers, Esc does not."""

    DEFAULT_CSS = _CSS.format(name="Prompt")

    def __init__(self, title: str, label: str, value: str = "") -> None:
        super().__init__()
        self._title = title
        self._label = label
        self._value = value

    def body(self) -> Iterator[Widget]:
        yield Static(Content(self._label))
        yield Input(self._value, select_on_focus=False)
        with Horizontal(classes="buttons"):
            yield Button(Content("Cancel"), id="no")
            yield Button(Content("OK"), id="yes", variant="primary")

    def on_mount(self) -> None:
        """Begin at the end of the text."""
        self.entitle(self._title)
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(self.query_one(Input).value.strip() if event.button.id == "yes" else None)


async def about_new_key(sheet: Sheet[Any], words: str) -> bool:
    """Whether the person wants to talk to a known number on a key that they have not met."""
    agreed: bool = await sheet.app.push_screen_wait(Confirm(TITLE, words, YES))
    return agreed
