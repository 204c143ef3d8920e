"""The PostgreSQL engine while its database fails: nobody waits for ever, and what was answered stays."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from delivery_service.errors import StoreError
from delivery_service.migrations import migrate
from delivery_service.storage import database, postgresql_link, watch
from delivery_service.storage.database import Database
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewEntry
from delivery_service.wire import Appended
from tests.delivery_service.stored import ALICE, GROUP, WAITING, Recorder, new_commit, new_entry, new_group
from tests.postgresql.cluster import Cluster
from tests.postgresql.server import USER

T = TypeVar("T")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_link, "SILENCE_LIMIT", 1.0)
    monkeypatch.setattr(watch, "WATCH_INTERVAL", 0.1)
    monkeypatch.setattr(database, "CONNECT_TIMEOUT", 2)


def anywhere(cluster: Cluster) -> Database:
    """Whichever of the cluster's servers takes writes."""
    servers = [cluster.primary, *cluster.standbys]
    conninfo = make_conninfo(
        "",
        host=",".join("127.0.0.1" for _ in servers),
        port=",".join(str(server.port) for server in servers),
        user=USER,
        password=cluster.primary.password,
        dbname="postgres",
        target_session_attrs="read-write",
    )
    return Database(conninfo)


@asynccontextmanager
async def opened(where: Database) -> AsyncIterator[tuple[PostgresqlEngine, Store]]:
    engine = PostgresqlEngine(where)
    engine.start(Recorder())
    try:
        yield engine, Store(engine)
    finally:
        await engine.stop()


async def persistent(store: Store, entry: NewEntry) -> Appended:
    return await answered(lambda: store.append(entry))


async def answered(request: Callable[[], Awaitable[T]]) -> T:
    """What a client does: the same request again until it is answered."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await request()
            except StoreError:
                await asyncio.sleep(0.05)


async def test_a_failover_loses_and_repeats_nothing(cluster: Cluster, impatient: None) -> None:
    migrate(cluster.primary.url())
    async with opened(anywhere(cluster)) as (_, store):
        await store.create_group(new_group())
        answers: list[Appended] = []

        async def send(count: int) -> None:
            for _ in range(count):
                answers.append(await persistent(store, new_entry()))

        sending = asyncio.gather(*(send(40) for _ in range(8)))
        while len(answers) < 60:
            await asyncio.sleep(0.01)
        before = len(answers)
        await asyncio.to_thread(cluster.primary.kill)
        await asyncio.to_thread(cluster.promote)
        await sending
        assert len(answers) == 320 > before
        assert sorted(answer.seq for answer in answers) == list(range(1, 321))
        assert (await store.read(GROUP, ALICE, 300)).head == 320


async def test_a_server_that_does_not_answer_keeps_nobody_waiting(cluster: Cluster, impatient: None) -> None:
    migrate(cluster.primary.url())
    async with opened(Database(cluster.primary.url())) as (_, store):
        await store.create_group(new_group())
        entry = new_entry()
        cluster.primary.pause()
        try:
            requests = (store.append(entry), store.commit(new_commit()), store.read(GROUP, ALICE, 0))
            answers = await asyncio.gather(*requests, return_exceptions=True)
        finally:
            cluster.primary.resume()
        assert [type(answer) for answer in answers] == [StoreError] * 3
        assert await persistent(store, entry) in (Appended(1, 0), Appended(2, 0))


async def test_what_no_standby_has_is_not_acknowledged(cluster: Cluster, impatient: None) -> None:
    migrate(cluster.primary.url())
    async with opened(Database(cluster.primary.url())) as (_, store):
        await store.create_group(new_group())
        for standby in cluster.standbys:
            standby.kill()
        entry = new_entry()
        with pytest.raises(StoreError):
            await store.append(entry)
        await asyncio.to_thread(cluster.standbys[0].start)
        assert await persistent(store, entry) == Appended(1, 0)
        assert len((await store.read(GROUP, ALICE, 0)).entries) == 1


@pytest.mark.parametrize("kind", ["append", "commit"])
async def test_a_wait_for_the_standbys_that_somebody_ends_is_no_acknowledgement(cluster: Cluster, kind: str) -> None:
    migrate(cluster.primary.url())
    async with opened(Database(cluster.primary.url())) as (_, store):
        await store.create_group(new_group())
        for standby in cluster.standbys:
            standby.kill()
        request = asyncio.ensure_future(store.append(new_entry()) if kind == "append" else store.commit(new_commit()))
        await asyncio.to_thread(_cancel_waiting, cluster.primary.url())
        with pytest.raises(StoreError, match="standbys"):
            await request


def _cancel_waiting(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while (row := connection.execute(WAITING).fetchone()) is None:
            pass
        connection.execute("SELECT pg_cancel_backend(%s)", [row[0]])


@pytest.mark.parametrize("kind", ["commit", "founding"])
async def test_a_repeat_is_not_acknowledged_before_a_standby_has_the_first(cluster: Cluster, kind: str) -> None:
    migrate(cluster.primary.url())
    url = cluster.primary.url()
    async with opened(Database(url)) as (_, store):
        await store.create_group(new_group())
        commit, group = new_commit(), new_group(b"another")
        for standby in cluster.standbys:
            standby.kill()
        first = asyncio.ensure_future(store.commit(commit) if kind == "commit" else store.create_group(group))
        await asyncio.to_thread(_cancel_waiting, url)
        with pytest.raises(StoreError, match="standbys"):
            await first

        def again() -> Awaitable[Appended | None]:
            return store.earlier_answer(commit.entry) if kind == "commit" else store.create_group(group)

        repeat = asyncio.ensure_future(again())
        with psycopg.connect(url, autocommit=True) as connection:
            while not repeat.done() and connection.execute(WAITING).fetchone() is None:
                await asyncio.sleep(0.01)
        assert not repeat.done() or isinstance(repeat.exception(), StoreError)
        await asyncio.to_thread(cluster.standbys[0].start)
        await asyncio.wait([repeat])
        assert await answered(again) == (Appended(1, 0) if kind == "commit" else Appended(0, 0))


async def test_connections_that_were_ended_are_made_again(database: str) -> None:
    async with opened(Database(database, one_copy=True)) as (_, store):
        await store.create_group(new_group())
        for epoch in range(3):
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'ringtrue-delivery' AND datname = current_database()"
                )
            assert (await store.append(new_entry(epoch))).epoch == epoch
            assert (await store.read(GROUP, ALICE, 0)).head == 2 * epoch + 1
            assert (await store.commit(new_commit(epoch))).epoch == epoch
