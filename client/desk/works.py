"""What the parts of a desk share: the session, its steps, what is in flight, and what has changed since it was told."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from client.desk.connection import Connection
from client.desk.showing import Showing
from client.desk.views import MessageView
from client.errors import ChatError, ClientError
from client.events import Event, Trouble
from client.session import Session

P = ParamSpec("P")
R = TypeVar("R")


class Changes:
    """What is to be told: events, and the chats and rows that look different; `wake` is set when there is something."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.groups: set[bytes] = set()
        self.rows: set[int] = set()
        self.gone: list[MessageView] = []
        self.wake = asyncio.Event()

    def take(self) -> "Changes":
        """All of it, leaving nothing."""
        taken = Changes()
        taken.events, self.events = self.events, []
        taken.groups, self.groups = self.groups, set()
        taken.rows, self.rows = self.rows, set()
        taken.gone, self.gone = self.gone, []
        self.wake.clear()
        return taken


class Works:
    """One open session at work."""

    def __init__(self, session: Session, clock: Callable[[], float]) -> None:
        self.connection = Connection()
        self.session = session
        self.steps = session.steps
        self.showing = Showing(session.steps, self.now)
        self.changes = Changes()
        self.doing: dict[int, str] = {}
        self._clock = clock
        self._driving: set[asyncio.Task[None]] = set()

    def now(self) -> int:
        """The present second."""
        return int(self._clock())

    async def run(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a step on the worker thread."""
        return await self.session.worker.run(step, *args, **kwargs)

    def tell(self, group_id: bytes | None = None, row: int | None = None) -> None:
        """Have new rows told, and a chat or a row that looks different."""
        if group_id is not None:
            self.changes.groups.add(group_id)
        if row is not None:
            self.changes.rows.add(row)
        self.changes.wake.set()

    def tell_event(self, event: Event) -> None:
        """Have an event told."""
        self.changes.events.append(event)
        self.changes.wake.set()

    @contextmanager
    def in_flight(self, words: str) -> Iterator[Callable[[int, int], None]]:
        """Say what is being done, for as long as it takes; what is yielded takes how much of how much is done."""
        key = max(self.doing, default=0) + 1
        self.doing[key] = words
        self.tell()

        def done(part: int, whole: int) -> None:
            said = f"{words}, {100 * part // max(whole, 1)} %"
            if self.doing[key] != said:
                self.doing[key] = said
                self.tell()

        try:
            yield done
        finally:
            del self.doing[key]
            self.tell()

    def drive_soon(self, group_id: bytes) -> None:
        """Post what waits in a chat, without anybody waiting for it."""
        self.tell(group_id)
        task = asyncio.create_task(self._drive(group_id))
        self._driving.add(task)
        task.add_done_callback(self._driving.discard)

    async def settle_contacts(self) -> None:
        """Tell the service which contacts it is to let through, if it is to know; without network, later."""
        try:
            await self.session.reaching.settle()
        except ClientError as error:
            self.connection.failed(error, self.now())
            self.tell_event(Trouble(None, error, error.code, str(error)))
        self.tell()

    async def settle(self) -> None:
        """Wait for what is being posted."""
        await asyncio.gather(*self._driving, return_exceptions=True)

    async def close(self) -> None:
        """End what is driven; it goes on with the next session."""
        for task in self._driving:
            task.cancel()
        await asyncio.gather(*self._driving, return_exceptions=True)

    async def _drive(self, group_id: bytes) -> None:
        try:
            with self.in_flight("sending"):
                await self.session.drive(group_id)
        except ClientError as error:
            self.connection.failed(error, self.now())
            self.tell_event(Trouble(group_id, error, error.code, str(error)))
        finally:
            self.tell(group_id)


def group_of(group: str) -> bytes:
    """A group id from a view. Raises ChatError."""
    try:
        return bytes.fromhex(group)
    except ValueError as error:
        raise ChatError("a group is named by its id in hexadecimal", code="unknown-chat") from error
