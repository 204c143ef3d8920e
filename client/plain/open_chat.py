"""One open chat: which of its rows were read out, under which numbers, and where reading goes on."""

from collections.abc import Iterator, Sequence

from client.desk.api import Api
from client.desk.told import MessageChanged
from client.desk.views import ChatView, MessageView
from client.errors import ClientError
from client.plain import phrases
from client.plain.paper import Paper

ROWS = 15  # read out at once
BEFORE = 3  # rows read out before the one that is gone to


class NotReadOutError(ClientError):
    """A number belongs to no message that was read out."""

    code = "no-such-message"
    hint = "Each message is read out with its number. Older ones: /older"
    exit_code = 5


class OpenChat:
    """Messages get numbers in the order in which they are read out; `view` is the chat as it was last seen."""

    def __init__(self, api: Api, paper: Paper, view: ChatView) -> None:
        self.view = view
        self._api = api
        self._paper = paper
        self._numbers: dict[int, int] = {}
        self._words: dict[int, str] = {}
        self._first, self._last, self._tail = 0, 0, 0
        self._trail: list[int] = []
        self._day = ""

    @property
    def group(self) -> str:
        """The chat's group id."""
        return self.view.group

    @property
    def last_number(self) -> int | None:
        """The number of the message that was read out last."""
        return self._numbers.get(self._last)

    def row(self, number: int) -> int:
        """The row that was read out under a number. Raises NotReadOutError."""
        for row, known in self._numbers.items():
            if known == number:
                return row
        raise NotReadOutError(f"no message was read out with the number {number}")

    async def begin(self, row: int | None = None) -> None:
        """Read out the chat around a row, else from the first unread one, else its end."""
        newest = await self._api.messages.page(self.group, limit=1)
        self._tail = newest[-1].row if newest else 0
        start = await self._api.messages.first_unread(self.group) if row is None else row
        if start is not None:
            await self._around(start)
        else:
            await self._read(await self._api.messages.page(self.group, limit=ROWS))

    async def older(self) -> None:
        """Read out the rows before the first one."""
        await self._read(await self._api.messages.page(self.group, self._first, ROWS), "There is nothing older.")

    async def newer(self) -> None:
        """Read out the rows after the last one."""
        await self._read(await self._api.messages.after(self.group, self._last, ROWS), "There is nothing newer.")

    async def unread(self) -> None:
        """Go to the first unread row."""
        row = await self._api.messages.first_unread(self.group)
        if row is None:
            self._paper.say("Nothing is unread here.")
        else:
            await self.jump(row)

    async def jump(self, row: int) -> None:
        """Go to a row; `back` leads here again."""
        self._trail.append(self._last)
        await self._around(row)

    async def back(self) -> None:
        """Go back to where the last jump began."""
        if self._trail:
            await self._around(self._trail.pop())
        else:
            self._paper.say("There was no jump to go back from.")

    async def arrived(self) -> None:
        """Read out what has come since, as far as it fits; the rest is for `newer`."""
        rows = await self._api.messages.after(self.group, self._tail, ROWS)
        if not rows:
            return
        at_end = self._last == self._tail
        self._tail = (await self._api.messages.page(self.group, limit=1))[-1].row
        if at_end:
            await self._read(rows)
        else:
            self._paper.say("There are new messages at the end: /unread")

    def has_read_out(self, row: int) -> bool:
        """Whether a row was read out."""
        return row in self._numbers

    def put_out(self, view: MessageView) -> None:
        """Read out one row."""
        if (day := phrases.day(view.arrived)) != self._day:
            self._day = day
            self._paper.say(f"{day}.")
        number = self._numbers.setdefault(view.row, len(self._numbers) + 1)
        self._words[view.row] = _lasting(view)
        self._paper.say(f"{number}. {phrases.message(view, self._numbers)}")

    def change(self, changed: MessageChanged) -> None:
        """Read out a row again that was read out before and has changed by more than its way to the others."""
        view = changed.message
        if view.row not in self._numbers:
            return
        if changed.gone:
            self._paper.say(f"Message {self._numbers[view.row]} has disappeared.")
        elif self._words[view.row] != _lasting(view):
            self._paper.say("Changed:")
            self.put_out(view)

    async def _around(self, row: int) -> None:
        before = await self._api.messages.page(self.group, row, BEFORE)
        await self._read([*before, *await self._api.messages.after(self.group, row - 1, ROWS)])

    async def _read(self, rows: Sequence[MessageView], nothing: str = "Nothing was said here yet.") -> None:
        if not rows:
            self._paper.say(nothing)
            return
        for view in rows:
            self.put_out(view)
        self._first, self._last = rows[0].row, rows[-1].row
        self._tail = max(self._tail, self._last)
        await self._api.chats.read(self.group, self._last)
        for words in await self._beyond():
            self._paper.say(words)

    async def _beyond(self) -> list[str]:
        more = await self._api.messages.after(self.group, self._last, 1) if self._last < self._tail else []
        return ["There is more: /newer"] if more else []


def shown_with(rows: Sequence[MessageView]) -> Iterator[str]:
    """Rows of many chats, each with its chat and its date, to choose one."""
    for view in rows:
        yield f"in {phrases.quoted(view.chat)}, {phrases.day(view.arrived)} {phrases.message(view)}"


def _lasting(view: MessageView) -> str:
    """What is worth reading out again when it changes: not how far an own message has come, but that it failed."""
    return f"{view.state == 'failed'} {view.text} {view.withdrawn} {view.edited} {view.reactions}"
