"""Which emoji to react with: a row of common ones, each under a digit, and any other that is typed."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input

from client.formats.text import safe_text, without_emoji
from client.tui.screens.sheet import Sheet

COMMON = ("👍", "❤️", "😂", "😮", "😢", "🙏", "🎉", "👎")


class ReactScreen(Sheet[str | None]):
    """Gives the emoji, or None if nothing was chosen."""

    HEADING = "React"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(digit), f"choose({digit})", "Choose", show=False) for digit in range(1, len(COMMON) + 1)),
        Binding("left", "app.focus_previous", "Left", show=False),
        Binding("right", "app.focus_next", "Right", show=False),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    ReactScreen {
        & .frame { max-width: 74; height: auto; padding: 1 2; }
        & Horizontal { height: auto; margin-bottom: 1; }
        & Button { min-width: 7; width: auto; margin-right: 1; }
        & Input { background: $panel; }
        & .-wordy { layout: grid; grid-size: 2; grid-rows: auto; }
    }
    """

    def body(self) -> Iterator[Widget]:
        """The row, and a field for any other."""
        in_words = self.account.config.emoji == "text"
        with Horizontal(classes="-wordy" if in_words else ""):
            for digit, emoji in enumerate(COMMON, 1):
                shown = without_emoji(emoji) if in_words else emoji
                yield Button(Content(f"{digit} {shown}"), id=f"emoji-{digit}", compact=True)
        yield Input(placeholder="another emoji, then Enter", max_length=16, compact=True)

    def on_mount(self) -> None:
        """Begin on the first."""
        self.query_one(Input).cursor_blink = False
        self.query_one("#emoji-1").focus()

    def action_choose(self, digit: int) -> None:
        """Give the emoji under a digit."""
        self.dismiss(COMMON[digit - 1])

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_choose(int((event.button.id or "emoji-1").removeprefix("emoji-")))

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        self.dismiss(safe_text(event.value.strip()).text or None)
