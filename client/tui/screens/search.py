"""Search: in one chat or in all, while it is typed; the message found is where the conversation is opened."""

import re
from collections.abc import Iterator
from typing import ClassVar

from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from client.desk.views import MessageView
from client.tui.screens.phrases import minute
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted, shown_number

PAUSE = 0.02  # seconds without a key before it is looked for
FOUND_LIMIT = 100
BEFORE, AFTER = 30, 120  # characters shown around a hit
KEYS = "Enter goes to the one under the cursor."
BEGIN = "Type what you are looking for. Several words must all be in the message."


class SearchScreen(Sheet[MessageView | None]):
    """Search in a chat, or in all if `group` is None; it answers with the message that was chosen."""

    HEADING = "Find"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Next", show=False),
        Binding("up", "move(-1)", "Previous", show=False),
        Binding("tab", "app.focus_next", "List", show=False),
    ]
    DEFAULT_CSS = """
    SearchScreen Rows {
        height: 1fr;
        margin-top: 1;
    }
    """

    def __init__(self, group: str | None) -> None:
        super().__init__()
        self._group = group
        self._found: dict[str, MessageView] = {}
        self._typing: Timer | None = None
        self._looked_for: str | None = None  # the words whose answer is shown
        self._choosing = False  # Enter came before the answer

    def body(self) -> Iterator[Widget]:
        yield Input(placeholder="What to find")
        yield Static(Content(BEGIN), id="told", classes="quiet")
        yield Rows("found")

    def on_mount(self) -> None:
        """Begin in the field."""
        self.entitle("Find in all chats" if self._group is None else "Find in this chat")
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._choosing = False
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(PAUSE, self.look)

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Look for what is in the field; an answer to something typed before is never shown."""
        words = self.query_one(Input).value.strip()
        if not words:
            self._looked_for = ""
            self._show("", [])
            return
        with self.doing("Looking"):
            self._show(words, await self.api.messages.search(words, self._group, FOUND_LIMIT))
            self._looked_for = words
            if self._choosing:
                self._choose()

    def _show(self, words: str, found: list[MessageView]) -> None:
        self._found = {str(message.row): message for message in found}
        told = BEGIN if not words else f"{counted(len(found), 'message')} found. {KEYS if found else ''}"
        if len(found) == FOUND_LIMIT:
            told = f"The newest {FOUND_LIMIT} messages found; more words find fewer. {KEYS}"
        self.query_one("#told", Static).update(Content(told))
        rows = self.query_one(Rows)
        rows.show([(row, self._row(words, message)) for row, message in self._found.items()])

    def _row(self, words: str, message: MessageView) -> Content:
        who = message.name or (shown_number(message.sender) if message.sender else "you")
        who = "you" if message.kind == "sent" else who
        chat = "" if self._group is not None else f"{message.chat}  "
        return Content.assemble(
            (f"{chat}{who}  {minute(message.arrived)}", "$text-muted"), "\n  ", excerpt(words, message.text)
        )

    def action_move(self, step: int) -> None:
        """Move in the list while typing."""
        rows = self.query_one(Rows)
        if step > 0:
            rows.action_cursor_down()
        else:
            rows.action_cursor_up()

    def on_key(self, event: events.Key) -> None:
        """Choose by Enter here: a binding is the app's to run, which may have closed this sheet when it comes to it.

        A second Enter would then act on what lies behind.
        """
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._choosing = self._looked_for != self.query_one(Input).value.strip()
            if not self._choosing:
                self._choose()

    @on(OptionList.OptionSelected)
    def _choose(self) -> None:
        self._choosing = False
        message = self._found.get(self.query_one(Rows).chosen or "")
        if message is not None and self.is_current:
            self.dismiss(message)


def excerpt(words: str, text: str) -> Content:
    """The text around the first hit on one line, with every hit marked by brackets and by its style."""
    line = " ".join(text.split())
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words.split(), key=len, reverse=True)), re.I)
    first = pattern.search(line)
    start = 0 if first is None else max(0, first.start() - BEFORE)
    end = min(len(line), (first.end() if first else 0) + AFTER)
    cut = line[start:end]
    pieces: list[str | tuple[str, str]] = ["… " if start else ""]
    place = 0
    for hit in pattern.finditer(cut):
        pieces += [cut[place : hit.start()], (f"[{hit[0]}]", "bold $text-accent")]
        place = hit.end()
    return Content.assemble(*pieces, cut[place:], " …" if end < len(line) else "")
