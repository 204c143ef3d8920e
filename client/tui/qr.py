"""QR codes that a telephone can read from a terminal: black on white whatever the theme, with a quiet zone."""

import io
from itertools import zip_longest

import segno
from rich.text import Text

QUIET_ZONE = 2  # modules; the standard's four are for paper, and a terminal has few rows
PNG_QUIET_ZONE = 4
PNG_SCALE = 8  # pixels of a module

_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
_INK = "#000000 on #ffffff"
_DARK = "on #000000"
_LIGHT = "on #ffffff"


def qr_text(content: str, *, full_blocks: bool = False) -> Text:
    """The code as text of fixed size: one character for two modules, or with `full_blocks` two spaces for each.

    Full blocks take four times the room and need no block characters: for fonts with gaps between rows.
    """
    rows = _modules(content)
    text = Text(no_wrap=True, overflow="crop", end="")
    if full_blocks:
        text.append_text(Text("\n").join(_full_row(row) for row in rows))
    else:
        pairs = zip_longest(rows[::2], rows[1::2], fillvalue=(0,) * len(rows[0]))
        lines = ("".join(_HALVES[cell] for cell in zip(*pair, strict=True)) for pair in pairs)
        text.append_text(Text("\n").join(Text(line, _INK) for line in lines))
    return text


def qr_png(content: str) -> bytes:
    """The code as a PNG file, for a screen that shows none in its terminal."""
    file = io.BytesIO()
    _code(content).save(file, kind="png", scale=PNG_SCALE, border=PNG_QUIET_ZONE)
    return file.getvalue()


def _modules(content: str) -> list[tuple[int, ...]]:
    return [tuple(row) for row in _code(content).matrix_iter(border=QUIET_ZONE)]


def _code(content: str) -> segno.QRCode:
    # No Micro QR: few cameras know it. The lowest level lets segno use a higher one where it costs no room.
    return segno.make(content, micro=False, error="l", boost_error=True)


def _full_row(row: tuple[int, ...]) -> Text:
    return Text.assemble(*(("  ", _DARK if module else _LIGHT) for module in row))
