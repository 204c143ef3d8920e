"""The list of chats: two rows for each, drawn line by line, so that a thousand cost no more than what is visible.

Row one: where the cursor is, the sign of the last message's verdict, the name, marks, how much is unread.
Row two: a draft, what could not be sent, or who said what last; at the right "muted".
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from client.desk.views import ChatView
from client.tui.chat_lines import CELLS_AT_LEAST, Piece, first_row, second_row

ROWS = 2  # of the terminal, for one chat


class ChatList(ScrollView, can_focus=True):
    """The chats of the inbox, or the archived ones; `cursor`: the group that keys act on, `opened`: the one in view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Open"),
        Binding("up,k", "up", "Up", show=False, id="up"),
        Binding("down,j", "down", "Down", show=False, id="down"),
        Binding("home,g", "first", "First", show=False, id="first"),
        Binding("end,G", "last", "Last", show=False, id="last"),
        Binding("pageup", "page_up", "Page up", show=False, id="page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="page_down"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chat-list--name",
        "chat-list--unread",
        "chat-list--dim",
        "chat-list--good",
        "chat-list--doubt",
        "chat-list--bad",
        "chat-list--cursor",
    }
    DEFAULT_CSS = """
    ChatList {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $surface;
        & .chat-list--name { color: $foreground; }
        & .chat-list--unread { color: $foreground; text-style: bold; }
        & .chat-list--dim { color: $text-muted; }
        & .chat-list--good { color: $text-success; text-style: bold; }
        & .chat-list--doubt { color: $text-warning; text-style: bold; }
        & .chat-list--bad { color: $text-error; text-style: bold; }
        & .chat-list--cursor { background: $primary 12%; }
        &:focus .chat-list--cursor { background: $primary 25%; }
        &:ansi .chat-list--cursor { background: ansi_default; text-style: reverse; }
    }
    """

    cursor: reactive[str | None] = reactive(None)
    opened: reactive[str | None] = reactive(None)
    discreet: reactive[bool] = reactive(False)
    own = var("")
    now: reactive[datetime] = reactive(datetime.fromtimestamp(0, UTC))

    class Chosen(Message):
        """A person wants to see this chat."""

        def __init__(self, chat: ChatView) -> None:
            super().__init__()
            self.chat = chat

    class Moved(Message):
        """The cursor is on another chat."""

        def __init__(self, chat: ChatView | None) -> None:
            super().__init__()
            self.chat = chat

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chats: dict[str, ChatView] = {}
        self._order: list[ChatView] = []

    @property
    def chats(self) -> list[ChatView]:
        """The chats in the order of the list."""
        return list(self._order)

    def show(self, chats: Iterable[ChatView]) -> None:
        """Show these chats and no others."""
        self._chats = {chat.group: chat for chat in chats}
        self._order = sorted(self._chats.values(), key=_rank)
        self._settle()

    def update_chat(self, chat: ChatView) -> None:
        """Show a chat as it is now; nothing but its place in the order is computed anew."""
        self.drop_chat(chat.group, settle=False)
        self._chats[chat.group] = chat
        self._order.insert(bisect_left(self._order, _rank(chat), key=_rank), chat)
        self._settle()

    def drop_chat(self, group: str, *, settle: bool = True) -> None:
        """Show a chat no longer."""
        former = self._chats.pop(group, None)
        if former is not None:
            del self._order[bisect_left(self._order, _rank(former), key=_rank)]
            if settle:
                self._settle()

    def chat(self, group: str | None) -> ChatView | None:
        """A chat of this list."""
        return None if group is None else self._chats.get(group)

    def next_unread(self) -> ChatView | None:
        """The first chat after the opened one in which something is unread."""
        start = self._place(self.opened) + 1
        return next((chat for chat in self._order[start:] + self._order[:start] if chat.unread), None)

    def render_line(self, y: int) -> Strip:
        """One row of one chat."""
        index, row = divmod(y + self.scroll_offset.y, ROWS)
        width = self.scrollable_content_region.width
        if index >= len(self._order):
            return Strip.blank(width, self.rich_style)
        chat = self._order[index]
        shown = self._pieces(chat, index, row, max(width - 1, CELLS_AT_LEAST))  # a cell free at the right
        under = self.rich_style
        if chat.group == self.cursor:
            under += self.get_component_rich_style("chat-list--cursor")
        segments = [Segment(text, under + self._style(name)) for text, name in shown]
        return Strip(segments).adjust_cell_length(width, under)

    def watch_cursor(self, before: str | None, now: str | None) -> None:
        """Bring the chat under the cursor into view."""
        if now in self._chats:
            top = self._place(now) * ROWS
            self.scroll_to_region(Region(0, top, 1, ROWS), animate=False, force=True)
        if before != now:
            self.post_message(self.Moved(self.chat(now)))

    def on_resize(self) -> None:
        """Fit the rows to the new width."""
        self._settle()

    def on_click(self, event: events.Click) -> None:
        """Open the chat that was clicked."""
        index = (event.y + self.scroll_offset.y) // ROWS
        if index < len(self._order):
            self.cursor = self._order[index].group
            self.action_choose()

    def action_choose(self) -> None:
        """Open the chat under the cursor."""
        chat = self.chat(self.cursor)
        if chat is not None:
            self.post_message(self.Chosen(chat))

    def action_up(self) -> None:
        """Move to the chat before."""
        self._move(-1)

    def action_down(self) -> None:
        """Move to the chat after."""
        self._move(1)

    def action_first(self) -> None:
        """Move to the first chat."""
        self._move(-len(self._order))

    def action_last(self) -> None:
        """Move to the last chat."""
        self._move(len(self._order))

    def action_page_up(self) -> None:
        """Move up by what is visible."""
        self._move(-max(1, self.size.height // ROWS - 1))

    def action_page_down(self) -> None:
        """Move down by what is visible."""
        self._move(max(1, self.size.height // ROWS - 1))

    def _move(self, by: int) -> None:
        if self._order:
            target = min(max(self._place(self.cursor) + by, 0), len(self._order) - 1)
            self.cursor = self._order[target].group

    def _place(self, group: str | None) -> int:
        chat = self.chat(group)
        return -1 if chat is None else bisect_left(self._order, _rank(chat), key=_rank)

    def _settle(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._order) * ROWS)
        if self.cursor not in self._chats:
            self.cursor = self._order[0].group if self._order else None
        self.refresh()

    def _pieces(self, chat: ChatView, index: int, row: int, width: int) -> list[Piece]:
        name = f"Chat {index + 1}" if self.discreet else None
        if row:
            return second_row(chat, self.own, width, self.now, discreet=self.discreet)
        return first_row(chat, width, under_cursor=chat.group == self.cursor, instead=name)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"chat-list--{name}", partial=True)


def _rank(chat: ChatView) -> tuple[bool, float, str]:
    """Pinned ones first, then by last message; the group id makes the order total."""
    return not chat.pinned, -chat.last_at.timestamp() if chat.last_at else 0.0, chat.group
