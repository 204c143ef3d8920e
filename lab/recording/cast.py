"""An asciicast, version 2 (docs.asciinema.org), of the frames: a header, and for each the rows that are new in it.

What the program wrote itself would be ten times as long: it draws whole parts of its screen anew.
"""

import json
from collections.abc import Iterator, Sequence

from lab.recording.frames import Frame, Row, Run

CLEAR, HIDE_CURSOR = "\x1b[2J", "\x1b[?25l"


def cast_lines(frames: Sequence[Frame], columns: int, title: str) -> Iterator[str]:
    """Its lines."""
    height = len(frames[0].rows)
    yield json.dumps({"version": 2, "width": columns, "height": height, "title": title})
    last: tuple[Row, ...] = ((),) * height
    for place, frame in enumerate(frames):
        changed = (row for row, (before, now) in enumerate(zip(last, frame.rows, strict=True)) if before != now)
        text = "".join(_drawn(row, frame.rows[row]) for row in changed)
        at = round(frame.at - frames[0].at, 3)
        yield json.dumps([at, "o", text if place else HIDE_CURSOR + CLEAR + text])
        last = frame.rows


def _drawn(row: int, runs: Row) -> str:
    return f"\x1b[{row + 1};1H\x1b[m\x1b[2K" + "".join(_run(row, run) for run in runs)


def _run(row: int, run: Run) -> str:
    look = ["0", *(["1"] if run.bold else []), *_colour("38", run.ink), *_colour("48", run.paper)]
    return f"\x1b[{row + 1};{run.column + 1}H\x1b[{';'.join(look)}m{run.text}"


def _colour(ground: str, colour: str) -> list[str]:
    """Select Graphic Rendition parameters of six hexadecimal digits; none for the terminal's own colour."""
    return [] if not colour else [ground, "2", *(str(int(colour[place : place + 2], 16)) for place in (0, 2, 4))]
