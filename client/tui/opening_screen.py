"""What is seen until the account is open, and when it could not be opened."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from client.tui.screens.key_line import KeyLine


class OpeningScreen(Screen[None]):
    """Says what is being done; after a failure why, what to do, and that Enter tries again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "again", "Try again")]
    DEFAULT_CSS = """
    OpeningScreen {
        align: center middle;
        & #frame { width: 72; max-width: 100%; height: auto; padding: 1 2; border: round $primary; }
        & #words { height: auto; }
    }
    """

    class Again(Message):
        """A person wants it tried once more."""

    def __init__(self) -> None:
        super().__init__()
        self._failed = False

    def compose(self) -> ComposeResult:
        """One frame with the words."""
        with Vertical(id="frame") as frame:
            frame.border_title = "Ringtrue"
            yield Static("- Opening your account", id="words", markup=False)
        yield KeyLine()

    def say(self, words: str) -> None:
        """Tell what is being done."""
        self._show(Content(f"- {words}"), failed=False)

    def fail(self, words: str) -> None:
        """Tell why it could not be done, and what to do."""
        self._show(
            Content.assemble(("✗ ", "bold $text-error"), words, "\n\nEnter tries again, Ctrl+Q quits."), failed=True
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to repeat before it has failed."""
        return self._failed if action == "again" else True

    def action_again(self) -> None:
        """Try once more."""
        self.post_message(self.Again())

    def _show(self, words: Content, *, failed: bool) -> None:
        self._failed = failed
        self.query_one("#words", Static).update(words)
        self.refresh_bindings()
