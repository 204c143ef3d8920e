"""One question: which key? The next key pressed is the answer."""

from collections.abc import Iterator

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.tui.screens.sheet import Sheet


class PressKeyScreen(Sheet[str | None]):
    """It answers with the key's name, as Textual calls it; Esc answers nothing."""

    HEADING = "Press the new key"
    DEFAULT_CSS = """
    PressKeyScreen .frame {
        max-width: 60;
        height: auto;
        padding: 1 2;
    }
    PressKeyScreen KeyLine {
        display: none;
    }
    """

    def __init__(self, action: str) -> None:
        super().__init__()
        self._action = action

    def body(self) -> Iterator[Widget]:
        yield Static(Content(f"{self._action}: press the key that does it. Esc: no change."))

    def on_key(self, event: events.Key) -> None:
        """Take any key."""
        event.stop()
        event.prevent_default()
        self.dismiss(None if event.key == "escape" else event.key)
