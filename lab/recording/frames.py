"""What a terminal showed, frame by frame."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyte
from pyte.screens import Char

from lab.recording.terminal import Written

INTERVAL = 0.25  # seconds between two frames, at least
DARK, LIGHT = "121212", "e6e6e6"  # paper and ink of the window that is drawn
_DIGITS = re.compile("[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring cells that look alike; colours are six hexadecimal digits, or empty for the terminal's own."""

    column: int
    text: str
    ink: str
    paper: str
    bold: bool


Row = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What was seen from `at` on, in seconds."""

    at: float
    rows: tuple[Row, ...]

    @property
    def text(self) -> str:
        """What can be read in it."""
        return "\n".join("".join(run.text for run in row) for row in self.rows)


def frames(written: Sequence[Written], columns: int, rows: int) -> Iterator[Frame]:
    """Each frame that differs from the one before, up to where the program gives the screen back."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    last: tuple[Row, ...] = ()
    for place, each in enumerate(written):
        if b"\x1b[?1049l" in each.octets:
            return
        stream.feed(each.octets)
        following = written[place + 1].at if place + 1 < len(written) else each.at + INTERVAL
        if int(following / INTERVAL) == int(each.at / INTERVAL):
            continue
        shown = tuple(tuple(_runs(screen, row, columns)) for row in range(rows))
        if shown != last and any(shown):
            yield Frame(int(each.at / INTERVAL) * INTERVAL, shown)
            last = shown


def _runs(screen: pyte.Screen, row: int, columns: int) -> Iterator[Run]:
    cells = [screen.buffer[row][column] for column in range(columns)]
    column = 0
    for look, group in groupby(cells, _look):
        text = "".join(cell.data for cell in group)
        if text.strip() or look[1]:
            yield Run(column, text, *look)
        column += len(text)


def _look(cell: Char) -> tuple[str, str, bool]:
    ink, paper = _colour(cell.fg, LIGHT), _colour(cell.bg, DARK)
    if cell.reverse:
        ink, paper = paper, ink
    return "" if ink == LIGHT else ink, "" if paper == DARK else paper, cell.bold


def _colour(name: str, own: str) -> str:
    return name if _DIGITS.fullmatch(name) else own
