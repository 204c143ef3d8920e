"""QR codes as rows of characters: two modules to a character, with a quiet zone."""

from collections.abc import Iterator
from itertools import zip_longest

import segno

QUIET_ZONE = 2  # modules; the standard's four are for paper, and a terminal has few rows
HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
_INK = "\x1b[38;2;0;0;0;48;2;255;255;255m"  # black on white, whatever the terminal's own colours are
_END = "\x1b[0m"


def qr_code(content: str) -> segno.QRCode:
    """The code."""
    # No Micro QR: few cameras know it. The lowest level lets segno use a higher one where it costs no room.
    return segno.make(content, micro=False, error="l", boost_error=True)


def modules(content: str) -> list[tuple[int, ...]]:
    """The code's rows with their quiet zone: 1 is dark."""
    return [tuple(row) for row in qr_code(content).matrix_iter(border=QUIET_ZONE)]


def half_rows(rows: list[tuple[int, ...]], *, fill: int = 0) -> Iterator[str]:
    """Two rows of modules as one of characters; `fill` ends an odd number of them."""
    for pair in zip_longest(rows[::2], rows[1::2], fillvalue=(fill,) * len(rows[0])):
        yield "".join(HALVES[cell] for cell in zip(*pair, strict=True))


def coloured_rows(content: str) -> Iterator[str]:
    """The code for a terminal that takes colours, dark or light."""
    for row in half_rows(modules(content)):
        yield f"{_INK}{row}{_END}"
