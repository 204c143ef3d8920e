"""One message on the screen: one widget, whatever it shows."""

from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widget import Widget

from client.desk.views import MessageView
from client.tui.message_body import Looker
from client.tui.message_view import draw, tone

WIDTH_BEFORE_LAYOUT = 80


class MessageRow(Widget):
    """Shows a MessageView; `line_above` is the day or the word "new" in the line above it, or nothing."""

    ALLOW_MAXIMIZE = False
    DEFAULT_CSS: ClassVar[str] = """
    MessageRow {
        height: auto;
        margin-bottom: 1;
        border-left: outer $foreground 40%;
        &.-proven { border-left: outer $primary; }
        &.-doubtful { border-left: outer $text-warning; }
        &.-failed { border-left: outer $text-error; }
        &.-own { border-left: outer $accent; }
        &.-quiet { border-left: blank; }
        &.-line-above {
            border-top: solid $foreground 40%;
            border-title-align: center;
            border-title-color: $text-muted;
        }
        &.-new {
            border-top: solid $text-accent;
            border-title-color: $text-accent;
            border-title-style: bold;
        }
        &.-selected { background: $boost; }
    }
    """

    virtual_size = Reactive(Size(0, 0), repaint=False)  # a row never scrolls: its new height lays nothing out again

    class Picked(Message):
        """The row was clicked, `twice` in a row."""

        def __init__(self, row: "MessageRow", twice: bool) -> None:
            super().__init__()
            self.row = row
            self.twice = twice

    def __init__(self, message: MessageView, looker: Looker) -> None:
        super().__init__(markup=False)
        self.message = message
        self._looker = looker
        self._whole = False
        self._selected = False
        self._line_above = ""
        self._tone = tone(message)
        self._drawn: tuple[int, Content] | None = None
        self.add_class(f"-{self._tone}")

    def show(self, message: MessageView, looker: Looker) -> None:
        """Show another message, or another state of the same one."""
        if message.row != self.message.row:
            self._whole = False
        self.message, self._looker = message, looker
        self._redraw()

    def select(self, selected: bool) -> None:
        """Mark the row as the one that keys act on."""
        if selected != self._selected:
            self._selected = selected
            self.set_class(selected, "-selected")
            self._drawn = None
            self.refresh()

    def unfold(self) -> None:
        """Show the whole of a long text, or only its beginning again."""
        self._whole = not self._whole
        self._redraw()

    def put_line_above(self, day: str, new: bool) -> None:
        """Draw a line above the message with the day, the word "new" or both in it; no line if there is neither."""
        words = "   ".join(filter(None, (day, "new" if new else "")))
        if words == self._line_above:
            return
        self._line_above = words
        self.border_title = Content(f"{words} ") if words else None
        self.set_class(bool(words), "-line-above")
        self.set_class(new, "-new")

    def render(self) -> Content:
        """The message, drawn for the present width."""
        return self._content(self.content_size.width or WIDTH_BEFORE_LAYOUT)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """How many rows it takes in this width."""
        return self._content(width).plain.count("\n") + 1

    def _content(self, width: int) -> Content:
        if self._drawn is None or self._drawn[0] != width:
            words = draw(self.message, self._looker, width, whole=self._whole, selected=self._selected)
            self._drawn = width, words
        return self._drawn[1]

    def _redraw(self) -> None:
        self._drawn = None
        if (now := tone(self.message)) != self._tone:
            self.remove_class(f"-{self._tone}").add_class(f"-{now}")
            self._tone = now
        self.refresh(layout=True)

    def on_click(self, event: events.Click) -> None:
        """Select the row; a second click inspects."""
        self.post_message(self.Picked(self, twice=event.chain == 2))
