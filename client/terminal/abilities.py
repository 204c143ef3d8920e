"""What the terminal can do, from what it says about itself in the environment; only pictures are asked for."""

import os
import re
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from client.finding import Finding

COLUMNS_AT_LEAST, ROWS_AT_LEAST = 60, 16  # of a window that the terminal client can be used in
TRUE_COLOUR = 1 << 24
ANSWER_LIMIT = 1024  # octets
SCREEN_PIECE = 240  # characters; screen drops longer strings

Likelihood = Literal["likely", "unlikely", "unknown"]
Graphics = Literal["none", "kitty", "sixel", "iterm"]

_TRUE_COLOUR_TERMS = re.compile(r".*-direct|xterm-(?:kitty|ghostty)|alacritty|foot(?:-extra)?|wezterm|contour")
_COLOURLESS_TERMS = frozenset({"", "dumb", "unknown", "vt52", "vt100", "vt102", "vt220", "vt320"})
_SETS_CLIPBOARD = re.compile(r"xterm-(?:kitty|ghostty)|alacritty|foot(?:-extra)?|wezterm|contour|rio")
_PROGRAM_SETS_CLIPBOARD: dict[str, Likelihood] = {
    "WezTerm": "likely",
    "ghostty": "likely",
    "vscode": "likely",
    "Apple_Terminal": "unlikely",
}
# A question about the kitty protocol, then one that every terminal answers (DA1, ECMA-48): its answer ends the wait.
_QUESTION = b"\x1b_Gi=4097,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
_LAST_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
_ITERM = re.compile(r"iTerm\.app|iTerm2|WezTerm")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a terminal can do; `columns` and `rows` in cells, `graphics` is "none" until it is asked for."""

    is_terminal: bool
    term: str
    colours: int
    no_color: bool
    columns: int
    rows: int
    utf8: bool
    multiplexer: Literal["", "tmux", "screen"]
    over_ssh: bool
    sets_clipboard: Likelihood
    graphics: Graphics = "none"

    @property
    def can_draw(self) -> bool:
        """Whether the terminal client can be drawn at all; if not, the line mode can still be used."""
        return self.is_terminal and self.term not in ("", "dumb", "unknown")


def look_at_terminal() -> Abilities:
    """The abilities of the terminal that this process has; nothing is sent to it."""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    columns, rows = shutil.get_terminal_size()
    return abilities_from(os.environ, is_terminal=is_terminal, columns=columns, rows=rows)


def abilities_from(environment: Mapping[str, str], *, is_terminal: bool, columns: int, rows: int) -> Abilities:
    """The abilities that an environment tells of."""
    return Abilities(
        is_terminal=is_terminal,
        term=environment.get("TERM", ""),
        colours=_colours(environment),
        no_color="NO_COLOR" in environment,  # even empty: so does Textual
        columns=columns,
        rows=rows,
        utf8=_is_utf8(environment),
        multiplexer=_multiplexer(environment),
        over_ssh=bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY")),
        sets_clipboard=_sets_clipboard(environment),
    )


def ask_graphics(environment: Mapping[str, str], descriptor: int, timeout: float) -> Graphics:
    """How the terminal behind the descriptor shows pictures; waits for at most `timeout` seconds.

    To be called before an app reads the terminal. A multiplexer answers for itself, and passes no pictures on.
    """
    if _multiplexer(environment) or not os.isatty(descriptor):
        return "none"
    answer = _answer(descriptor, timeout)
    attributes = _LAST_ANSWER.search(answer)
    if b"\x1b_Gi=4097;OK" in answer:
        return "kitty"
    if attributes is not None and b"4" in attributes[1].split(b";"):
        return "sixel"
    program = environment.get("TERM_PROGRAM", "") or environment.get("LC_TERMINAL", "")
    return "iterm" if attributes is not None and _ITERM.fullmatch(program) else "none"


def passed_through(sequence: str, environment: Mapping[str, str]) -> str:
    """A control sequence wrapped so that a multiplexer hands it on to the terminal outside; as it is without one."""
    match _multiplexer(environment):
        case "tmux":  # only with: set -g allow-passthrough on
            return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        case "screen":
            pieces = (sequence[at : at + SCREEN_PIECE] for at in range(0, len(sequence), SCREEN_PIECE))
            return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
        case _:
            return sequence


def findings(abilities: Abilities) -> Iterator[Finding]:
    """What is right and what is not, in words for people."""
    yield _drawing(abilities)
    yield _size(abilities)
    words = "UTF-8" if abilities.utf8 else "the locale is not UTF-8; set LC_ALL to one that is, such as C.UTF-8"
    yield Finding("letters", abilities.utf8, words)
    yield _colour(abilities)
    yield _clipboard(abilities)
    words = f"shown by the {abilities.graphics} protocol" if abilities.graphics != "none" else "shown in half blocks"
    yield Finding("pictures", True, words)


def _drawing(abilities: Abilities) -> Finding:
    if not abilities.is_terminal:
        return Finding("terminal", False, "input or output is no terminal; use: ringtrue --plain")
    if not abilities.can_draw:
        return Finding(
            "terminal", False, f"TERM is {abilities.term!a}, which cannot be drawn on; use: ringtrue --plain"
        )
    inside = f" inside {abilities.multiplexer}" if abilities.multiplexer else ""
    return Finding(
        "terminal", True, f"{ascii(abilities.term)[1:-1]}{inside}{' over ssh' if abilities.over_ssh else ''}"
    )


def _size(abilities: Abilities) -> Finding:
    large = abilities.columns >= COLUMNS_AT_LEAST and abilities.rows >= ROWS_AT_LEAST
    words = f"{abilities.columns} by {abilities.rows} cells"
    if not large:
        words += f"; make it {COLUMNS_AT_LEAST} by {ROWS_AT_LEAST} or larger, or use: ringtrue --plain"
    return Finding("window", large, words)


def _colour(abilities: Abilities) -> Finding:
    if abilities.no_color:
        return Finding("colours", True, "none, as NO_COLOR asks")
    if abilities.colours == TRUE_COLOUR:
        return Finding("colours", True, "all")
    return Finding("colours", True, f"{abilities.colours or 'none'}; words and signs say the same")


def _clipboard(abilities: Abilities) -> Finding:
    match abilities.sets_clipboard, abilities.multiplexer:
        case "unlikely", _:
            return Finding("clipboard", False, "this terminal does not let programs copy; drag with Shift held instead")
        case _, "tmux":
            return Finding("clipboard", True, "copying through tmux needs: set -s set-clipboard on")
        case "likely", _:
            return Finding("clipboard", True, "the terminal copies (OSC 52)")
        case _:
            return Finding("clipboard", True, "may work (OSC 52); if not, drag with Shift held")


def _colours(environment: Mapping[str, str]) -> int:
    term = environment.get("TERM", "")
    if term in _COLOURLESS_TERMS:
        return 0
    if environment.get("COLORTERM", "") in ("truecolor", "24bit") or _TRUE_COLOUR_TERMS.fullmatch(term):
        return TRUE_COLOUR
    return 256 if "256color" in term else 16


def _is_utf8(environment: Mapping[str, str]) -> bool:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environment.get(name):  # the first that is set decides (POSIX.1-2024 §8.2)
            return value.lower().replace("-", "").partition("@")[0].endswith(".utf8") or value == "UTF-8"
    return False


def _multiplexer(environment: Mapping[str, str]) -> Literal["", "tmux", "screen"]:
    if environment.get("TMUX"):
        return "tmux"
    return "screen" if environment.get("STY") else ""


def _sets_clipboard(environment: Mapping[str, str]) -> Likelihood:
    if _multiplexer(environment):
        return "unknown"
    if environment.get("WT_SESSION") or _SETS_CLIPBOARD.fullmatch(environment.get("TERM", "")):
        return "likely"
    if environment.get("VTE_VERSION"):
        return "unlikely"
    return _PROGRAM_SETS_CLIPBOARD.get(environment.get("TERM_PROGRAM", ""), "unknown")


def _answer(descriptor: int, timeout: float) -> bytes:
    answer = b""
    deadline = time.monotonic() + timeout
    with _unbuffered(descriptor):
        os.write(descriptor, _QUESTION)
        while len(answer) < ANSWER_LIMIT and not _LAST_ANSWER.search(answer):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                break
            octets = os.read(descriptor, ANSWER_LIMIT)
            if not octets:
                break
            answer += octets
    return answer


@contextmanager
def _unbuffered(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)  # an answer that comes late is not typed input
