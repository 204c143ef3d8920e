"""One measured line: what is ours, what it is compared with, and the aim."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Aim:
    """What a row should reach: a bound on ours divided by the floor ("ratio"), or on ours itself ("ours")."""

    of: Literal["ratio", "ours"]
    bound: Literal["at most", "at least"]
    value: float

    def met(self, row: "Row") -> bool:
        """Compare the row with the aim; a row without a floor misses every aim on the ratio."""
        measured = row.ratio if self.of == "ratio" else row.ours
        if measured is None:
            return False
        return measured <= self.value if self.bound == "at most" else measured >= self.value

    def __str__(self) -> str:
        """Show the bound: `≤ 1.6` as a ratio, or `≥ 3,000`."""
        sign = "≤" if self.bound == "at most" else "≥"
        return f"{sign} {quantity(self.value)}×" if self.of == "ratio" else f"{sign} {quantity(self.value)}"


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in `unit` ("µs", "ms", "s", "/s", "MiB"); `n` is the size of the case, such as members of a group.

    `note` says where the rest goes, or what differs between ours and the floor.
    """

    name: str
    ours: float
    unit: str
    n: int | None = None
    floor_name: str | None = None
    floor: float | None = None
    aim: Aim | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the floor."""
        return self.ours / self.floor if self.floor else None

    def to_json(self) -> str:
        """The row as one JSON line."""
        fields: dict[str, object] = {
            "name": self.name,
            "n": self.n,
            "unit": self.unit,
            "ours": self.ours,
            "floor_name": self.floor_name,
            "floor": self.floor,
            "ratio": self.ratio,
            "aim": str(self.aim) if self.aim else None,
            "met": self.aim.met(self) if self.aim else None,
            "note": self.note,
        }
        return json.dumps(fields, ensure_ascii=True)


def quantity(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


HEADINGS = ("measurement", "N", "ours", "floor", "ratio", "aim", "met", "compared with")


def table(rows: Iterable[Row]) -> str:
    """All rows aligned under their headings; notes follow below the table."""
    kept = list(rows)
    cells = [HEADINGS, *(_cells(row) for row in kept)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [_aligned(line, widths) for line in cells]
    lines.insert(1, "-" * len(lines[0].ljust(sum(widths) + 2 * (len(widths) - 1))))
    notes = [f"{row.name}: {row.note}" for row in kept if row.note]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.n:,}" if row.n is not None else "",
        f"{quantity(row.ours)} {row.unit}",
        f"{quantity(row.floor)} {row.unit}" if row.floor is not None else "",
        f"{row.ratio:.2f}×" if row.ratio is not None else "",
        str(row.aim) if row.aim else "",
        {True: "yes", False: "NO", None: ""}[row.aim.met(row) if row.aim else None],
        row.floor_name or "",
    )


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    left = {0, 7}
    padded = (
        text.ljust(width) if column in left else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
