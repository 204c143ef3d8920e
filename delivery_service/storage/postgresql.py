"""The engine of many machines: PostgreSQL through psycopg, every answer after a commit that its standbys confirmed."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from delivery_service.errors import StartError
from delivery_service.storage import groups
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Listener, Load, Standing
from delivery_service.storage.lane import Lane, Session
from delivery_service.storage.postgresql_append import AppendSession
from delivery_service.storage.postgresql_link import Link
from delivery_service.storage.postgresql_works import READING, WRITING, GroupSession, WorkSession, within
from delivery_service.storage.servers import Servers
from delivery_service.storage.values import Change, NewEntry, Notified
from delivery_service.storage.watch import Watch
from delivery_service.wire import Appended

READING_LANES = 2
WRITING_LANES = 2
CHANGING_LANES = 2
APPENDING_LANES = 2  # while one waits for the disks, the other goes on
READ_BATCH = 4  # each read can be a batch of several MiB
WRITE_BATCH = 16  # the more works in a transaction, the more others it can collide with
CHANGE_BATCH = 8
APPEND_BATCH = 256

T = TypeVar("T")


class PostgresqlEngine:
    """The Engine of one replica of the service; any number of them work on one database.

    `folder`: where the replica remembers the newest history that it has met.
    """

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        self.servers = Servers(database, folder)
        self._watch = Watch(self.servers, one_copy=database.one_copy)
        self._readers = self._lanes(READING_LANES, partial(WorkSession, begin=READING), READ_BATCH)
        self._writers = self._lanes(WRITING_LANES, partial(WorkSession, begin=WRITING), WRITE_BATCH)
        self._changers = self._lanes(CHANGING_LANES, GroupSession, CHANGE_BATCH)
        self._appenders = self._lanes(APPENDING_LANES, AppendSession, APPEND_BATCH)

    def start(self, listener: Listener) -> None:
        """See Engine; starts the threads."""
        self._watch.find()
        try:
            for lane in self._all():
                lane.start(listener)
            self._watch.start()
        except psycopg.Error as error:
            raise StartError(f"the database cannot be used: {error}") from error

    async def stop(self) -> None:
        """See Engine."""
        await asyncio.gather(*(lane.stop() for lane in self._all()))
        await self._watch.stop()

    @property
    def load(self) -> Load:
        """See Engine."""
        return reduce(add, [lane.load for lane in self._all()])

    @property
    def standing(self) -> Standing:
        """See Engine."""
        return self._watch.standing

    def read(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """See Engine."""
        return _idlest(self._readers).run(work, *arguments)

    def write(
        self,
        work: Callable[..., T],
        *arguments: Any,
        octets: int = 0,
        told: Callable[[T], Change | Notified | None] | None = None,
        group: bytes | None = None,
    ) -> asyncio.Future[T]:
        """See Engine."""
        if group is None:
            return _idlest(self._writers).run(work, *arguments, octets=octets, told=told)
        return _of(group, self._changers).run(within, group, work, *arguments, octets=octets, told=told)

    def append(self, entry: NewEntry) -> asyncio.Future[Appended]:
        """See Engine; the entries of one group take one lane, which keeps their order and waits for no lock of ours."""
        told = partial(groups.appended, entry.group_id)
        if entry.kind != "application":
            return self.write(groups.append, entry, octets=len(entry.body), told=told, group=entry.group_id)
        return _of(entry.group_id, self._appenders).run(groups.append, entry, octets=len(entry.body), told=told)

    def _lanes(self, count: int, session: Callable[[Link], Session], batch: int) -> Sequence[Lane]:
        return [Lane(partial(self._connect, session), batch=batch) for _ in range(count)]

    def _connect(self, session: Callable[[Link], Session]) -> Session:
        link = Link(self.servers, self._watch.lease)
        link.open()
        self._watch.links.append(link)
        return session(link)

    def _all(self) -> list[Lane]:
        return [*self._appenders, *self._changers, *self._writers, *self._readers]


def _of(group: bytes, lanes: Sequence[Lane]) -> Lane:
    return lanes[hash(group) % len(lanes)]


def _idlest(lanes: Sequence[Lane]) -> Lane:
    return min(lanes, key=lambda lane: lane.waiting)
