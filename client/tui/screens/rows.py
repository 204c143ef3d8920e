"""A list of rows of text, each of one or more lines; it keeps its place when its rows change."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.strip import Strip
from textual.widgets import OptionList
from textual.widgets.option_list import Option

CURSOR = "▸ "
HANGING = 2  # cells that a broken line is indented by, so that no text can begin a row of its own


class Rows(OptionList):
    """Rows with an id each; those without an id are headings and cannot be chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "first", "First", show=False),
        Binding("G", "last", "Last", show=False),
    ]

    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        border: none;
        padding: 0;
        background: $surface;
    }
    Rows:focus {
        border: none;
        background-tint: $foreground 3%;
    }
    Rows > .option-list--option {
        padding: 0 0 0 2;
    }
    Rows > .option-list--option-highlighted {
        color: $foreground;
        background: $primary 15%;
        text-style: none;
    }
    Rows:focus > .option-list--option-highlighted {
        color: $foreground;
        background: $primary 30%;
        text-style: none;
    }
    Rows:ansi > .option-list--option-highlighted {
        background: ansi_default;
    }
    Rows > .option-list--option-disabled {
        color: $text-muted;
        text-style: bold;
    }
    """

    def __init__(self, id: str) -> None:
        super().__init__(id=id, markup=False)
        self._rows: Sequence[tuple[str | None, Content]] = ()

    @property
    def chosen(self) -> str | None:
        """The id of the row under the cursor."""
        option = self.highlighted_option
        return None if option is None else option.id

    def show(self, rows: Sequence[tuple[str | None, Content]]) -> None:
        """Show these rows, with the cursor on the row that it was on, or on the nearest one left."""
        chosen, place = self.chosen, self.highlighted or 0
        self._rows = rows
        width = self.scrollable_content_region.width - len(CURSOR)
        self.set_options([Option(_hanging(words, width), id=row, disabled=row is None) for row, words in rows])
        ids = [row for row, _ in rows]
        if chosen is not None and chosen in ids:
            self.highlighted = ids.index(chosen)
        else:
            open_to_choice = [index for index, row in enumerate(ids) if row is not None]
            self.highlighted = min(open_to_choice, key=lambda index: abs(index - place), default=None)

    def render_line(self, y: int) -> Strip:
        """As ever, with the cursor's sign before its row: its colour is not the same in all themes."""
        strip = super().render_line(y)
        line = self.scroll_offset.y + y
        # `_lines` is private in Textual 8.2.8, which is pinned: the option of each line, and the line's place in it.
        if line >= len(self._lines) or self._lines[line] != (self.highlighted, 0):
            return strip
        style = next((segment.style for segment in strip), None)
        return Strip.join([Strip([Segment(CURSOR, style)], len(CURSOR)), strip.crop(len(CURSOR))])

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines anew."""
        self.show(self._rows)


def _hanging(words: Content, width: int) -> Content:
    if width <= HANGING:
        return words
    drawn: list[Content] = []
    for line in words.split("\n", allow_blank=True):
        plain = line.plain
        indent = len(plain) - len(plain.lstrip(" "))
        first, *rest = line[indent:].wrap(max(HANGING, width - indent - HANGING))
        drawn.append(Content(" " * indent) + first)
        drawn += [Content(" " * (indent + HANGING)) + part for part in rest]
    return Content("\n").join(drawn)
