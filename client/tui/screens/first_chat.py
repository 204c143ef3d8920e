"""The end of the first run, with the account open: somebody to write to."""

from collections.abc import Iterator

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from client.desk.told import RequestArrived
from client.desk.views import ChatView
from client.invite import parse_invite
from client.tui.heard import Heard
from client.tui.screens.invite import InviteScreen, asks
from client.tui.screens.sheet import Sheet

WORDS = (
    "Your number is ready. Write to somebody: type their number, or what their Ringtrue shows beside its QR code "
    "(an address that begins with ringtrue: or a short code). Or show them yours."
)


class FirstChatScreen(Sheet[ChatView | None]):
    """Its answer is the chat with that person, None if there is to be one later."""

    HEADING = "✓ Number  ✓ Code  ✓ Certificate  ✓ Keep  ▸ First chat"
    DEFAULT_CSS = """
    FirstChatScreen .frame {
        max-width: 76;
        height: auto;
        padding: 1 2;
    }
    FirstChatScreen Horizontal {
        height: auto;
        margin-top: 1;
    }
    FirstChatScreen Button {
        margin-right: 2;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._asking = False

    def body(self) -> Iterator[Widget]:
        """One field and three ways on."""
        yield Static(Content(WORDS), classes="lead")
        yield Label("Number, address or short code", markup=False)
        yield Input(placeholder="+1 202-555-0102", max_length=100)
        with Horizontal():
            yield Button("Start the chat", id="go", variant="primary")
            yield Button("Show my own code", id="own")
            yield Button("Later", id="later")

    def on_mount(self) -> None:
        """Begin in the field."""
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    def on_heard(self, heard: Heard) -> None:
        """Say that somebody was quicker."""
        if isinstance(heard.told, RequestArrived):
            self.say(asks(heard.told))

    @on(Button.Pressed, "#own")
    def show_own(self) -> None:
        """Show what others need; they may write first."""
        self.app.push_screen(InviteScreen())

    @on(Button.Pressed, "#later")
    def later(self) -> None:
        """Go on without a chat."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    @work
    async def start(self) -> None:
        """Begin the chat with whoever was named."""
        if self._asking:
            return
        self._asking = True
        try:
            with self.doing("Looking for this person's devices"):
                number = parse_invite(self.query_one(Input).value)
                self.dismiss(await self.api.chats.direct(number.e164))
        finally:
            self._asking = False
