"""One held-back message with its words, because a person asked to see it; nothing here answers it."""

from collections.abc import Iterator

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.defence.rule_words import hidden_by
from client.desk.views import MessageView
from client.tui.screens.phrases import person
from client.tui.screens.reader import Reader
from client.tui.screens.request_cards import claim, label_style
from client.tui.screens.sheet import Sheet


class RevealedScreen(Sheet[None]):
    """The words between two lines of this program's own; `message` comes from `api.messages.reveal`."""

    HEADING = "A message that was held back"
    DEFAULT_CSS = """
    RevealedScreen Reader {
        border: round $warning;
        padding: 0 1;
    }
    """

    def __init__(self, message: MessageView) -> None:
        super().__init__()
        self._message = message

    def body(self) -> Iterator[Widget]:
        message = self._message
        label = message.proof.label if message.proof else "? NO PROOF"
        who = person(message.sender, message.name) if message.sender else "nobody"
        reason = hidden_by((message.proof.reason if message.proof else "") or message.why, message.rule)
        yield Static(
            Content.assemble((label, f"bold {label_style(label)}"), f"  {claim(message)} {who}\n{reason}"),
            classes="lead",
        )
        with Reader() as reader:
            reader.border_title = "What it says"
            yield Static(Content(message.text or "(nothing)"))
        yield Static(Content("It stays in quarantine. It cannot be answered, and links in it lead nowhere here."))

    def on_mount(self) -> None:
        """Let it be scrolled."""
        self.query_one(Reader).focus()
