"""A page to read: it scrolls by arrows, by page and by the keys of a list."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static


class Reader(VerticalScroll):
    """Text of any length; focus is shown at its left edge."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "First", show=False),
        Binding("G", "scroll_end", "Last", show=False),
    ]
    DEFAULT_CSS = """
    Reader {
        height: 1fr;
        border-left: blank;
    }
    Reader:focus {
        border-left: outer $border;
    }
    Reader > Static {
        height: auto;
    }
    Reader > .heading {
        margin-top: 1;
        text-style: bold;
    }
    Reader > .heading:first-child {
        margin-top: 0;
    }
    Fact {
        height: auto;
    }
    Fact > .name {
        width: 14;
        color: $text-muted;
    }
    Fact > .value {
        width: 1fr;
    }
    """


class Fact(Horizontal):
    """A name with its value; the value wraps beside the name, never under it."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(
            Static(Content(name), classes="name"),
            Static(Content(value), classes="value"),
        )


def heading(words: str) -> Static:
    """The line over a part of the page."""
    return Static(Content(words), classes="heading")
