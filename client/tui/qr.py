"""QR codes that a telephone can read from a terminal: black on white whatever the theme, with a quiet zone."""

import io

from rich.text import Text

from client.terminal.qr import half_rows, modules, qr_code

PNG_QUIET_ZONE = 4
PNG_SCALE = 8  # pixels of a module

_INK = "#000000 on #ffffff"
_DARK = "on #000000"
_LIGHT = "on #ffffff"


def qr_text(content: str, *, full_blocks: bool = False) -> Text:
    """The code as text of fixed size: one character for two modules, or with `full_blocks` two spaces for each.

    Full blocks take four times the room and need no block characters: for fonts with gaps between rows.
    """
    rows = modules(content)
    text = Text(no_wrap=True, overflow="crop", end="")
    if full_blocks:
        text.append_text(Text("\n").join(_full_row(row) for row in rows))
    else:
        text.append_text(Text("\n").join(Text(line, _INK) for line in half_rows(rows)))
    return text


def qr_png(content: str) -> bytes:
    """The code as a PNG file, for a screen that shows none in its terminal."""
    file = io.BytesIO()
    qr_code(content).save(file, kind="png", scale=PNG_SCALE, border=PNG_QUIET_ZONE)
    return file.getvalue()


def _full_row(row: tuple[int, ...]) -> Text:
    return Text.assemble(*(("  ", _DARK if module else _LIGHT) for module in row))
