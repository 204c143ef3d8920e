"""A conversation's messages: the window onto them, the keys that move in it, and what arrives, drawn together."""

from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message

from client.desk.api import Messages
from client.desk.views import MessageView
from client.tui.message_body import Looker
from client.tui.message_row import MessageRow
from client.tui.message_window import MessageWindow
from client.words.wording import PROVEN
from identity.reports.report import ITEMS_LIMIT

UPDATE_SECONDS = 0.05  # changes that come within this time are drawn together


class MessageLog(MessageWindow):
    """The messages of one chat, with one of them selected or none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("home,g", "first", "First", show=False, id="first"),
        Binding("end,G", "last", "Last", show=False, id="last"),
        Binding("pageup", "page_up", "Page up", show=False, id="page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="page_down"),
        Binding("space", "unfold", "Show all", show=False),
        Binding("enter", "picture", "Open the picture", show=False),
    ]

    class Opened(Message):
        """A row was double-clicked (`inspect`), or Enter was pressed on a picture."""

        def __init__(self, inspect: bool) -> None:
            super().__init__()
            self.inspect = inspect

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._arrived: dict[int, MessageView] = {}
        self._changed: dict[int, MessageView | None] = {}
        self._update_due = False

    async def open(self, messages: Messages, group: str, looker: Looker, unread: int | None = None) -> None:
        """Show a chat at its oldest unread row, or at its end."""
        self._arrived.clear()
        self._changed.clear()
        await super().open(messages, group, looker, unread)

    def arrived(self, message: MessageView) -> None:
        """Add a row that is new, soon."""
        if self.row(message.row) is not None:
            self._changed[message.row] = message
        else:
            self._arrived[message.row] = message
        self._update_soon()

    def changed(self, message: MessageView, gone: bool = False) -> None:
        """Draw a row anew or take it out, soon; rows outside the window are read when they come into it."""
        if message.row in self._arrived and not gone:
            self._arrived[message.row] = message
        else:
            self._arrived.pop(message.row, None)
            self._changed[message.row] = None if gone else message
        self._update_soon()

    def deselect(self) -> None:
        """Let no row be the one that keys act on."""
        self.mark(None)

    def select_last(self) -> None:
        """Select the newest row in the window."""
        if self.rows:
            self.select(self.rows[-1])

    @property
    def newest_message(self) -> MessageView | None:
        """The last message of the window that somebody wrote."""
        return next((row.message for row in reversed(self.rows) if row.message.kind in ("received", "sent")), None)

    def reportable(self, message: MessageView) -> list[int]:
        """This row and others around it that the same number has proved to be its own, as many as one report shows."""
        said = (row.message for row in self.rows if row.message.kind == "received")
        proven = [
            each.row
            for each in said
            if each.sender == message.sender and each.proof is not None and each.proof.verdict in PROVEN
        ]
        place = proven.index(message.row) if message.row in proven else 0
        first = max(0, place - ITEMS_LIMIT // 2)
        return proven[first : first + ITEMS_LIMIT]

    def has_disappearing(self) -> bool:
        """Whether a row says how long it will stay."""
        return any(row.message.expires is not None for row in self.rows)

    async def action_move(self, step: int) -> None:
        """Select the row above or below; at the window's edge, more of the history is read first."""
        if not self.rows:
            return
        at = self._place()
        if at is None:
            self.select_last()
            return
        if not 0 <= at + step < len(self.rows):
            await self.page(older=step < 0)
            at = self._place() or 0
        self.select(self.rows[min(max(at + step, 0), len(self.rows) - 1)])

    async def action_first(self) -> None:
        """Go to the chat's first row."""
        await self.beginning()

    async def action_last(self) -> None:
        """Go to the chat's last row."""
        await self.end()
        if self.rows:
            self.mark(self.rows[-1].message.row)

    def action_page_up(self) -> None:
        """Go up by a screen, at once."""
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """Go down by a screen, at once."""
        self.scroll_page_down(animate=False)

    def action_unfold(self) -> None:
        """Show the whole of the selected message, or its beginning."""
        if (row := self.row(self.selected)) is not None:
            row.unfold()

    def action_picture(self) -> None:
        """Open the selected picture; on anything else the key means what it means everywhere."""
        message = self.selected_message
        if message is None or message.attachment is None or not message.attachment.is_image:
            raise SkipAction
        self.post_message(self.Opened(inspect=False))

    @on(MessageRow.Picked)
    def _picked(self, event: MessageRow.Picked) -> None:
        self.focus()
        self.mark(event.row.message.row)
        if event.twice:
            self.post_message(self.Opened(inspect=True))

    def _place(self) -> int | None:
        return next((place for place, row in enumerate(self.rows) if row.message.row == self.selected), None)

    def _update_soon(self) -> None:
        if not self._update_due:
            self._update_due = True
            self.set_timer(UPDATE_SECONDS, self._update)

    async def _update(self) -> None:
        self._update_due = False
        async with self.changing:
            arrived = [self._arrived[number] for number in sorted(self._arrived)]
            changed = dict(self._changed)
            self._arrived.clear()
            self._changed.clear()
            async with self.kept():
                await self._apply(changed)
                await self.append(arrived)
        self.post_message(self.Looked())

    async def _apply(self, changed: dict[int, MessageView | None]) -> None:
        for row in self.rows:
            if row.message.row not in changed:
                continue
            if (message := changed[row.message.row]) is None:
                await row.remove()
            else:
                row.show(message, self.looker)
