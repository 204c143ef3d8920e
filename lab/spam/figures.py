"""The laboratory's figures, drawn from its series with matplotlib: SVG that looks the same for the same figures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.spam.series import Point

SIZE = (7.2, 4.2)  # inches
COLOURS = ("#444444", "#b3420f", "#1f6fb2", "#2f7d32", "#7b3fa0", "#a08000", "#0f8b8d", "#c2185b", "#5d4037", "#000000")


def draw(points: Sequence[Point], folder: Path) -> list[Path]:
    """Draw every figure; returns where they are."""
    plain = mpl.rc_context(
        {"svg.hashsalt": "ringtrue", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    with plain:
        return [
            _lines(points, folder / "spam-per-user.svg", lambda point: point.seen_per_user,
                   "Spam whose words a person has seen, per person"),
            _lines(points, folder / "spam-per-number.svg", lambda point: point.seen_per_number,
                   "Spam seen per certified number that the spammers used"),
            _lines(points, folder / "requests-per-user.svg", lambda point: point.carded_per_user,
                   "Spammers' numbers seen among requests, per person"),
            _bars(points, folder / "false-positives.svg"),
        ]  # fmt: skip


def _lines(points: Sequence[Point], path: Path, value: Callable[[Point], float], title: str) -> Path:
    figure = Figure(SIZE, layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(_names(points)):
        for seed in sorted({point.seed for point in points}):
            line = [point for point in points if (point.defences, point.seed) == (name, seed)]
            label = name if seed == min(point.seed for point in points if point.defences == name) else None
            days, values = [point.day for point in line], [value(point) for point in line]
            axes.plot(days, values, color=COLOURS[place % len(COLOURS)], label=label, linewidth=1.4)
    axes.set_xlabel("days")
    axes.set_yscale("symlog", linthresh=0.01)  # from nothing to everything, on one axis
    return _saved(figure, axes, path, title)


def _bars(points: Sequence[Point], path: Path) -> Path:
    figure = Figure(SIZE, layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(_names(points)):
        shares = [last.honest_hidden / max(last.honest, 1) * 100 for last in _last(points, name)]
        axes.barh(place, max(shares), color=COLOURS[place % len(COLOURS)], height=0.6)
        axes.annotate(f" {max(shares):.2f} %", (max(shares), place), va="center")
    axes.set_yticks(range(len(_names(points))), _names(points))
    axes.invert_yaxis()
    axes.axvline(0.1, color="#444444", linestyle=":", linewidth=1)
    axes.set_xlabel("per cent (dotted: the aim, 0.1 %)")
    return _saved(figure, axes, path, "Honest first contacts that were hidden, worst seed", legend=False)


def _last(points: Sequence[Point], name: str) -> list[Point]:
    chosen = [point for point in points if point.defences == name]
    return [max((each for each in chosen if each.seed == seed), key=lambda point: point.day)
            for seed in sorted({point.seed for point in chosen})]  # fmt: skip


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.defences for point in points))


def _saved(figure: Figure, axes: Axes, path: Path, title: str, *, legend: bool = True) -> Path:
    axes.set_title(title, loc="left")
    if legend:
        axes.legend(frameon=False, title="defences")
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path
