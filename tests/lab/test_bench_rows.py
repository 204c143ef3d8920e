"""Rows of measurements: ratios, aims, and one aligned table."""

import json

import pytest

from lab.bench.rows import Aim, Row, quantity, table

AIM = Aim("ratio", "at most", 1.5)


def test_ratio_is_ours_over_the_floor() -> None:
    assert Row("sign", 3.0, "ms", floor=2.0).ratio == 1.5


def test_row_without_floor_has_no_ratio_and_misses_an_aim_on_it() -> None:
    row = Row("sign", 3.0, "ms", aim=AIM)
    assert row.ratio is None
    assert not AIM.met(row)


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim("ratio", "at most", 1.5), True),
        (Aim("ratio", "at most", 1.4), False),
        (Aim("ours", "at least", 3), True),
        (Aim("ours", "at least", 3.1), False),
        (Aim("ours", "at most", 2.9), False),
    ],
)
def test_aim_bounds_the_ratio_or_ours(aim: Aim, met: bool) -> None:
    assert aim.met(Row("sign", 3.0, "ms", floor=2.0, aim=aim)) is met


def test_json_line_says_whether_the_aim_is_met() -> None:
    line = json.loads(Row("sign", 4.0, "µs", n=2, floor_name="raw", floor=2.0, aim=AIM, note="slow").to_json())
    assert (line["ratio"], line["aim"], line["met"], line["floor_name"]) == (2.0, "≤ 1.5×", False, "raw")


def test_quantities_have_three_digits_and_separators() -> None:
    assert [quantity(value) for value in (0.01234, 1.5, 12.345, 3000.0, 12345.6)] == [
        "0.0123",
        "1.5",
        "12.3",
        "3,000",
        "12,346",
    ]


def test_table_is_aligned_and_lists_notes_below() -> None:
    rows = [Row("short", 1.0, "ms"), Row("a longer name", 20.5, "ms", 1000, "raw", 10.0, AIM, "twice the work")]
    heading, rule, first, second, _, note = table(rows).splitlines()
    assert heading.startswith("measurement")
    assert set(rule) == {"-"}
    assert first.index("ms") == second.index("ms")
    assert "2.05×" in second
    assert "NO" in second
    assert note == "a longer name: twice the work"
