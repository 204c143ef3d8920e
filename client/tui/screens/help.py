"""Help: what every key does with this person's settings, and every command with its slash form."""

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.tui.commands import COMMANDS
from client.tui.keymap import ACTIONS, Where, keymap, shown_keys
from client.tui.screens.keys_test import KeysTestScreen
from client.tui.screens.reader import Fact, Reader, heading
from client.tui.screens.sheet import Sheet

PLACES: dict[Where, str] = {
    "anywhere": "Keys, everywhere (a letter only where no text is typed)",
    "composer": "Keys, while writing",
    "conversation": "Keys, in the list of chats and messages",
}
SIGNS = (
    ("✓", "the number's own certificate signed this message"),
    ("~", "a carrier vouches for the number, or the proof is old"),
    ("?", "nothing proves the number, or it cannot be checked now"),
    ("✗", "a check failed; the message is held back"),
)
MEANING = "A verified number proves control of a number. It does not prove who a person is or that they mean well."
HINTS = (
    "To select with the mouse as in other programs, hold Shift while dragging.",
    "In every sheet: arrows or j k g G move, Esc closes, and its own keys stand at its foot.",
)


class HelpScreen(Sheet[None]):
    """One page to scroll; K opens the test of this terminal's keys."""

    HEADING = "Help"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("K", "keys_test", "Test this terminal's keys")]
    DEFAULT_CSS = """
    HelpScreen Fact > .name {
        width: 26;
        color: $text-accent;
    }
    """

    def body(self) -> Iterator[Widget]:
        with Reader():
            yield heading("Signs beside a message")
            for sign, words in SIGNS:
                yield Fact(sign, words)
            yield Static(Content(MEANING))
            yield from self._keys()
            yield heading("Commands, typed in the composer or found with the palette")
            for command in COMMANDS:
                written = f"/{command.slash} {command.argument}".rstrip()
                yield Fact(written, f"{command.title}. {command.help}.")
            yield Fact("//", "At the beginning of a message: sends the text with one /.")
            for hint in HINTS:
                yield Static(Content(hint), classes="heading")

    def on_mount(self) -> None:
        """Let it be scrolled."""
        self.query_one(Reader).focus()

    def action_keys_test(self) -> None:
        """See what this terminal sends."""
        self.app.push_screen(KeysTestScreen())

    def _keys(self) -> Iterator[Widget]:
        chosen = keymap(self.account.config)
        for place, title in PLACES.items():
            yield heading(title)
            for action in ACTIONS:
                if action.where == place:
                    yield Fact(shown_keys(chosen[action.id]), action.words)
