"""Bare appends and reads of both engines, through asyncio, against the raw engine in the same run.

Raw: the same compare and set in a loop of one thread, as many entries in a transaction as there are callers, without
queue, idempotency and membership. RINGTRUE_BENCH_DATABASE names a migrated PostgreSQL database to be filled; without
it, only SQLite is measured. Where /tmp is in memory, let TMPDIR name a folder on a disk.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

import apsw
import psycopg
import uvloop

from delivery_service.storage.checkpoints import CHECKPOINT_PAGES
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewEntry, NewGroup
from lab.bench.rows import Row

CALLERS = (1, 64, 256)
GROUPS = 64
OCTETS = 1024
FOLLOWERS = 100
ROUNDS = 3
SECONDS = 2.0
DEVICE = b"+12025550100/" + b"0" * 32
DATABASE = "RINGTRUE_BENCH_DATABASE"

CHECKPOINT = f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"
_ADVANCE = "UPDATE raw_groups SET head = head + 1 WHERE number = ? AND epoch = 0 RETURNING head"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS raw_groups (number BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, head BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS raw_log (number BIGINT, seq BIGINT, body {octets}, PRIMARY KEY (number, seq))",
)
_TOGETHER = """
WITH new AS MATERIALIZED (
  SELECT * FROM unnest(%(numbers)b::bigint[], %(bodies)b::bytea[]) AS new (number, body)
), advanced AS (
  UPDATE raw_groups g SET head = head + 1 FROM new WHERE g.number = new.number AND g.epoch = 0
  RETURNING g.number, g.head, new.body
)
INSERT INTO raw_log (number, seq, body) SELECT number, head, body FROM advanced
"""


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` takes one short round."""
    rounds, seconds = (1, 0.3) if quick else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        path = Path(folder)
        rows = uvloop.run(_measure("SQLite", SqliteEngine(path), RawSqlite(path / "raw.sqlite3"), rounds, seconds))
        if (url := os.environ.get(DATABASE)) is not None:
            engine = PostgresqlEngine(Database(url, one_copy=True))
            rows += uvloop.run(_measure("PostgreSQL", engine, RawPostgresql(url), rounds, seconds))
        return rows


async def _measure(name: str, engine: Engine, raw: "Raw", rounds: int, seconds: float) -> list[Row]:
    engine.start(lambda change: None)
    store = Store(engine)
    groups = [os.urandom(16) for _ in range(GROUPS)]
    for group_id in groups:
        await store.create_group(NewGroup(group_id, DEVICE, os.urandom(16), bytes(32), bytes(2000)))
    rows = [await _appends(name, store, groups, raw, callers, rounds, seconds) for callers in CALLERS]
    rows.append(await _reads(name, store, groups[0], rounds, seconds))
    await engine.stop()
    raw.close()
    return rows


async def _appends(
    name: str, store: Store, groups: list[bytes], raw: "Raw", callers: int, rounds: int, seconds: float
) -> Row:
    def append(caller: int) -> Awaitable[object]:
        body = os.urandom(OCTETS)
        return store.append(
            NewEntry(
                groups[caller % GROUPS],
                DEVICE,
                "application",
                0,
                os.urandom(16),
                sha256(body).digest(),
                int(time.time() * 1000),
                body,
            )
        )

    turns = [(await rate_of(append, callers, seconds), raw.rate(callers, seconds)) for _ in range(rounds)]
    return Row(
        f"bare appends, {name}",
        median(ours for ours, _ in turns),
        "/s",
        n=callers,
        floor_name="the engine alone, as many entries in a transaction",
        floor=median(floor for _, floor in turns),
        note=f"{GROUPS} groups, {OCTETS} octets; N: callers at once",
    )


async def _reads(name: str, store: Store, group_id: bytes, rounds: int, seconds: float) -> Row:
    head = (await store.read(group_id, DEVICE, 0)).head

    def last(_: int) -> Awaitable[object]:
        return store.read(group_id, DEVICE, head - 1)

    rates = [await rate_of(last, FOLLOWERS, seconds) for _ in range(rounds)]
    return Row(
        f"bare reads of a new entry, {name}",
        median(rates),
        "/s",
        n=FOLLOWERS,
        note="followers of one group, each in a snapshot of its own",
    )


async def rate_of(call: Callable[[int], Awaitable[object]], callers: int, seconds: float) -> float:
    """Calls a second, of so many callers at once."""
    start = time.perf_counter()

    async def one(caller: int) -> int:
        count = 0
        while time.perf_counter() < start + seconds:
            await call(caller)
            count += 1
        return count

    done = sum(await asyncio.gather(*(one(caller) for caller in range(callers))))
    return done / (time.perf_counter() - start)


class Raw:
    """The engine alone: `together` appends one entry to each of so many groups, durably."""

    def together(self, entries: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def rate(self, entries: int, seconds: float) -> float:
        """Entries a second."""
        start, count = time.perf_counter(), 0
        while time.perf_counter() < start + seconds:
            self.together(entries)
            count += entries
        return count / (time.perf_counter() - start)


class RawSqlite(Raw):
    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", CHECKPOINT, *_TABLES):
            self._db.execute(statement.format(octets="BLOB"))
        for number in range(max(CALLERS)):
            self._db.execute("INSERT INTO raw_groups VALUES (?, 0, 0)", (number,))

    def together(self, entries: int) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for number in range(entries):
            seq = self._db.execute(_ADVANCE, (number,)).get
            self._db.execute("INSERT INTO raw_log VALUES (?, ?, ?)", (number, seq, os.urandom(OCTETS)))
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


class RawPostgresql(Raw):
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        for statement in ("DROP TABLE IF EXISTS raw_groups, raw_log", *_TABLES):
            self._connection.execute(statement.format(octets="BYTEA").encode())
        self._connection.execute(
            "INSERT INTO raw_groups SELECT number, 0, 0 FROM generate_series(0, %s) number", [max(CALLERS)]
        )

    def together(self, entries: int) -> None:
        bodies = [os.urandom(OCTETS) for _ in range(entries)]
        self._connection.execute(_TOGETHER, {"numbers": list(range(entries)), "bodies": bodies})

    def close(self) -> None:
        self._connection.execute("DROP TABLE raw_groups, raw_log")
        self._connection.close()
