"""What is put out and taken in, line by line: no text begins a row, and QR codes can be read."""

import io
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from client.desk.people_views import RequestView
from client.desk.told import RequestArrived, TroubleTold
from client.formats.text import _width, safe_text
from client.plain.account_items import qr_rows
from client.plain.bell import Bell
from client.plain.paper import CELLS_AT_LEAST, EndedError, Paper, WrongNumberError
from client.terminal.notifications import INTERVAL
from client.terminal.qr import QUIET_ZONE

COLUMNS = 40
ASKS = RequestView(
    group="ab",
    number="+12025550142",
    direct=True,
    members=2,
    messages=0,
    label="no message yet",
    why="",
    alike=None,
    alike_name=None,
    at=datetime(2027, 1, 9, tzinfo=UTC),
)
_MODULES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


class TerminalOutput(io.StringIO):
    """What says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def nothing_typed() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
async def typed() -> AsyncIterator[int]:
    reading, writing = os.pipe()
    os.write(writing, "one\r\n\x1b[D two \u202ex\n9\n2\nsecond\nlast".encode())
    os.close(writing)
    yield reading
    os.close(reading)


@given(text=st.text() | st.text(alphabet="a \n\u4e2d\u0301\u200d\U0001f44d-", max_size=200), columns=st.integers(1, 99))
def test_no_text_begins_a_row_or_leaves_the_width(nothing_typed: int, text: str, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        output = TerminalOutput()
        Paper(nothing_typed, output).say(f"1. 18:05 somebody: {safe_text(text)}")
    first, *further, end = output.getvalue().split("\n")
    assert first.startswith("1. 18:05") or columns < COLUMNS
    assert end == ""
    assert all(line.startswith("    ") for line in further)
    assert max(sum(map(_width, line)) for line in (first, *further)) <= max(columns, CELLS_AT_LEAST) + 1
    assert "".join(output.getvalue().split()) == "".join(f"1. 18:05 somebody: {safe_text(text)}".split())


async def test_lines_are_taken_in_one_by_one_and_made_safe(typed: int) -> None:
    output = io.StringIO()
    paper = Paper(typed, output)
    with paper.reading():
        assert await paper.ask("First:") == "one"
        assert await paper.ask("Second:") == "␛[D two x"
        with pytest.raises(WrongNumberError, match="'9' is none of them"):
            await paper.chosen("Which?", ("first", "second"))
        assert await paper.chosen("Which?", ("first", "second")) == 1
        assert await paper.chosen("Which?", ("first", "second")) == 1
        with pytest.raises(EndedError):
            await paper.ask("Last:")
        assert paper.unfinished() == "last"
    assert output.getvalue().startswith("First: one\nSecond: ␛[D two x\n")


async def test_emoji_are_put_into_words_where_that_is_set(nothing_typed: int) -> None:
    output = io.StringIO()
    Paper(nothing_typed, output, emoji_in_words=True).say("Good \U0001f44d")
    assert output.getvalue() == "Good [thumbs up]\n"


@pytest.mark.parametrize("dark_window", [True, False])
def test_a_qr_code_is_dark_on_light_in_a_window_of_either_kind(dark_window: bool) -> None:
    drawn = [[_MODULES[cell] for cell in row] for row in qr_rows("ringtrue:+12025550142", dark_window=dark_window)]
    lit = [row for cells in drawn for row in ([upper for upper, _ in cells], [lower for _, lower in cells])]
    code = segno.make("ringtrue:+12025550142", micro=False, error="l", boost_error=True)
    expected = [[module ^ dark_window for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]
    assert lit[: len(expected)] == expected
    assert all(module == dark_window for row in lit[len(expected) :] for module in row)


async def test_the_bell_rings_once_for_what_comes_together_and_only_at_a_terminal(nothing_typed: int) -> None:
    now = [1000.0]
    for output, wanted, rung in ((TerminalOutput(), True, 2), (TerminalOutput(), False, 0), (io.StringIO(), True, 0)):
        bell = Bell(Paper(nothing_typed, output), wanted, lambda: now[0])
        for seconds in (0, 1, INTERVAL):
            now[0] += seconds
            bell.hear(RequestArrived(request=ASKS))
            bell.hear(TroubleTold(group=None, code="unreachable", words="no network", hint=""))
        assert output.getvalue() == "\a" * rung
