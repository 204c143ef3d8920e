"""The new device's last step of being linked: it gets its certificate, and comes into the chats."""

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Static

from client.credentials.link_here import Linked
from client.terminal.device_words import linked_words
from client.tui.screens.phrases import trouble
from client.tui.screens.step import Step

BY_ITSELF = "Your account is stored. You need not wait: what is left to do is done by itself."


class ChatsStep(Step):
    """Tells what is being done; once the account is stored the person may go on without waiting for the rest."""

    def __init__(self) -> None:
        super().__init__(id="chats-step")
        self._heard: list[str] = []

    def compose(self) -> ComposeResult:
        """What was done, what is being done, and the way on."""
        yield Static("", id="heard", markup=False)
        yield Static("", id="outcome", classes="gap", markup=False)
        yield Button("Go on to the chats", id="go", variant="primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    def begin(self) -> None:
        """Nothing has happened yet."""
        self._heard = []
        self.query_one("#heard", Static).update("")
        self.query_one("#outcome", Static).update("")
        self.query_one(Button).display = False

    def hear(self, words: str, *, stored: bool) -> None:
        """What was heard before is done, and this is being done."""
        self._heard.append(words)
        self._show_heard(len(self._heard) - 1)
        self.begin_doing(words)
        if stored:
            self._lead_on(BY_ITSELF)

    def finish(self, linked: Linked) -> None:
        """Tell what came of it."""
        self.rest()
        self._show_heard(len(self._heard) - (linked.trouble is not None))
        if linked.trouble is not None:
            self.refuse(trouble(linked.trouble))
        self._lead_on(f"✓ {linked_words(linked)}")

    def _show_heard(self, done: int) -> None:
        lines = [f"{'✓' if at < done else '▸'} {words}" for at, words in enumerate(self._heard)]
        self.query_one("#heard", Static).update(Content("\n".join(lines)))

    def _lead_on(self, words: str) -> None:
        self.query_one("#outcome", Static).update(Content(words))
        button = self.query_one(Button)
        if not button.display:
            button.display = True
            self.call_after_refresh(button.focus)

    @on(Button.Pressed)
    def go(self) -> None:
        """Go on."""
        self.post_message(self.Done())
