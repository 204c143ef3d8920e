"""The terminal client is measured as a process in a real pseudo-terminal."""

import os
import sys

import pytest

from lab.bench import terminal
from lab.bench.terminal_screen import GoneError, Screen


def test_every_acceptance_figure_has_a_row_with_its_aim() -> None:
    rows = {row.name: row for row in terminal.run(quick=True)}
    aims = {name: str(row.aim) for name, row in rows.items() if row.aim is not None}
    assert aims == {
        "start to the list of chats": "≤ 500",
        "the same while a daemon runs": "≤ 500",
        "chat switch": "≤ 50",
        "page up": "≤ 50",
        "page up, nine in ten within": "≤ 50",
        "search in all, the call": "≤ 100",
        "search in all, on the screen": "≤ 100",
        "peak memory after all that": "≤ 250",
        "idle CPU, online": "≤ 1",
    }
    start, memory = rows["start to the list of chats"], rows["peak memory after all that"]
    assert start.floor is not None
    assert start.floor > 0
    assert 0 < start.ours < rows["start to a chat with its composer"].ours
    assert memory.floor is not None
    assert memory.floor < memory.ours


def screen(program: str) -> Screen:
    return Screen([sys.executable, "-c", program], os.environ)


def test_the_clock_stops_at_the_output_that_was_waited_for() -> None:
    program = "import time; print('one', flush=True); time.sleep(0.2); print('two', flush=True); input()"
    with screen(program) as shown:
        two = shown.until(lambda rows: rows[1].startswith("two"))
        assert two - shown.started > 0.2


def test_what_is_typed_reaches_the_program() -> None:
    with screen("print('you said', input(), flush=True); input()") as shown:
        pressed = shown.press(b"hello\r")
        assert shown.until(lambda rows: any("you said hello" in row for row in rows)) > pressed


def test_a_program_that_ends_too_early_is_told_with_its_last_screen() -> None:
    with screen("print('it went wrong')") as shown, pytest.raises(GoneError, match="it went wrong"):
        shown.until(lambda rows: "never" in rows[0])


def test_a_terminal_says_what_it_is_when_it_is_asked() -> None:
    program = (
        "import sys, tty; tty.setcbreak(0); print(end='\\x1b[c', flush=True); print(sys.stdin.read(3)[1:]); input()"
    )
    with screen(program) as shown:
        shown.until(lambda rows: rows[0].startswith("[?"))


def test_work_and_memory_of_the_program_are_counted() -> None:
    program = (
        "import time\nwhile time.process_time() < 0.2: pass\nblock = b'x' * 2**25\nprint('done', flush=True); input()"
    )
    with screen(program) as shown:
        shown.until(lambda rows: rows[0].startswith("done"))
        assert 0.1 < shown.cpu() < 5
        assert 32 < shown.memory() < 500
