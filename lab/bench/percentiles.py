"""Percentiles of what was measured."""

from collections.abc import Sequence


def percentiles(values: Sequence[float], of: Sequence[float] = (50, 95, 99)) -> list[float]:
    """The values below which so many percent lie: each is one that was measured."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] for percent in of]
