"""The embedded engine: SQLite through apsw, write-ahead log, every answer after a synchronised commit."""

import fcntl
import os
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import apsw

from delivery_service.errors import StartError
from delivery_service.quotas import Quotas
from delivery_service.storage import (
    asking,
    blobs,
    consent,
    groups,
    key_packages,
    openings,
    reading,
    retention,
)
from delivery_service.storage.lane import Lane
from delivery_service.storage.store import (
    Approach,
    Change,
    Heads,
    KeptOpening,
    Listener,
    NewBlob,
    NewCommit,
    NewEntry,
    NewGroup,
    NewKeyPackage,
    Notified,
    ReadEntries,
    Stock,
    StoredBlob,
    Waiting,
)
from delivery_service.wire import Appended, ContactRequested, Decision, Mode, Reachability, WelcomeItem

SQLITE_FLOOR = (3, 51, 3)  # older releases can corrupt a write-ahead log when two connections reset it at once
WRITE_BATCH = 256  # requests in one transaction
READ_BATCH = 4  # each read can be a batch of several MiB
CHECKPOINT_PAGES = 4_000
SCHEMA_VERSION = 5
_FROM_1_TO_2 = "CREATE INDEX log_proposals ON log (group_number, epoch) WHERE kind = 1"


def check_sqlite(version: str) -> None:
    """Raises StartError for a SQLite that must not hold the log."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_FLOOR:
        raise StartError(f"SQLite {version} has the WAL-reset bug: use {'.'.join(map(str, SQLITE_FLOOR))} or later")


class SqliteStore:
    """The Store of one folder, or of memory when the folder is None; one process at a time."""

    def __init__(self, folder: Path | None, listener: Listener) -> None:
        self._folder = folder
        self._listener = listener
        self._lock: int | None = None
        self._writer = Lane(self._connect, begin="BEGIN IMMEDIATE", batch=WRITE_BATCH)
        # A database in memory belongs to its connection: there, reads take the writer's lane.
        self._reader = self._writer if folder is None else Lane(self._connect, begin="BEGIN", batch=READ_BATCH)

    def start(self) -> None:
        """Opens the database and starts the threads. Raises StartError."""
        check_sqlite(apsw.sqlite_lib_version())
        if self._folder is not None:
            self._lock = _lock_folder(self._folder)
        self._writer.start()
        if self._reader is not self._writer:
            self._reader.start()

    async def stop(self) -> None:
        """Finishes what is queued and closes the database."""
        await self._writer.stop()
        await self._reader.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def create_group(self, group: NewGroup) -> Appended:
        """See Store."""
        announce = partial(self._announce, group.group_id, frozenset((group.device,)), frozenset[bytes]())
        return await self._writer.run(groups.create_group, group, octets=len(group.observer), then=announce)

    async def earlier_answer(self, entry: NewEntry) -> Appended | None:
        """See Store."""
        return await self._reader.run(groups.earlier_answer, entry)

    async def append(self, entry: NewEntry) -> Appended:
        """See Store."""
        announce = partial(self._announce, entry.group_id, frozenset[bytes](), frozenset[bytes]())
        return await self._writer.run(groups.append, entry, octets=len(entry.body), then=announce)

    async def commit(self, commit: NewCommit) -> Appended:
        """See Store."""
        joined = commit.added | {after for _, after in commit.renamed}
        left = commit.removed | {before for before, _ in commit.renamed}
        octets = len(commit.entry.body) + sum(len(welcome.body) for welcome in commit.welcomes)
        announce = partial(self._announce, commit.entry.group_id, joined, left)
        return await self._writer.run(groups.commit, commit, octets=octets, then=announce)

    async def observer(self, group_id: bytes) -> bytes:
        """See Store."""
        return await self._reader.run(groups.observer, group_id)

    async def read(self, group_id: bytes, device: bytes, after: int) -> ReadEntries:
        """See Store."""
        return await self._reader.run(reading.read, group_id, device, after)

    async def heads(self, device: bytes) -> Heads:
        """See Store."""
        return await self._reader.run(reading.heads, device)

    async def inbox(self, device: bytes, after: int) -> tuple[list[WelcomeItem], int]:
        """See Store."""
        return await self._reader.run(reading.inbox, device, after)

    async def acknowledge(self, device: bytes, position: int) -> None:
        """See Store."""
        await self._writer.run(reading.acknowledge, device, position)

    async def add_key_packages(
        self,
        device: bytes,
        number: str,
        one_time: Sequence[NewKeyPackage],
        last_resort: NewKeyPackage | None,
        now: int,
    ) -> Stock:
        """See Store."""
        octets = sum(len(package.body) for package in one_time)
        return await self._writer.run(key_packages.add, device, number, one_time, last_resort, now, octets=octets)

    async def stock(self, device: bytes, now: int) -> Stock:
        """See Store."""
        return await self._reader.run(key_packages.stock, device, now)

    async def references(self, device: bytes, now: int) -> list[bytes]:
        """See Store."""
        return await self._reader.run(key_packages.references, device, now)

    async def claim(self, approach: Approach, quotas: Quotas, *, sparing: bool = False) -> list[bytes]:
        """See Store."""
        return await self._writer.run(key_packages.claim, approach, quotas, sparing)

    async def reachability(self, number: str) -> Reachability:
        """See Store."""
        return await self._reader.run(consent.reachability, number)

    async def set_mode(self, number: str, mode: Mode, granted: Sequence[str]) -> None:
        """See Store."""
        await self._writer.run(consent.set_mode, number, mode, granted, then=self._notify)

    async def ask(self, approach: Approach, proof: bytes, quotas: Quotas) -> ContactRequested:
        """See Store."""
        notify = partial(self._notify_of, approach.target)
        return await self._writer.run(asking.ask, approach, proof, quotas, octets=len(proof), then=notify)

    async def waiting(self, number: str, now: int) -> Waiting:
        """See Store."""
        return await self._reader.run(asking.waiting, number, now)

    async def decide(self, target: str, number: str, decision: Decision) -> None:
        """See Store."""
        await self._writer.run(consent.decide, target, number, decision, then=self._notify)

    async def spend_nonce(self, device: bytes, nonce: str, expires_at: int) -> None:
        """See Store."""
        await self._writer.run(retention.spend_nonce, device, nonce, expires_at)

    async def note_opening(self, device: bytes, nonce: bytes, at: int) -> None:
        """See Store."""
        await self._writer.run(openings.note, device, nonce, at)

    async def openings(self, device: bytes) -> list[KeptOpening]:
        """See Store."""
        return await self._reader.run(openings.of, device)

    async def add_piece(self, blob: bytes, position: int, piece: bytes, now: int) -> None:
        """See Store."""
        await self._writer.run(blobs.add_piece, blob, position, piece, now, octets=len(piece))

    async def finish_blob(self, blob: NewBlob) -> StoredBlob:
        """See Store."""
        return await self._writer.run(blobs.finish, blob)

    async def drop_blob(self, blob: bytes) -> None:
        """See Store."""
        await self._writer.run(blobs.drop, blob)

    async def blob(self, name: bytes) -> StoredBlob:
        """See Store."""
        return await self._reader.run(blobs.stored, name)

    async def blob_piece(self, name: bytes, position: int) -> bytes:
        """See Store."""
        return await self._reader.run(blobs.piece, name, position)

    async def expire_before(self, cutoff: int, now: int) -> int:
        """See Store."""
        total = 0
        while count := await self._writer.run(retention.expire_entries, cutoff * 1000):
            total += count
        while await self._writer.run(blobs.expire, cutoff):
            pass
        await self._writer.run(openings.expire, cutoff)
        await self._writer.run(retention.expire_rest, cutoff * 1000, now)
        return total

    def _announce(self, group_id: bytes, joined: frozenset[bytes], left: frozenset[bytes], answer: Appended) -> None:
        self._listener(Change(group_id, answer.seq, joined, left))

    def _notify(self, numbers: frozenset[str]) -> None:
        self._listener(Notified(numbers))

    def _notify_of(self, number: str, answer: ContactRequested) -> None:
        self._notify(frozenset((number,)))

    def _connect(self) -> apsw.Connection:
        name = ":memory:" if self._folder is None else str(self._folder / "delivery.sqlite3")
        db = apsw.Connection(name)
        db.set_busy_timeout(5_000)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = OFF",
            "secure_delete = ON",
            "temp_store = MEMORY",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            db.execute(f"PRAGMA {pragma}")
        _create_tables(db)
        blobs.drop_unfinished(db)
        return db


def _create_tables(db: apsw.Connection) -> None:
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


def _lock_folder(folder: Path) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StartError(f"another delivery service is using {folder}") from error
    return descriptor
