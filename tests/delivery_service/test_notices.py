"""What replicas tell each other: in notifications that fit, and what happens when one of them is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.notices import (
    APPLICATION,
    CHANNEL,
    PAYLOAD_LIMIT,
    PAYLOADS_LIMIT,
    UNTOLD_LIMIT,
    Notice,
    Notices,
    payloads,
)
from delivery_service.storage.database import Database
from delivery_service.storage.servers import Servers
from delivery_service.storage.values import Change, Notified
from delivery_service.wakeups import Wakeups, Watcher
from tests.postgresql.server import Server

LOSE = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"
ALICE, BOB = b"+12025550142/a", b"+12025550143/b"
GROUPS = st.binary(min_size=1, max_size=64)
CHANGES = st.one_of(
    st.builds(Change, GROUPS, st.integers(1, 1 << 40), st.frozensets(GROUPS, max_size=3), st.frozensets(GROUPS)),
    st.builds(Notified, st.frozensets(st.text(max_size=16))),
)


def decoded(payload: str) -> Notice:
    return msgspec.json.decode(payload, type=Notice)


@given(st.lists(CHANGES))
def test_notifications_fit_and_tell_everything(changes: list[Change | Notified]) -> None:
    told = payloads("origin", changes)
    assert all(len(payload.encode()) <= PAYLOAD_LIMIT for payload in told)
    news = [item for payload in told for item in decoded(payload).news]
    for change in changes:
        if isinstance(change, Notified):
            assert any(item.numbers == change.numbers for item in news)
        else:
            assert any(item.group_id == change.group_id and item.seq >= change.seq for item in news)
            assert any(item.joined >= change.joined and item.left >= change.left for item in news)


def test_of_many_heads_of_a_group_the_last_is_told() -> None:
    (payload,) = payloads("origin", [Change(b"g", seq) for seq in (3, 5, 4)])
    assert [item.seq for item in decoded(payload).news] == [5]


def test_what_does_not_fit_means_look_again() -> None:
    many = [Change(b"%032d" % number, 1) for number in range(PAYLOADS_LIMIT * 200)]
    long = [Change(b"g", 1, frozenset(b"%064d" % number for number in range(200)))]
    for changes in (many, long):
        (payload,) = payloads("origin", changes)
        assert decoded(payload).news == ()


async def test_more_than_is_remembered_means_look_again(database: str) -> None:
    """Changes that come while the database is away are few groups' or many's: none of them is forgotten."""
    async with replica(database) as (_, wakeups):
        teller = Notices(Servers(Database(database), None), Wakeups())
        for seq in range(UNTOLD_LIMIT + 2):
            teller.publish(Change(b"g", seq))
        with wakeups.watch(ALICE, [b"g"]) as watcher:
            async with teller.running():
                while not watcher.joined:
                    assert watcher.heads.get(b"g") is None, "the last heads are not among what is remembered"
                    await watcher.woken.wait()
                    watcher.woken.clear()


@asynccontextmanager
async def replica(database: str) -> AsyncIterator[tuple[Notices, Wakeups]]:
    """A replica that hears: when it begins to, it lets everybody look again."""
    wakeups = Wakeups()
    notices = Notices(Servers(Database(database), None), wakeups)
    with wakeups.watch(ALICE) as watcher:
        async with notices.running():
            await looking(watcher)
            yield notices, wakeups


async def looking(watcher: Watcher) -> None:
    """Waits until the watcher is told to look again, and lets it have looked."""
    async with asyncio.timeout(30):
        while not watcher.joined:
            await watcher.woken.wait()
            watcher.woken.clear()
    watcher.joined = False


async def test_a_replica_hears_of_another(database: str) -> None:
    async with replica(database) as (first, own), replica(database) as (_, others):
        with own.watch(ALICE, [b"g"]) as mine, others.watch(BOB, [b"g"]) as theirs, others.watch(ALICE) as joiner:
            first.publish(Change(b"g", 7))
            assert mine.heads == {b"g": 7}
            async with asyncio.timeout(30):
                await theirs.woken.wait()
            assert theirs.heads == {b"g": 7}
            first.publish(Change(b"other", 1, joined=frozenset((ALICE,))))
            await looking(joiner)
            first.publish(Notified(frozenset(("+12025550143",))))
            await looking(theirs)


async def test_everybody_looks_again_after_a_lost_connection(database: str, postgresql: Server) -> None:
    async with replica(database) as (_, wakeups):
        with wakeups.watch(BOB) as watcher:
            postgresql.execute(LOSE)
            await looking(watcher)


async def test_others_look_again_after_one_could_not_tell(database: str, postgresql: Server) -> None:
    async with replica(database) as (first, _), replica(database) as (_, others):
        with others.watch(BOB) as watcher:
            postgresql.execute(LOSE)
            await looking(watcher)  # the watcher's replica hears again
            first.publish(Change(b"unwatched", 1))
            await looking(watcher)


async def test_what_is_no_notice_lets_everybody_look_again(database: str, postgresql: Server) -> None:
    async with replica(database) as (_, wakeups):
        with wakeups.watch(BOB) as watcher:
            postgresql.execute(f"NOTIFY {CHANNEL}, 'nonsense'", database.rpartition("/")[2])
            await looking(watcher)


async def test_one_replica_keeps_and_another_takes_over(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery_service.notices.PING_INTERVAL", 0.1)
    async with AsyncExitStack() as second, asyncio.timeout(60):
        async with replica(database) as (first, _):
            await first.keeping.wait()
            other, _ = await second.enter_async_context(replica(database))
            assert not other.keeping.is_set()
        await other.keeping.wait()
