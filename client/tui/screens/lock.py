"""The curtain: covers an open account until somebody shows that it is theirs. Names and counts stay behind it."""

from collections.abc import Awaitable, Callable

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from client.failures import EXPECTED
from client.tui.screens.phrases import trouble

Verify = Callable[[str], Awaitable[bool]]


class LockScreen(ModalScreen[None]):
    """Goes away only when `verify` accepts what was typed.

    With `asks` False a keyring holds the key: nothing is typed, and `verify` gets an empty text.
    """

    DEFAULT_CSS = """
    LockScreen {
        align: center middle;
        background: $background;
    }
    LockScreen .frame {
        width: 100%;
        max-width: 64;
        height: auto;
        border: round $primary;
        border-title-style: bold;
        padding: 1 2;
    }
    LockScreen .going-on {
        height: auto;
    }
    LockScreen .-trouble {
        color: $text-error;
    }
    """

    def __init__(self, verify: Verify, *, asks: bool = True) -> None:
        super().__init__()
        self._verify = verify
        self._asks = asks
        self._trying = False

    def compose(self) -> ComposeResult:
        """One field or one button."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content("Ringtrue is locked")
            if self._asks:
                yield Label("The passphrase of this account", markup=False)
                yield Input(password=True)
            else:
                yield Label("This system's keyring opens it.", markup=False)
                yield Button("Unlock", variant="primary")
            yield Static("", classes="going-on", markup=False)

    def on_mount(self) -> None:
        """Begin where something can be typed or pressed."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.query("Input, Button").first().focus()

    @on(Input.Submitted)
    def typed(self, event: Input.Submitted) -> None:
        """Try what was typed."""
        self.attempt(event.value)
        event.input.clear()

    @on(Button.Pressed)
    def pressed(self) -> None:
        """Let the keyring decide."""
        self.attempt("")

    @work
    async def attempt(self, passphrase: str) -> None:
        """Go away if it is accepted, once at a time."""
        if self._trying:
            return
        self._trying = True
        self._say("- Trying it …")
        try:
            if await self._verify(passphrase):
                self.dismiss()
            else:
                self._say("✗ That is not the passphrase. Try again.", failed=True)
        except EXPECTED as error:
            self._say(f"✗ {trouble(error)}", failed=True)
        finally:
            self._trying = False

    def _say(self, words: str, *, failed: bool = False) -> None:
        line = self.query_one(".going-on", Static)
        line.update(Content(words))
        line.set_class(failed, "-trouble")
