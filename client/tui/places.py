"""Under the list of chats: what stands apart from them, with its counts."""

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from client.tui.chat_lines import fitted

_PLACES = (("requests", "!", "Requests", "$text-warning"), ("quarantine", "✗", "Quarantine", "$text-error"))


class Places(OptionList):
    """Requests, quarantine and the archive; each option's id is the command that opens it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "cursor_up", "Up", show=False),
        Binding("j", "cursor_down", "Down", show=False),
    ]
    DEFAULT_CSS = """
    Places {
        height: auto;
        max-height: 5;
        border: none;
        border-top: solid $foreground 20%;
        padding: 0;
        background: $surface;
        overflow: hidden;
        &:focus { border: none; border-top: solid $border; background-tint: $foreground 0%; }
        & > .option-list--option-highlighted { background: transparent; color: $foreground; text-style: none; }
        &:focus > .option-list--option-highlighted { background: $primary 25%; color: $foreground; text-style: bold; }
        &:ansi:focus > .option-list--option-highlighted { background: ansi_default; text-style: reverse; }
    }
    """

    requests: reactive[int] = reactive(0)
    quarantined: reactive[int] = reactive(0)
    archived: reactive[bool] = reactive(False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._drawn: list[str] = []

    def on_mount(self) -> None:
        """Draw the three rows."""
        self._draw()

    def on_resize(self) -> None:
        """Draw the rows as wide as the list."""
        self._draw()

    def watch_requests(self) -> None:
        """Draw the new count."""
        self._draw()

    def watch_quarantined(self) -> None:
        """Draw the new count."""
        self._draw()

    def watch_archived(self) -> None:
        """Say what the last row leads to now."""
        self._draw()

    def _draw(self) -> None:
        counts = {"requests": self.requests, "quarantine": self.quarantined}
        rows = {id_: self._row(sign, name, counts[id_], colour) for id_, sign, name, colour in _PLACES}
        rows["archived"] = self._row("-", "Back to the inbox" if self.archived else "Archive", 0, "")
        if (drawn := [row.plain for row in rows.values()]) != self._drawn:
            self._drawn = drawn
            place = self.highlighted
            self.set_options(Option(row, id=id_) for id_, row in rows.items())
            self.highlighted = place or 0

    def _row(self, sign: str, name: str, count: int, colour: str) -> Content:
        number = str(count) if count else ""
        room = max(self.scrollable_content_region.width - 4 - cell_len(number), 1)
        style = f"bold {colour}" if count else "$text-muted"
        return Content.assemble((f" {sign} ", style), fitted(name, room), (number, style))
