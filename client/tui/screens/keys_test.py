"""Which keys this terminal sends: press them, and see what arrives and what it does."""

from collections.abc import Iterator

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import RichLog, Static

from client.tui.keymap import ACTIONS, is_sent_by_all, keymap, shown_keys
from client.tui.screens.sheet import Sheet

WELL_KNOWN = (
    *(f"f{number}" for number in range(1, 13)),
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete"),
    *("enter", "tab", "shift+tab", "backspace", "space"),
    *("ctrl+f", "ctrl+g", "ctrl+j", "ctrl+l", "ctrl+n", "ctrl+o", "ctrl+r", "ctrl+t"),
    *("shift+enter", "ctrl+home", "ctrl+end", "shift+pageup", "shift+pagedown"),
)
INVITED = (
    "Press any key; it does nothing else here. Esc twice closes, Ctrl+P and Ctrl+Q work as always. A key that is not "
    "shown does not reach programs in this terminal."
)
KEPT = 200  # presses


class KeysTestScreen(Sheet[None]):
    """Every key but Esc pressed twice is shown and does nothing else; what has not come yet stands below."""

    HEADING = "Keys of this terminal"
    DEFAULT_CSS = """
    KeysTestScreen RichLog {
        height: 1fr;
        background: $surface;
        margin: 1 0;
    }
    KeysTestScreen #missing {
        height: auto;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._came: set[str] = set()
        self._last = ""

    def body(self) -> Iterator[Widget]:
        yield Static(Content(INVITED))
        yield RichLog(max_lines=KEPT, markup=False, highlight=False, wrap=True)
        yield Static("", id="missing", markup=False)

    def on_mount(self) -> None:
        """Nothing has come yet."""
        self.query_one(RichLog).can_focus = False
        self.set_focus(None)
        self._meanings = _meanings(keymap(self.account.config))
        self._say_what_is_missing()

    def on_key(self, event: events.Key) -> None:
        """Show a key instead of doing what it would do."""
        event.stop()
        event.prevent_default()
        means = ", ".join(self._meanings.get(event.key, ["not bound"]))
        everywhere = "" if is_sent_by_all(event.key) or event.key == "escape" else "; not every terminal sends it"
        self.query_one(RichLog).write(f"{event.key:<16} {shown_keys(event.key)}: {means}{everywhere}")
        self._came.add(event.key)
        self._say_what_is_missing()
        if event.key == self._last == "escape":
            self.action_leave()
        self._last = event.key

    def _say_what_is_missing(self) -> None:
        missing = [shown_keys(key) for key in WELL_KNOWN if key not in self._came]
        words = f"Not seen yet: {', '.join(missing)}" if missing else "✓ This terminal sends every well-known key."
        self.query_one("#missing", Static).update(Content(words))


def _meanings(chosen: dict[str, str]) -> dict[str, list[str]]:
    """What each bound key does."""
    meanings: dict[str, list[str]] = {}
    for action in ACTIONS:
        for key in chosen[action.id].split(","):
            meanings.setdefault(key, []).append(action.words)
    return meanings
