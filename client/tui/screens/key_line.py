"""The keys of a screen, drawn by one widget: where the focus moves, nothing is mounted anew."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

GAP = 3  # cells between two keys


class KeyLine(Static):
    """Every key that the screen shows, what it does, and dimmed where it is not available now; each can be clicked.

    They take as many rows as the window needs. With `in_one_row` some are left out, but never the last one.
    """

    DEFAULT_CSS = """
    KeyLine {
        dock: bottom;
        width: 100%;
        height: auto;
        padding: 0 1;
        background: $footer-background;
        color: $footer-foreground;
        link-style: none;
        link-style-hover: bold;
        link-color: $footer-foreground;
        link-background: $footer-background;
        link-background-hover: $footer-background;
        link-color-hover: $footer-foreground;
    }
    """

    def __init__(self, *, in_one_row: bool = False) -> None:
        super().__init__(markup=False)
        self._in_one_row = in_one_row
        self._drawn = Content("")

    def on_mount(self) -> None:
        """Follow what is available."""
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def on_resize(self, event: events.Resize) -> None:
        """Break the rows anew."""
        self._redraw(self.screen)

    def _redraw(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen and self.content_size.width:
            width = self.content_size.width
            rows = [_in_one_row(self._keys(), width)] if self._in_one_row else _in_rows(self._keys(), width)
            words = Content("\n").join(rows)
            if not words.is_same(self._drawn):
                self._drawn = words
                self.update(words, layout=not self._in_one_row)

    def _keys(self) -> list[Content]:
        keys: dict[str, Content] = {}
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show and binding.description:
                shown = self.app.get_key_display(binding)
                keys.setdefault(binding.action, _key(shown, binding.description, binding.key, enabled))
        return list(keys.values())


def _in_rows(keys: Sequence[Content], width: int) -> list[Content]:
    rows: list[list[Content]] = []
    left = 0
    for key in keys:
        left -= GAP + key.cell_length
        if left < 0 or not rows:
            rows.append([])
            left = width - key.cell_length
        rows[-1].append(key)
    return [Content(" " * GAP).join(row) for row in rows]


def _in_one_row(keys: Sequence[Content], width: int) -> Content:
    """As many as there is room for beside the last one, which stands at the right."""
    if not keys:
        return Content("")
    *others, last = keys
    left = width - last.cell_length
    shown: list[Content] = []
    for key in others:
        left -= key.cell_length + GAP
        if left < 0:
            break
        shown.append(key)
    row = Content(" " * GAP).join(shown)
    return row + Content(" " * max(0, width - row.cell_length - last.cell_length)) + last


def _key(shown: str, does: str, key: str, enabled: bool) -> Content:
    if not enabled:
        return Content.assemble((f"{shown} {does}", "$text-disabled"))
    drawn = Content.assemble((shown, "bold $footer-key-foreground"), f" {does}")
    return drawn.stylize(Style.from_meta({"@click": f"app.simulate_key({key!r})"}))
