"""Appends and reads with ten groups in the store and with a hundred thousand, on both engines, all groups used alike.

RINGTRUE_BENCH_DATABASE names a migrated PostgreSQL database to be filled; without it, only SQLite is measured.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import uvloop

from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewEntry, NewGroup
from lab.bench.followers import Member, following
from lab.bench.rows import Aim, Row
from lab.bench.stores import DATABASE, OCTETS, rate_of

FEW, MANY, QUICK_MANY = 10, 100_000, 200
DEVICES = 10_000  # among which the many groups are divided
CALLERS = 64
ENTRIES = 2  # in each group before anything is measured
AT_ONCE = 1_000
ROUNDS = 3
SECONDS = 3.0
SLOWDOWN = 0.8  # of the rate with few groups


@dataclass(frozen=True, slots=True)
class Kept:
    """A group and the device that is in it."""

    group_id: bytes
    device: bytes


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` with few groups more."""
    many, seconds = (QUICK_MANY, 0.2) if quick else (MANY, SECONDS)
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        rows = uvloop.run(_measure("SQLite", SqliteEngine(Path(folder)), many, seconds))
        rows.append(uvloop.run(_served(Path(folder), many, seconds)))
    if (url := os.environ.get(DATABASE)) is not None:
        rows += uvloop.run(_measure("PostgreSQL", PostgresqlEngine(Database(url, one_copy=True)), many, seconds))
    return rows


async def _measure(name: str, engine: Engine, many: int, seconds: float) -> list[Row]:
    engine.start(lambda change: None)
    store = Store(engine)
    groups = await _found(store, FEW)
    few_appends, few_reads = await _rates(store, groups, seconds)
    groups += await _found(store, many - FEW)
    appends, reads = await _rates(store, groups, seconds)
    await engine.stop()
    return [
        Row(
            f"{what}, {name}",
            ours,
            "/s",
            many,
            f"with {FEW} groups",
            floor,
            Aim("ratio", "at least", SLOWDOWN),
            f"{CALLERS} callers, {OCTETS} octets; each time another group, by chance",
        )
        for what, ours, floor in (("bare appends", appends, few_appends), ("bare reads", reads, few_reads))
    ]


async def _found(store: Store, count: int) -> list[Kept]:
    made = [Kept(os.urandom(16), b"+1202%07d/%032d" % (place % DEVICES, place % DEVICES)) for place in range(count)]

    async def one(kept: Kept) -> None:
        await store.create_group(NewGroup(kept.group_id, kept.device, os.urandom(16), bytes(32), bytes(2000)))
        for _ in range(ENTRIES):
            await store.append(_entry(kept))

    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(one(kept) for kept in made[start : start + AT_ONCE]))
    return made


async def _served(folder: Path, many: int, seconds: float) -> Row:
    """Through HTTP, by a service on SQLite."""
    few = await _served_rate(folder / "few", FEW, seconds)
    ours = await _served_rate(folder / "many", many, seconds)
    note = f"{CALLERS} connections of a process on the same cores, which is as busy as the service"
    name, aim = "appends through the service, SQLite", Aim("ratio", "at least", SLOWDOWN)
    return Row(name, ours, "/s", many, f"with {FEW} groups", few, aim, note)


async def _served_rate(folder: Path, count: int, seconds: float) -> float:
    folder.mkdir()
    groups: list[bytes] = [os.urandom(16) for _ in range(count)]

    def lay(members: Sequence[Member]) -> dict[bytes, Sequence[Member]]:
        return {group_id: [members[place % CALLERS]] for place, group_id in enumerate(groups)}

    chance = random.Random(1)  # noqa: S311 - which group is next
    async with following(folder, CALLERS, lay) as scene:
        lines = [await scene.line() for _ in range(CALLERS)]

        async def append(caller: int) -> None:
            place = chance.randrange(count)
            answer = await lines[caller].ask(scene.members[place % CALLERS].message(groups[place]))
            assert answer.status == 201, answer.body

        rate = await _median(append, seconds)
        for line in lines:
            line.hang_up()
        return rate


def _entry(kept: Kept) -> NewEntry:
    body, key, now = os.urandom(OCTETS), os.urandom(16), int(time.time() * 1000)
    return NewEntry(kept.group_id, kept.device, "application", 0, key, sha256(body).digest(), now, body)


async def _rates(store: Store, groups: Sequence[Kept], seconds: float) -> tuple[float, float]:
    """Appends and reads a second."""
    chance = random.Random(1)  # noqa: S311 - which group is next

    def append(_: int) -> Awaitable[object]:
        return store.append(_entry(chance.choice(groups)))

    def read(_: int) -> Awaitable[object]:
        kept = chance.choice(groups)
        return store.read(kept.group_id, kept.device, ENTRIES - 1)

    reads = await _median(read, seconds)  # first: so long, every group has as many entries
    return await _median(append, seconds), reads


async def _median(call: Callable[[int], Awaitable[object]], seconds: float) -> float:
    return median([await rate_of(call, CALLERS, seconds) for _ in range(ROUNDS)])
