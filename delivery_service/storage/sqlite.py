"""The embedded engine: SQLite through apsw, write-ahead log, every answer after a synchronised commit."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from delivery_service.errors import StartError, StoreError
from delivery_service.storage import groups
from delivery_service.storage.checkpoints import Checkpoints
from delivery_service.storage.encryption import open_database
from delivery_service.storage.engine import Listener, Load, Standing
from delivery_service.storage.lane import POISON, Item, Lane, attempt
from delivery_service.storage.transaction import SqliteTransaction
from delivery_service.storage.values import Change, NewEntry, Notified
from delivery_service.wire import Appended

SQLITE_FLOOR = (3, 51, 3)  # older releases can corrupt a write-ahead log when two connections reset it at once
WRITE_BATCH = 256  # requests in one transaction
READ_BATCH = 4  # each read can be a batch of several MiB
WRITE_CACHE = 2_000  # KiB of pages
READ_CACHE = 512  # KiB: each commit of the writer empties it, and what was in it is left to the allocator, in pieces
SCHEMA_VERSION = 5
DATABASE_FILE = "delivery.sqlite3"
RESTORE = "make room if the disk is full, or restore a backup with `ringtrue delivery restore` if the file is damaged"
T = TypeVar("T")
_FROM_1_TO_2 = "CREATE INDEX log_proposals ON log (group_number, epoch) WHERE kind = 1"


def check_sqlite(version: str) -> None:
    """Raises StartError for a SQLite that must not hold the log."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_FLOOR:
        raise StartError(f"SQLite {version} has the WAL-reset bug: use {'.'.join(map(str, SQLITE_FLOOR))} or later")


class SqliteEngine:
    """The Engine of one folder, encrypted if it has a key, or of memory without a folder; one process at a time."""

    def __init__(self, folder: Path | None, key: bytes | None = None) -> None:
        self._folder = folder
        self._key = key
        self._lock: int | None = None
        self._checkpoints = Checkpoints(partial(self._connect, READ_CACHE))
        self._writer = Lane(self._writing, batch=WRITE_BATCH)
        # A database in memory belongs to its connection: there, reads take the writer's lane, and nothing is ahead.
        self._reader = self._writer if folder is None else Lane(self._reading, batch=READ_BATCH)

    def start(self, listener: Listener) -> None:
        """See Engine; starts the threads."""
        check_sqlite(apsw.sqlite_lib_version())
        if self._folder is not None:
            self._lock = _lock_folder(self._folder)
        try:
            self._writer.start(listener)
            if self._reader is not self._writer:
                self._reader.start(listener)
                self._checkpoints.start()
        except apsw.Error as error:
            self._unlock()
            raise StartError(f"the database cannot be opened: {error}; {RESTORE}") from error
        except StartError:
            self._unlock()
            raise

    async def stop(self) -> None:
        """See Engine."""
        await self._writer.stop()
        await self._checkpoints.stop()
        await self._reader.stop()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def load(self) -> Load:
        """See Engine."""
        return self._writer.load if self._reader is self._writer else self._writer.load + self._reader.load

    @property
    def standing(self) -> Standing:
        """See Engine."""
        return Standing()

    def read(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """See Engine."""
        return self._reader.run(work, *arguments)

    def write(
        self,
        work: Callable[..., T],
        *arguments: Any,
        octets: int = 0,
        told: Callable[[T], Change | Notified | None] | None = None,
        group: bytes | None = None,
    ) -> asyncio.Future[T]:
        """See Engine."""
        return self._writer.run(work, *arguments, octets=octets, told=told)

    def append(self, entry: NewEntry) -> asyncio.Future[Appended]:
        """See Engine: the writer's batches are the group commit."""
        return self._writer.run(
            groups.append, entry, octets=len(entry.body), told=partial(groups.appended, entry.group_id)
        )

    def _writing(self) -> "SqliteSession":
        connection = self._connect()
        self._checkpoints.watch(connection)
        return SqliteSession(connection, "BEGIN IMMEDIATE")

    def _reading(self) -> "SqliteSession":
        return SqliteSession(self._connect(READ_CACHE), "BEGIN")

    def _connect(self, cache: int = WRITE_CACHE) -> apsw.Connection:
        if self._folder is None:
            db = apsw.Connection(":memory:")
        else:
            db = open_database(str(self._folder / DATABASE_FILE), self._key)
        db.set_busy_timeout(5_000)
        # Plans do not depend on values: or else many a statement would be prepared anew for each value.
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = OFF",
            "secure_delete = ON",
            "temp_store = MEMORY",
            "wal_autocheckpoint = 0",  # see checkpoints
            f"cache_size = -{cache}",
        ):
            db.execute(f"PRAGMA {pragma}")
        upgrade(db)
        return db


class SqliteSession:
    """See Session: a connection, and how its transactions begin."""

    def __init__(self, connection: apsw.Connection, begin: str) -> None:
        self._connection = connection
        self._begin = begin
        self._transaction = SqliteTransaction(connection)

    def transact(self, items: list[Item]) -> None:
        """See Session."""
        connection = self._connection
        try:
            connection.execute(self._begin)
            for item in items:
                attempt(item, self._transaction, connection.total_changes)
            connection.execute("COMMIT")
        except (apsw.Error, *POISON) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if len(items) > 1:
                for item in items:
                    self.transact([item])
            else:
                items[0].error = StoreError(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """See Session."""
        self._connection.close()


def upgrade(db: apsw.Connection) -> None:
    """Brings a database, empty or of an earlier service, to the newest schema. Raises StartError for a later one."""
    version: Any = db.execute("PRAGMA user_version").get
    if version == SCHEMA_VERSION:
        return
    if version not in range(SCHEMA_VERSION):
        raise StartError(f"the database has schema {version}, this service knows {SCHEMA_VERSION}")
    schema = _FROM_1_TO_2 + ";" if version == 1 else ""
    schema += "".join(step.read_text() for after, step in _steps() if after > max(version, 2) or version == 0)
    db.execute(f"BEGIN IMMEDIATE;{schema}PRAGMA user_version = {SCHEMA_VERSION};COMMIT")


def _steps() -> list[tuple[int, Traversable]]:
    """The parts of the schema in order, each with the version that it makes; one version may have several."""
    parts = files("delivery_service.storage").joinpath("schema").iterdir()
    return sorted(
        ((int(part.name.partition("_")[0]), part) for part in parts), key=lambda step: (step[0], step[1].name)
    )


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keeps services away from a folder. Raises StartError where one is there."""
    descriptor = _lock_folder(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock_folder(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            f"the folder {folder} cannot be used: {error.strerror}; let this user write there, or name another "
            "--data-dir"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StartError(
            f"another delivery service is using {folder}: stop it first, or name another --data-dir"
        ) from error
    return descriptor
