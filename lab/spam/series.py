"""Runs over time: what people had seen by the end of each day, for the figures and for anybody's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.spam.records import Attempt
from lab.spam.scenario import Scenario, name_of


@dataclass(frozen=True, slots=True)
class Point:
    """Totals of a run at the end of a step; `day` counts from 0, in fractions."""

    seed: int
    defences: str
    day: float
    attempted: int
    seen: int
    carded: int
    seen_per_user: float
    seen_per_number: float
    carded_per_user: float
    honest: int
    honest_hidden: int


def series(scenario: Scenario, attempts: Sequence[Attempt]) -> list[Point]:
    """One point a step."""
    return [_point(scenario, attempts, step) for step in range(scenario.steps)]


def _point(scenario: Scenario, attempts: Sequence[Attempt], step: int) -> Point:
    so_far = [each for each in attempts if each.step <= step]
    spam = [each for each in so_far if each.spam]
    honest = [each for each in so_far if not each.spam]
    seen = sum(each.seen is not None and each.seen <= step for each in spam)
    carded = sum(each.carded is not None and each.carded <= step for each in spam)
    return Point(
        seed=scenario.seed,
        defences=name_of(scenario.defences),
        day=(step + 1) * scenario.step / 86_400,
        attempted=len(spam),
        seen=seen,
        carded=carded,
        seen_per_user=seen / scenario.users,
        seen_per_number=seen / max(len({each.number for each in spam}), 1),
        carded_per_user=carded / scenario.users,
        honest=len(honest),
        honest_hidden=sum(each.hidden for each in honest),
    )
