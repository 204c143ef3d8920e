"""One step of the first run: words, fields, a line for what is going on, and a button that goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Static

from client.failures import EXPECTED, Expected
from client.tui.screens.phrases import trouble

PATIENCE = 3  # seconds after which the time that something takes is shown


class Step(VerticalScroll, can_focus=False):
    """A step keeps what was typed while other steps are shown. What fails is said here, with what to do about it."""

    DEFAULT_CSS = """
    Step {
        height: 1fr;
        padding: 0 2;
    }
    Step Static, Step Label {
        height: auto;
        width: 100%;
    }
    Step .gap {
        margin-top: 1;
    }
    Step .quiet {
        color: $text-muted;
    }
    Step .good {
        color: $text-success;
    }
    Step .bad {
        color: $text-error;
    }
    Step .going-on {
        dock: bottom;
    }
    Step Horizontal {
        height: auto;
    }
    Step Button {
        margin: 1 2 0 0;
        padding: 0 1;
    }
    Step Input {
        border: none;
        border-left: thick $panel;
        height: 1;
        padding: 0 1;
        background: $panel;
    }
    Step Input:focus {
        border: none;
        border-left: thick $accent;
        background-tint: $foreground 8%;
    }
    """

    class Done(Message):
        """This step is over."""

    def on_mount(self) -> None:
        """No cursor blinks, and a wait shows how long it has been going on."""
        for field in self.query(Input):
            field.cursor_blink = False
        self._since = 0.0
        self._doing = ""
        self.set_interval(1, self._tick)

    @property
    def busy(self) -> bool:
        """Whether something is in flight here."""
        return bool(self._doing)

    def enter(self) -> None:
        """Get ready to be shown: the first field, or else the button, has the focus."""
        fields = [field for field in self.query(Input) if not field.value] or list(self.query(Input))
        first = fields[0] if fields else self.query(Button).first()
        first.focus()
        self.call_after_refresh(first.scroll_visible, animate=False)  # it has no place before it was laid out

    def say(self, words: str, style: str = "") -> None:
        """Write the line for what is going on; `style` is good, bad or nothing."""
        line = self.query_one(".going-on", Static)
        line.update(Content(words))
        line.set_class(style == "good", "good")
        line.set_class(style == "bad", "bad")

    def refuse(self, words: str) -> None:
        """Say why it does not go on, and what to do."""
        self.say(f"✗ {words}", "bad")

    def failed(self, error: Expected) -> None:
        """Say what went wrong, and what to do."""
        self.refuse(trouble(error))

    @contextmanager
    def doing(self, words: str) -> Iterator[None]:
        """Show what is in flight while it is, then nothing, or what went wrong."""
        self.begin_doing(words)
        try:
            yield
        except EXPECTED as error:
            self.failed(error)
        else:
            self.say("")
        finally:
            self._doing = ""

    def begin_doing(self, words: str) -> None:
        """Show what is in flight from now on, until `rest`."""
        self._since, self._doing = time.monotonic(), words
        self.say(f"- {words} …")

    def rest(self) -> None:
        """Nothing is in flight any more."""
        self._doing = ""
        self.say("")

    def _tick(self) -> None:
        waited = int(time.monotonic() - self._since)
        if self._doing and waited >= PATIENCE:
            self.say(f"- {self._doing} … {waited} s")
