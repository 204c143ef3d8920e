"""Checkpoints of the embedded engine: what was written ahead comes into the database beside the writer.

The writer begins its log anew when all of it is there. Were the writer to copy it all itself, a large log would keep
every answer waiting for a tenth of a second.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

import apsw

CHECKPOINT_PART = 2_000  # pages of 4 KiB: after so many more they are copied beside the writer
# 64 MiB: then the writer does it; with a quarter, appends to 50,000 groups took a third longer.
CHECKPOINT_PAGES = 16_000


class Checkpoints:
    """A thread with a connection of its own, which copies pages of a watched connection's log."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._due = Event()
        self._ended = False
        self._part = 0
        self._thread: Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        connection = self._connect()
        self._thread = Thread(target=self._copy_when_due, args=(connection,), name="delivery-checkpoints", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Ends the thread and closes its connection."""
        self._ended = True
        self._due.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def watch(self, connection: apsw.Connection) -> None:
        """Looks at the connection's log after each of its commits, in place of SQLite's own checkpoints."""
        connection.set_wal_hook(self._committed)

    def _committed(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        part = pages // CHECKPOINT_PART
        if part != self._part:
            self._part = part
            self._due.set()
        if pages >= CHECKPOINT_PAGES:
            _copy(connection)
        return apsw.SQLITE_OK

    def _copy_when_due(self, connection: apsw.Connection) -> None:
        while not self._ended:
            self._due.wait()
            self._due.clear()
            if not self._ended:
                _copy(connection)
        connection.close()


def _copy(connection: apsw.Connection) -> None:
    # What fails or is busy stays in the log, which is as durable; it is tried again, and writes report a full disk.
    with suppress(apsw.Error):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
