"""The keys of a screen, in as many rows as the window needs: none is ever cut off."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

GAP = 3  # cells between two keys


class KeyLine(Static):
    """Every key that the screen shows, what it does, and dimmed where it is not available now; each can be clicked."""

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

    def __init__(self) -> None:
        super().__init__(markup=False)

    def on_mount(self) -> None:
        """Follow what is available."""
        self.screen.bindings_updated_signal.subscribe(self, self._redraw)

    def on_resize(self, event: events.Resize) -> None:
        """Break the rows anew."""
        self._redraw(self.screen)

    def _redraw(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen and self.content_size.width:
            self.update(Content("\n").join(_in_rows(self._keys(), self.content_size.width)))

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


def _key(shown: str, does: str, key: str, enabled: bool) -> Content:
    if not enabled:
        return Content.assemble((f"{shown} {does}", "$text-disabled"))
    drawn = Content.assemble((shown, "bold $footer-key-foreground"), f" {does}")
    return drawn.stylize(Style.from_meta({"@click": f"app.simulate_key({key!r})"}))
