"""Choices and switches whose state is a sign, not only a colour."""

from typing import ClassVar

from textual.content import Content
from textual.widgets import Checkbox, RadioButton
from textual.widgets._toggle_button import ToggleButton


class _Signed(ToggleButton):
    BUTTON_LEFT = BUTTON_RIGHT = ""
    SIGNS: ClassVar[tuple[str, str]]  # off, on
    DEFAULT_CSS = """
    _Signed, _Signed:focus {
        border: none;
        padding: 0;
        height: auto;
        width: 1fr;
        text-wrap: wrap;
    }
    _Signed > .toggle--button, _Signed.-on > .toggle--button {
        color: $text;
        background: $surface;
    }
    """

    def __init__(self, words: str, value: bool = False, id: str | None = None) -> None:
        super().__init__(Content(words), value, id=id)
        self.BUTTON_INNER = self.SIGNS[value]

    def watch_value(self) -> None:
        """Draw the state."""
        self.BUTTON_INNER = self.SIGNS[self.value]
        super().watch_value()


class Choice(_Signed, RadioButton):
    """One of several: (x) or ( )."""

    SIGNS = ("( )", "(x)")


class Switch(_Signed, Checkbox):
    """On or off: [x] or [ ]."""

    SIGNS = ("[ ]", "[x]")
