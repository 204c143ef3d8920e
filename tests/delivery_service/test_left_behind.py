"""PostgreSQL servers that were left behind, or are alone: they show what they have, and the service tells nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from delivery_service.errors import DeliveryError, StartError, StoreError
from delivery_service.migrations import migrate
from delivery_service.readiness import Readiness
from delivery_service.storage import lease, watch
from delivery_service.storage.database import Database
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.store import Store
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import NewEntry
from delivery_service.wire import Appended
from tests.delivery_service.stored import ALICE, GROUP, WAITING, Recorder, new_entry, new_group
from tests.postgresql.cluster import Cluster
from tests.postgresql.server import USER, Server


@asynccontextmanager
async def opened(
    *servers: Server, one_copy: bool = False, folder: Path | None = None
) -> AsyncIterator[tuple[PostgresqlEngine, Store]]:
    conninfo = make_conninfo(
        "",
        host=",".join("127.0.0.1" for _ in servers),
        port=",".join(str(server.port) for server in servers),
        user=USER,
        password=servers[0].password,
        dbname="postgres",
        target_session_attrs="read-write",
    )
    engine = PostgresqlEngine(Database(conninfo, one_copy), folder)
    engine.start(Recorder())
    try:
        yield engine, Store(engine)
    finally:
        await engine.stop()


async def persistent(store: Store, entry: NewEntry) -> Appended:
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.append(entry)
            except StoreError:
                await asyncio.sleep(0.05)


async def head(store: Store, after: int = 0) -> int:
    return (await store.read(GROUP, ALICE, after)).head


async def fails(request: Awaitable[object]) -> bool:
    try:
        await request
    except StoreError:
        return True
    return False


async def head_again(store: Store) -> int:
    async with asyncio.timeout(60):
        while True:
            try:
                return await head(store)
            except StoreError:
                await asyncio.sleep(0.05)


async def begun(cluster: Cluster, entry: NewEntry, store: Store) -> "asyncio.Future[Appended]":
    """An append that is committed at the primary and waits for standbys, of which there are none."""
    for standby in cluster.standbys:
        standby.kill()
    request = asyncio.ensure_future(store.append(entry))
    async with await psycopg.AsyncConnection.connect(cluster.primary.url(), autocommit=True) as connection:
        while not request.done() and (await (await connection.execute(WAITING)).fetchone()) is None:
            await asyncio.sleep(0.01)
    assert not request.done()
    return request


def stored(server: Server) -> int:
    return int(server.execute("SELECT count(*) FROM log")[0][0])


async def test_a_primary_that_its_standbys_left_tells_nobody_where_the_log_ends(cluster: Cluster) -> None:
    migrate(cluster.primary.url())
    async with opened(cluster.primary) as (left, store):
        await store.create_group(new_group())
        await store.append(new_entry())
        old = cluster.primary
        await asyncio.to_thread(cluster.cut_off)
        new = await asyncio.to_thread(cluster.promote)
        async with opened(new) as (_, going_on):
            assert await persistent(going_on, new_entry()) == Appended(2, 0)
            async with asyncio.timeout(60):
                while not await fails(store.read(GROUP, ALICE, 0)):
                    await asyncio.sleep(0.05)
            assert stored(old) == 1
            assert await fails(store.read(GROUP, ALICE, 0))
            assert await fails(store.heads(ALICE))
            assert left.standing.untold >= 3
            with pytest.raises(DeliveryError):
                await Readiness(left, time.time).check()
            assert await head(going_on) == 2


async def test_who_has_seen_more_than_the_server_hears_nothing_from_one_that_was_left(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE", 1_000.0)  # what is told within the lease
    migrate(cluster.primary.url())
    async with opened(cluster.primary) as (_, store):
        await store.create_group(new_group())
        await store.append(new_entry())
        assert await head(store, after=2) == 1  # as long as that is so
        await asyncio.to_thread(cluster.cut_off)
        assert await head(store) == 1
        assert await fails(store.read(GROUP, ALICE, 2))
        assert await fails(store.inbox(ALICE, 1))


async def test_after_a_restart_nothing_is_told_before_a_standby_has_it(cluster: Cluster) -> None:
    migrate(cluster.primary.url())
    async with opened(cluster.primary) as (_, store):
        await store.create_group(new_group())
        request = await begun(cluster, entry := new_entry(), store)
        assert stored(cluster.primary) == 0  # committed, but shown to nobody
        await asyncio.to_thread(cluster.primary.kill)
        await asyncio.to_thread(cluster.primary.start)
        assert stored(cluster.primary) == 1  # shown to everybody, and nowhere else
        assert await fails(store.read(GROUP, ALICE, 0))
        await asyncio.to_thread(cluster.standbys[0].start)
        assert await head_again(store) == 1
        assert await fails(request) or request.result() == Appended(1, 0)
        assert await persistent(store, entry) == Appended(1, 0)


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_what_a_wait_that_somebody_ended_shows_is_not_told(cluster: Cluster, end: str) -> None:
    migrate(cluster.primary.url())
    async with opened(cluster.primary) as (_, store):
        await store.create_group(new_group())
        request = await begun(cluster, new_entry(), store)
        cluster.primary.execute(f"SELECT {end}(pid) FROM ({WAITING}) waiting")
        assert await fails(request)
        assert stored(cluster.primary) == 1
        assert await fails(store.read(GROUP, ALICE, 0))
        await asyncio.to_thread(cluster.standbys[0].start)
        assert await head_again(store) == 1


async def test_a_replica_goes_to_the_newer_server_and_never_back(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SEARCH_INTERVAL", 0.1)
    migrate(cluster.primary.url())
    old, servers = cluster.primary, [cluster.primary, *cluster.standbys]
    async with opened(*servers, one_copy=True, folder=tmp_path) as (engine, store):
        await store.create_group(new_group())
        await asyncio.to_thread(cluster.cut_off)
        old.set("synchronous_standby_names", "")  # it would confirm everything
        new = await asyncio.to_thread(cluster.promote)
        async with asyncio.timeout(60):
            while engine.standing.timeline == 1:
                await asyncio.sleep(0.05)
        await persistent(store, new_entry())
        assert (stored(old), stored(new)) == (0, 1)
        await asyncio.to_thread(new.kill)
        assert await fails(store.read(GROUP, ALICE, 0))
        assert await fails(store.append(new_entry()))
        assert engine.standing.left_behind > 0
    with pytest.raises(StartError, match="left behind"):
        async with opened(old, one_copy=True, folder=tmp_path):
            pass
    await asyncio.to_thread(new.start)
    async with opened(*servers, one_copy=True) as (_, store):  # another one, which has met neither
        assert await head_again(store) == 1
    assert stored(old) == 0


async def test_a_server_whose_settings_lose_what_it_acknowledged_is_used_no_more(cluster: Cluster) -> None:
    migrate(cluster.primary.url())
    async with opened(cluster.primary) as (_, store):
        await store.create_group(new_group())
        cluster.primary.set("synchronous_standby_names", "")
        async with asyncio.timeout(60):
            while not await fails(store.append(new_entry())):
                await asyncio.sleep(0.05)
        assert await fails(store.append(new_entry()))
        cluster.primary.set("synchronous_standby_names", "ANY 1 (s1, s2)")
        assert (await persistent(store, new_entry())).epoch == 0


def _sleep(tx: Transaction) -> None:
    tx.row("SELECT 1 FROM pg_sleep(0.5)")


async def test_a_time_limit_of_the_database_ends_no_work(cluster: Cluster) -> None:
    migrate(cluster.primary.url())
    cluster.primary.execute("ALTER DATABASE postgres SET statement_timeout = '100ms'")
    async with opened(cluster.primary) as (engine, _):
        await engine.read(_sleep)
        await engine.write(_sleep)
