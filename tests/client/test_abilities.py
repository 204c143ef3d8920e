"""What a terminal can do, read from its environment, and asked of a terminal at the other end of a real pty."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.terminal.abilities import TRUE_COLOUR, Abilities, abilities_from, ask_graphics, findings


def told(**environment: str) -> Abilities:
    return abilities_from(environment, is_terminal=True, columns=80, rows=24)


GOOD = told(TERM="xterm-kitty", LANG="en_US.UTF-8")


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, TRUE_COLOUR),
        ({"TERM": "screen-256color", "COLORTERM": "24bit"}, TRUE_COLOUR),
        ({"TERM": "xterm-direct"}, TRUE_COLOUR),
        ({"TERM": "foot"}, TRUE_COLOUR),
        ({"TERM": "linux"}, 16),
        ({"TERM": "xterm"}, 16),
        ({"TERM": "vt100"}, 0),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({}, 0),
    ],
)
def test_colours_are_those_that_the_terminal_names(environment: dict[str, str], colours: int) -> None:
    assert told(**environment).colours == colours


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, True),
        ({}, False),
    ],
)
def test_the_locale_that_counts_says_whether_letters_are_utf8(environment: dict[str, str], utf8: bool) -> None:
    assert told(**environment).utf8 is utf8


@pytest.mark.parametrize(
    ("environment", "likelihood"),
    [
        ({"TERM": "xterm-kitty"}, "likely"),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, "likely"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, "likely"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "unlikely"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7006"}, "unlikely"),
        ({"TERM": "xterm-256color"}, "unknown"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/t", "VTE_VERSION": "7006"}, "unknown"),
    ],
)
def test_whether_programs_may_copy_depends_on_the_terminal(environment: dict[str, str], likelihood: str) -> None:
    assert told(**environment).sets_clipboard == likelihood


def test_what_lies_between_is_known() -> None:
    assert told(TMUX="/tmp/tmux-0/default,1,0").multiplexer == "tmux"
    assert told(STY="1.pts-0").multiplexer == "screen"
    assert told(SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22").over_ssh
    assert not told().over_ssh


def test_a_good_terminal_gives_only_right_findings() -> None:
    assert all(finding.right for finding in findings(GOOD))


@pytest.mark.parametrize(
    ("change", "subject", "words"),
    [
        ({"is_terminal": False}, "terminal", "ringtrue --plain"),
        ({"term": "dumb"}, "terminal", "ringtrue --plain"),
        ({"columns": 59}, "window", "60 by 16"),
        ({"rows": 15}, "window", "60 by 16"),
        ({"utf8": False}, "letters", "LC_ALL"),
        ({"sets_clipboard": "unlikely"}, "clipboard", "Shift"),
    ],
)
def test_what_is_missing_is_found_with_what_to_do(change: dict[str, object], subject: str, words: str) -> None:
    wrong = [finding for finding in findings(replace(GOOD, **change)) if not finding.right]  # type: ignore[arg-type]
    assert [finding.subject for finding in wrong] == [subject]
    assert words in wrong[0].words


NAMES = ["TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TMUX", "STY", "SSH_TTY", "VTE_VERSION", "TERM_PROGRAM"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_any_environment_gives_findings_that_can_be_printed(environment: dict[str, str]) -> None:
    for finding in findings(told(**environment)):
        assert finding.words.isprintable()


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: our end of it, and the end that a terminal program has."""
    theirs, ours = os.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def asked(terminal: tuple[int, int], answer: bytes, **environment: str) -> tuple[str, bytes]:
    """What is found out from a terminal that answers thus, and what it was asked."""
    ours, theirs = terminal
    heard: list[bytes] = []

    def answering() -> None:
        heard.append(os.read(theirs, 1024))
        os.write(theirs, answer)

    thread = threading.Thread(target=answering)
    thread.start()
    found = ask_graphics(environment, ours, timeout=5 if answer else 0.05)
    thread.join()
    return found, heard[0]


@pytest.mark.parametrize(
    ("answer", "environment", "graphics"),
    [
        (b"\x1b_Gi=4097;OK\x1b\\\x1b[?62;c", {}, "kitty"),
        (b"\x1b[?62;4;22c", {}, "sixel"),
        (b"\x1b[?62;14;22c", {}, "none"),
        (b"\x1b_Gi=4097;ENOTSUPPORTED\x1b\\\x1b[?1;2c", {}, "none"),
        (b"\x1b[?1;2c", {"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        (b"", {}, "none"),
        (b"x" * 2000, {}, "none"),
    ],
)
def test_a_terminal_is_asked_how_it_shows_pictures(
    terminal: tuple[int, int], answer: bytes, environment: dict[str, str], graphics: str
) -> None:
    found, heard = asked(terminal, answer, **environment)
    assert found == graphics
    assert heard.endswith(b"\x1b[c")


def test_a_multiplexer_is_not_asked(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    assert ask_graphics({"TMUX": "1"}, ours, timeout=5) == "none"
    os.set_blocking(theirs, False)
    with pytest.raises(BlockingIOError):
        os.read(theirs, 10)
