"""Hourly limits that replicas share: what one allowed counts at the others and after a restart, whatever the order."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.allowances import Allowances
from delivery_service.errors import RefusedError, StoreError
from delivery_service.limits import HOUR, TOLD_PART, HourlyLimit
from delivery_service.quotas import QUOTAS
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.wire import GROUPS_PER_HOUR

ALICE, BOB = "+12025550142", "+12025550143"
NOW = 1_800_000_000


def replicas(engine: SqliteEngine, count: int, per_hour: int) -> list[tuple[HourlyLimit, Allowances]]:
    limits = [HourlyLimit(per_hour, "REQUESTS", "requests") for _ in range(count)]
    return [(limit, Allowances(engine, [limit], lambda: NOW)) for limit in limits]


async def test_a_limit_holds_over_a_restart(tmp_path: Path, run_world) -> None:
    async with run_world(tmp_path, QUOTAS) as world:
        alice = await world.device(ALICE)
        for _ in range(GROUPS_PER_HOUR):
            await alice.create()
    async with run_world(tmp_path, QUOTAS) as world:
        alice, bob = await world.device(ALICE), await world.device(BOB)
        await bob.create()
        with pytest.raises(AssertionError, match="GROUPS_PER_HOUR"):
            await alice.create()
        world.clock.now += HOUR / GROUPS_PER_HOUR + 1
        await alice.create()


async def test_numbers_are_not_stored(tmp_path: Path, run_world) -> None:
    async with run_world(tmp_path, QUOTAS) as world:
        alice = await world.device(ALICE)
        for _ in range(GROUPS_PER_HOUR // TOLD_PART + 1):
            await alice.create()
        await world.app.state.service.allowances.tell()
        rows = await world.app.state.service.engine.read(lambda tx: tx.rows("SELECT key FROM allowances"))
    assert rows
    assert all(len(key) == 16 and ALICE[1:].encode() not in key for (key,) in rows)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from((ALICE, BOB)), st.integers(1, 90)), max_size=30))
async def test_after_an_exchange_all_know_what_all_allowed(spent: list[tuple[int, str, int]]) -> None:
    engine = SqliteEngine(None)
    engine.start(lambda change: None)
    each = replicas(engine, 3, 100)
    total = dict.fromkeys((ALICE, BOB), 0)
    for place, key, amount in spent:
        try:
            each[place][0].spend(key, NOW, amount)
        except RefusedError:
            continue
        total[key] += amount
    for _, allowances in each:
        await allowances.tell()
    for limit, allowances in each:
        await allowances.hear(HOUR)
        for key, amount in total.items():
            assert limit.has_left(key, NOW + 1) == (amount < 100)
            whole = NOW + max(amount - 99, 0) * HOUR / 100
            assert limit.has_left(key, whole + 1)
    await engine.stop()


async def test_small_amounts_wait_for_more() -> None:
    limit = HourlyLimit(TOLD_PART * 1000, "OCTETS", "octets")
    limit.spend("a", NOW, 999)
    assert limit.tell() == []
    limit.spend("a", NOW)
    (told,) = limit.tell()
    assert told.ms == HOUR * 1000 / TOLD_PART
    assert limit.tell() == []


async def test_what_could_not_be_told_is_told_the_next_time() -> None:
    engine = SqliteEngine(None)
    (first, one), (second, other) = replicas(engine, 2, 10)
    first.spend("a", NOW, 10)
    with pytest.raises(StoreError):
        await one.tell()
    engine.start(lambda change: None)
    await one.tell()
    await other.hear(HOUR)
    assert not second.has_left("a", NOW)
    await engine.stop()
