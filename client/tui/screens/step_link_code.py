"""The new device's first step of being linked: the code of the other one, and where the two meet."""

import socket

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from client.credentials.link_code import LinkCode, parse_link_code
from client.errors import LinkError
from client.terminal.device_words import SHOW_CODE
from client.tui.screens.step import Step
from client.tui.screens.step_number import whole_address

SHORTEST = 18  # letters and digits of a code, before which nothing is said about it
FORGIVING = "Capitals, spaces and hyphens make no difference."
NAME_LENGTH = 40


class LinkCodeStep(Step):
    """Takes the code as it is typed, or the text of its QR code, which brings the address with it."""

    def __init__(self, authority: str) -> None:
        super().__init__(id="link-code-step")
        self._authority = authority
        self.code: LinkCode | None = None

    def compose(self) -> ComposeResult:
        """Where the code is to be found, three fields, and a button."""
        yield Static(SHOW_CODE, markup=False)
        yield Label("The code, or the text of its QR code", classes="gap", markup=False)
        yield Input(placeholder="0000-0000-0000-0000-00", id="link-code")
        yield Static(FORGIVING, id="code-read-as", classes="quiet", markup=False)
        yield Label("Where the two meet (authority), as the other one shows it", classes="gap", markup=False)
        yield Input(self._authority, id="meeting")
        yield Label("What this device is to be called there", markup=False)
        yield Input(socket.gethostname()[:NAME_LENGTH], id="device-name", max_length=NAME_LENGTH)
        yield Button("Meet the other device", id="go", variant="primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    @property
    def authority(self) -> str:
        """The address of the authority, with a scheme."""
        return whole_address(self.query_one("#meeting", Input).value)

    @property
    def called(self) -> str:
        """What this device is to be called."""
        return self.query_one("#device-name", Input).value.strip()

    def forget(self) -> None:
        """The code is of no use any more."""
        self.query_one("#link-code", Input).value = ""

    @on(Input.Changed, "#link-code")
    def read_code(self) -> None:
        """Show whether the code is whole; an address that comes with it is the one to meet at."""
        typed = self.query_one("#link-code", Input).value
        try:
            self.code = parse_link_code(typed)
        except LinkError as error:
            self.code = None
            whole = len(typed.strip()) >= SHORTEST
            self._read_as(f"? {str(error)[:1].upper()}{str(error)[1:]}." if whole else FORGIVING, "quiet")
            return
        if self.code.authority:
            self.query_one("#meeting", Input).value = self.code.authority
        self._read_as("✓ A whole code.", "")

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def go(self) -> None:
        """Go on with a whole code."""
        if self.busy:
            return
        field = self.query_one("#link-code", Input)
        try:
            self.code = parse_link_code(field.value)
        except LinkError as error:
            self._read_as(f"✗ {str(error)[:1].upper()}{str(error)[1:]}. {error.hint}", "bad")
            field.focus()
            return
        self.query_one("#meeting", Input).value = self.authority  # what is asked is what stands there
        self.say("")
        self.post_message(self.Done())

    def _read_as(self, words: str, style: str) -> None:
        shown = self.query_one("#code-read-as", Static)
        shown.update(Content(words))
        shown.set_classes(style)
