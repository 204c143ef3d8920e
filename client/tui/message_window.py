"""A window of at most 60 mounted rows onto a history of any length.

It moves by pages as the view comes near its edges. Whatever is added or taken away, what a person looks at stays where
it is; only a view that is at the end follows what arrives.
"""

from asyncio import Lock
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import ClassVar

from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from client.desk.api import Messages
from client.desk.views import MessageView
from client.tui.message_body import Looker
from client.tui.message_row import MessageRow

WINDOW = 60  # mounted rows; each makes every arrival dearer
PAGE = 20  # rows that are read at an edge
FIRST_PAGE = 30  # rows of a chat that was just opened: any screen is full with them


class MessageWindow(VerticalScroll, can_focus=True):
    """The rows of one chat that are mounted. `newer`: how many arrived below the view."""

    DEFAULT_CSS: ClassVar[str] = """
    MessageWindow {
        layout: stream;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        border-left: blank;
        &:focus { border-left: outer $border; }
    }
    """

    class Looked(Message):
        """What is in view, what is selected or how much is below may be different now."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.looker = Looker(own="", now=datetime.now(UTC))
        self.newer = 0
        self.selected: int | None = None
        self.changing = Lock()  # held by whoever changes which rows are mounted
        self._messages: Messages | None = None
        self._group = ""
        self._unread: int | None = None
        self._begins = self._ends = True  # whether the window reaches the chat's first and last row
        self._paging = False

    @property
    def rows(self) -> list[MessageRow]:
        """The window's rows, oldest first."""
        return [child for child in self.children if isinstance(child, MessageRow)]

    @property
    def at_end(self) -> bool:
        """Whether the newest row is in view."""
        # An anchored window with few rows shows them at its foot: the position is negative then.
        return self._ends and (self.scroll_y >= self.max_scroll_y or self._all_fit)

    @property
    def _all_fit(self) -> bool:
        return self.virtual_size.height <= self.scrollable_content_region.height

    @property
    def selected_message(self) -> MessageView | None:
        """The message that keys act on."""
        row = self.row(self.selected)
        return None if row is None else row.message

    @property
    def last_seen(self) -> int | None:
        """The last row that is wholly or partly in view."""
        bottom = self.scroll_y + self.scrollable_content_region.height
        seen = [row for row in self.rows if row.virtual_region.y < bottom]
        return seen[-1].message.row if seen else None

    async def open(self, messages: Messages, group: str, looker: Looker, unread: int | None = None) -> None:
        """Show a chat at its oldest unread row, or at its end."""
        async with self.changing:
            self._messages, self._group, self._unread, self.looker = messages, group, unread, looker
            self.selected = None
            if unread is None:
                await self._load_end()
            else:
                await self._load_around(unread, select=False)

    async def jump(self, row: int) -> None:
        """Show one row wherever it is in the history, and select it."""
        async with self.changing:
            if (shown := self.row(row)) is None:
                await self._load_around(row, select=True)
            else:
                self.select(shown)

    async def end(self) -> None:
        """Show the newest rows."""
        async with self.changing:
            if self._ends:
                self.follow()
            else:
                await self._load_end()

    async def beginning(self) -> None:
        """Show the oldest rows, and select the first."""
        async with self.changing:
            if not self._begins:
                found = await self._port.after(self._group, 0, FIRST_PAGE)
                await self._replace(found, begins=True, ends=len(found) < FIRST_PAGE)
            if self.rows:
                self.select(self.rows[0])

    def look(self, looker: Looker) -> None:
        """Draw every row as somebody else, or later, sees it."""
        self.looker = looker
        for row in self.rows:
            row.show(row.message, looker)

    def mark(self, number: int | None) -> None:
        """Make one row, or none, the one that keys act on."""
        self.selected = number
        for row in self.rows:
            row.select(number is not None and row.message.row == number)
        self.refresh_bindings()  # the keys at the foot are those that this row allows
        self.post_message(self.Looked())

    def select(self, row: MessageRow) -> None:
        """Make a row the one that keys act on, and bring it into view."""
        self.mark(row.message.row)
        if not self._all_fit:
            self.scroll_to_widget(row, animate=False, immediate=True)

    def row(self, number: int | None) -> MessageRow | None:
        """The mounted row of this number."""
        return None if number is None else next((row for row in self.rows if row.message.row == number), None)

    @property
    def _port(self) -> Messages:
        assert self._messages is not None, "a chat is open"
        return self._messages

    async def _load_end(self) -> None:
        found = await self._port.page(self._group, None, FIRST_PAGE)
        with self.app.batch_update():
            await self._replace(found, begins=len(found) < FIRST_PAGE, ends=True)
            self.follow()
            self._lay_out()  # so that the first frame shows the end, and not the place where the former chat was

    async def _load_around(self, number: int, *, select: bool) -> None:
        before = await self._port.page(self._group, number, PAGE)
        after = await self._port.after(self._group, number - 1, FIRST_PAGE)
        await self._replace([*before, *after], begins=len(before) < PAGE, ends=len(after) < FIRST_PAGE)
        row = next((row for row in self.rows if row.message.row >= number), None)
        if row is None or (self._all_fit and self._ends):
            self.follow()
        else:
            self.scroll_to_widget(row, animate=False, top=True, immediate=True)
        if row is not None and select:
            self.mark(row.message.row)

    async def _replace(self, messages: Sequence[MessageView], *, begins: bool, ends: bool) -> None:
        """Show other rows; widgets that are there are used again, which costs a fraction of mounting new ones."""
        self.newer = 0
        self._begins, self._ends = begins, ends
        rows = self.rows
        with self.app.batch_update():
            self.anchor(False)
            for row, message in zip(rows, messages, strict=False):
                row.show(message, self.looker)
            if rows[len(messages) :]:
                await self.remove_children(rows[len(messages) :])
            if messages[len(rows) :]:
                await self.mount_all(self._made(messages[len(rows) :]))
            self.mark(None)
            self._draw_lines()
            self._lay_out()

    async def page(self, *, older: bool) -> None:
        """Read a page at one edge; at the other, as many rows are given up as there are too many."""
        async with self.changing:
            rows = self.rows
            if not rows or (self._begins if older else self._ends):
                return
            if older:
                found = await self._port.page(self._group, rows[0].message.row, PAGE)
                self._begins = len(found) < PAGE
            else:
                found = await self._port.after(self._group, rows[-1].message.row, PAGE)
                self._ends = len(found) < PAGE
            async with self.kept():
                if found:
                    await self.mount_all(self._made(found), before=0 if older else None)
                await self._prune(from_below=older)

    async def _prune(self, *, from_below: bool) -> None:
        rows = self.rows
        if len(rows) <= WINDOW:
            return
        if from_below:
            self._ends = False
            await self.remove_children(rows[WINDOW:])
        else:
            self._begins = False
            await self.remove_children(rows[:-WINDOW])

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Change the rows without moving what is in view; a view at the end stays at the end."""
        await self.stop_animation("scroll_y", complete=False)  # its goal is a place that is about to move
        following = self.at_end
        if not following:
            self.anchor(False)
        offsets = [(row, row.virtual_region.y - self.scroll_y) for row in self.rows if self._in_view(row)]
        with self.app.batch_update():
            yield
            self._draw_lines()
            self._lay_out()
            if following and self._ends:
                self.follow()
                return
            for row, offset in offsets:
                if row.is_attached:
                    self._stand_at(row.virtual_region.y - offset)
                    return

    def _in_view(self, row: MessageRow) -> bool:
        region, height = row.virtual_region, self.scrollable_content_region.height
        return region.bottom > self.scroll_y and region.y < self.scroll_y + height

    def _lay_out(self) -> None:
        # Where the rows are has to be known before the next frame. Private in Textual 8.2.8, which is pinned.
        self._clear_arrangement_cache()  # a row that is used again may be higher now, or lower
        self.screen._refresh_layout()

    def _stand_at(self, y: float) -> None:
        """Scroll to a row of the virtual screen in the coming frame, without a movement."""
        self.set_scroll(None, y)
        self.set_reactive(Widget.scroll_target_y, round(y))
        self.vertical_scrollbar.position = round(y)
        self.refresh(layout=True)

    def follow(self) -> None:
        """Go to the end, and stay there as rows are added."""
        self.newer = 0
        self.anchor()
        self.post_message(self.Looked())

    def _made(self, messages: Iterable[MessageView]) -> list[MessageRow]:
        return [MessageRow(message, self.looker) for message in messages]

    def _draw_lines(self) -> None:
        rows = self.rows
        if rows:
            rows[0].put_line_above(day_words(rows[0].message.arrived), rows[0].message.row == self._unread)
        for above, row in pairwise(rows):
            day = day_words(row.message.arrived)
            same = day == day_words(above.message.arrived)
            row.put_line_above("" if same else day, row.message.row == self._unread)

    async def append(self, arrived: list[MessageView]) -> None:
        """Add what is new if the window reaches the end; a reader further up finds it on the way down."""
        following = self.at_end
        rows = self.rows
        new = [message for message in arrived if not rows or message.row > rows[-1].message.row]
        if not following:
            self.newer += sum(1 for message in new if not message.own)
        if not self._ends or not new:
            return
        if not following and len(rows) + len(new) > WINDOW:
            self._ends = False
            return
        await self.mount_all(self._made(new[-WINDOW:]))
        await self._prune(from_below=False)

    # --- scrolling

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        # Private in Textual 8.2.8, which is pinned: an anchor holds the end by the height that the view had before.
        other_height = container_size.height != self.container_size.height
        following = self._messages is not None and other_height and self.at_end
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        if following and not self.at_end:
            self._stand_at(self.max_scroll_y)
        return changed

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Read on where the view comes near an edge of the window."""
        super().watch_scroll_y(old_value, new_value)
        if self._messages is None:
            return
        if self.at_end:
            self.newer = 0
            if not self.is_anchored:
                self.anchor()
        self.post_message(self.Looked())
        height = self.scrollable_content_region.height
        if new_value < old_value and new_value < height and not self._begins:
            self._read_on(older=True)
        elif new_value > old_value and self.max_scroll_y - new_value < height and not self._ends:
            self._read_on(older=False)

    def _read_on(self, *, older: bool) -> None:
        if not self._paging:
            self._paging = True
            self.run_worker(self._paged(older), group="paging")

    async def _paged(self, older: bool) -> None:
        try:
            await self.page(older=older)
        finally:
            self._paging = False


def day_words(moment: datetime) -> str:
    """A day in this computer's time zone: 12 November 2026."""
    local = moment.astimezone()
    return f"{local.day} {local:%B %Y}"
