"""Works of two replicas that meet in the midst of each other: a third connection stops them where it matters."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from delivery_service.errors import RefusedError
from delivery_service.storage import ending, rollback
from delivery_service.storage.database import Database
from delivery_service.storage.ending import NewEnding
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.rollback import NewRejection
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewWelcome
from tests.delivery_service.stored import (
    ALICE,
    BOB,
    CAROL,
    GROUP,
    NOW,
    Recorder,
    claim,
    invite,
    new_commit,
    new_entry,
    new_group,
    package,
)

DAVE = b"+12025550145/d"
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() AND state = 'active'
"""


@pytest.fixture
async def engines(database: str) -> AsyncIterator[list[Engine]]:
    async with AsyncExitStack() as stack:
        engines: list[Engine] = [PostgresqlEngine(Database(database, one_copy=True)) for _ in range(2)]
        for engine in engines:
            engine.start(Recorder())
            stack.push_async_callback(engine.stop)
        yield engines


@asynccontextmanager
async def locked(database: str, statement: str, *values: object) -> AsyncIterator[None]:
    """Holds what a statement locks, for as long as the `with`; nothing of it remains."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute(statement, values)
        yield
        await connection.rollback()


async def blocked(database: str, requests: Sequence[asyncio.Future[Any]], count: int) -> None:
    """Waits until so many transactions wait for locks, or one of the requests is answered."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        while not any(request.done() for request in requests):
            row = await (await connection.execute(_BLOCKED)).fetchone()
            if row is not None and row[0] >= count:
                return


async def members(store: Store, *devices: bytes) -> None:
    await store.create_group(new_group())
    for epoch, device in enumerate(devices):
        await invite(store, device, epoch)
    await store.append(new_entry(len(devices), devices[-1]))


async def word(request: Awaitable[object]) -> str:
    try:
        await request
    except RefusedError as error:
        return error.word
    return "accepted"


async def test_a_report_never_counts_against_a_later_commit(engines: list[Engine], database: str) -> None:
    store, other = map(Store, engines)
    await members(store, BOB, CAROL, DAVE)
    commit = new_commit(3)
    seq = (await store.commit(commit)).seq
    rejection = NewRejection(GROUP, BOB, seq, commit.entry.digest, b"signature", NOW * 1000)
    row = "INSERT INTO rejections SELECT number, %s, 0, 0, '', '' FROM groups"
    async with locked(database, row, BOB):
        report = asyncio.ensure_future(engines[1].write(rollback.report, rejection, group=GROUP))
        await blocked(database, [report], 1)
        later = asyncio.ensure_future(_go_on(store))
        await asyncio.wait([later], timeout=1)
    assert (await report).of == 3
    await later
    assert await other.append(new_entry(5, ALICE)) is not None
    async with await psycopg.AsyncConnection.connect(database) as connection:
        assert await (await connection.execute("SELECT device FROM rejections")).fetchall() == []


async def _go_on(store: Store) -> None:
    """Carol goes on from the commit, which settles it, and makes another."""
    await store.append(new_entry(4, CAROL))
    await store.commit(new_commit(4, CAROL))


async def test_a_key_package_is_welcomed_into_one_group(engines: list[Engine], database: str) -> None:
    stores = [Store(engine) for engine in engines]
    reference = secrets.token_bytes(16)
    await stores[0].add_key_packages(BOB, "+12025550143", [package(reference)], None, NOW)
    await claim(stores[0], "+12025550143")
    commits = []
    for group_id in (b"first", b"second"):
        await stores[0].create_group(new_group(group_id))
        commit = new_commit(0, welcomes=(NewWelcome(b"welcome", (reference,)),), added=frozenset((BOB,)))
        commits.append(replace(commit, entry=replace(commit.entry, group_id=group_id)))
    async with locked(database, "SELECT 1 FROM key_packages WHERE reference = %s FOR UPDATE", reference):
        pairs = zip(stores, commits, strict=True)
        requests = [asyncio.ensure_future(word(store.commit(commit))) for store, commit in pairs]
        await blocked(database, requests, 2)
    assert sorted(await asyncio.gather(*requests)) == ["accepted", "invalid-handshake"]
    assert len((await stores[0].inbox(BOB, 0))[0]) == 1


@pytest.mark.parametrize("what", ["retention", "ending", "settling"])
async def test_a_group_that_changes_all_the_time_keeps_no_work_waiting_for_ever(
    engines: list[Engine], database: str, what: str
) -> None:
    store = Store(engines[0])
    await members(store, BOB)
    await store.commit(new_commit(1))
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "retention": lambda: store.expire_before(NOW + 1, NOW),
        "ending": lambda: engines[0].write(
            ending.end, NewEnding(GROUP, ALICE, b"", b"signature", NOW * 1000, 1), group=GROUP
        ),
        "settling": lambda: engines[0].write(rollback.settle, GROUP, NOW * 1000 + 1, group=GROUP),
    }
    begun = asyncio.Event()
    change = asyncio.create_task(_change_again_and_again(database, begun))
    try:
        await begun.wait()
        assert await word(works[what]()) == "accepted"
    finally:
        change.cancel()
        await asyncio.wait([change])


async def _change_again_and_again(database: str, begun: asyncio.Event) -> None:
    """As a replica that appends all the time: another change is under way whenever a transaction has begun."""
    async with (
        await psycopg.AsyncConnection.connect(database) as connection,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as watching,
    ):
        while True:
            await connection.execute("UPDATE groups SET head = head")
            begun.set()
            while (await (await watching.execute(_BLOCKED)).fetchone()) == (0,):
                await asyncio.sleep(0.001)
            await connection.commit()
