"""The measurements of the delivery service run, at a small size, and measure what they say; not how fast it is."""

import pytest

from lab.bench import delivery, fan_out, many_groups, overload, soak, stores, streams
from lab.bench.percentiles import percentiles
from lab.bench.soak import Look, slope


def test_appends_are_measured_beside_the_store_and_the_engine(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(stores.DATABASE, database)
    monkeypatch.setattr(delivery, "MESSAGES", 4)
    rows = delivery.run(quick=True)
    assert [row.floor_name for row in rows[::2]] == ["the bare store"] * 2
    for row in rows:
        assert row.floor is not None
        assert row.floor > 0
        assert row.ours > 0
    assert all("Answers other than 201: 0" in row.note for row in rows[::2])


def test_every_follower_is_woken_and_told_that_the_service_stops() -> None:
    memory, wake, end = streams.run(quick=True)
    assert (memory.n, wake.n, end.n) == (streams.QUICK_FOLLOWERS,) * 3
    assert wake.ours > 0


def test_an_entry_reaches_every_follower_of_a_group() -> None:
    rows = fan_out.run(quick=True)
    assert [row.n for row in rows] == list(fan_out.QUICK_FOLLOWERS)
    assert all(row.ours > 0 for row in rows)


def test_many_groups_are_compared_with_few() -> None:
    rows = many_groups.run(quick=True)
    assert len(rows) == 3
    assert all(row.n == many_groups.QUICK_MANY and row.ratio for row in rows)


def test_an_overload_is_measured_beside_what_comes_before_and_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "WORKERS", 16)
    monkeypatch.setattr(overload, "CONNECTIONS", 100)
    monkeypatch.setattr(overload, "CALM", 20)
    monkeypatch.setattr(delivery, "MESSAGES", 4)
    peak, borne, over, after = overload.run(quick=True)
    assert "other answers none" in peak.note
    assert all(row.ours > 0 for row in (peak, borne, over, after))
    assert "lost" not in over.note
    assert "0 put off" in over.note


def test_a_soak_looks_at_memory_log_and_files() -> None:
    growth, ahead = soak.run(quick=True)
    assert "answers other than success {}" in growth.note
    assert "(heap " in growth.note
    assert 0 < ahead.ours < 256


def test_the_slope_of_a_soak_is_that_of_what_was_seen() -> None:
    flat = [Look(at, {"heap": 1_000}, 0, 9) for at in range(0, 600, 60)]
    assert slope(flat) == 0
    rising = [Look(at, {"heap": 900 + at // 60, "files": 100}, 0, 9) for at in range(0, 600, 60)]
    assert slope(rising) == pytest.approx(100 * 10 / 1_004.5)


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles(range(1, 1_001)) == [501, 951, 991]
    assert percentiles([7.0]) == [7.0, 7.0, 7.0]
