"""Choices and switches whose state is a sign, not only a colour."""

from textual.content import Content
from textual.widgets import Checkbox, RadioButton

_CSS = """
    {name}, {name}:focus {{
        border: none;
        padding: 0;
        height: auto;
        width: 1fr;
        text-wrap: wrap;
    }}
    {name} > .toggle--button, {name}.-on > .toggle--button {{
        color: $text;
        background: $surface;
    }}
"""


class Choice(RadioButton):
    """One of several: (x) or ( )."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    DEFAULT_CSS = _CSS.format(name="Choice")

    def __init__(self, words: str, value: bool = False, id: str | None = None) -> None:
        super().__init__(Content(words), value, id=id)
        self.BUTTON_INNER = "(x)" if value else "( )"

    def watch_value(self) -> None:
        """Draw the state."""
        self.BUTTON_INNER = "(x)" if self.value else "( )"
        super().watch_value()


class Switch(Checkbox):
    """On or off: [x] or [ ]."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    DEFAULT_CSS = _CSS.format(name="Switch")

    def __init__(self, words: str, value: bool = False, id: str | None = None) -> None:
        super().__init__(Content(words), value, id=id)
        self.BUTTON_INNER = "[x]" if value else "[ ]"

    def watch_value(self) -> None:
        """Draw the state."""
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()
