"""Lines out, lines in: nothing but printable text and newlines is written, and never into a line that is being typed.

The one exception is the bell, which moves nothing and which others' text cannot ring.

What is typed is edited by the terminal's own line discipline, which every terminal and screen reader knows. It cannot
draw a line again, so whoever has news keeps it until Enter was pressed (client.plain.news).
"""

import asyncio
import os
import shutil
import termios
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from client.errors import ClientError
from client.failures import EXPECTED, failure, hint_inside
from client.formats.text import folded, safe_text, without_emoji

CELLS_AT_LEAST = 20  # of a terminal that says it is narrower
INDENT = 4  # cells before what goes on with a line, as client.formats.text.folded puts them
LOCAL_FLAGS, CHARACTERS = 3, 6  # places in what termios gives
PIECE = 1 << 16  # octets read at once
YES = ("y", "yes")


class EndedError(Exception):
    """The input has ended: there is nobody to ask any more."""


class WrongNumberError(ClientError):
    """A choice is none of those that were offered."""

    code = "no-such-choice"
    hint = "Write one of the numbers, or press Enter alone for none."
    exit_code = 2


class Paper:
    """An input of lines and an output of lines; `guard` is awaited before a typed line is used."""

    def __init__(self, descriptor: int, output: TextIO, *, emoji_in_words: bool = False) -> None:
        self.is_terminal = os.isatty(descriptor)
        self._descriptor = descriptor
        self._output = output
        self._emoji_in_words = emoji_in_words
        self._read = b""
        self._ended = False
        self._more = asyncio.Event()
        self.guard: Callable[[], Awaitable[None]] = _open_to_all

    @property
    def cells(self) -> int | None:
        """How wide a line of the output is; None if it is no terminal."""
        return max(CELLS_AT_LEAST, shutil.get_terminal_size().columns) if self._output.isatty() else None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Take what is typed, for as long as the context lasts."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._descriptor, self._take)
        except PermissionError:  # a file is always ready, so the system offers nothing to wait for
            while not self._ended:
                self._take()
        try:
            # An interrupt must not throw away what was typed so far: it becomes a draft.
            with self._flags(on=termios.NOFLSH):
                yield
        finally:
            loop.remove_reader(self._descriptor)

    def say(self, words: str) -> None:
        """Put out one thing, whose further lines are indented; `words` are safe to draw."""
        self._write(self._fitted(words) + "\n")

    def ring(self) -> None:
        """Ring the bell of a terminal."""
        if self._output.isatty():
            self._write("\a")

    def trouble(self, error: Exception) -> None:
        """Say what went wrong, and on a line of its own what to do; `error` is one of client.failures.EXPECTED."""
        assert isinstance(error, EXPECTED)
        wrong = failure(error)
        self.say(f"Error: {wrong.detail}")
        if wrong.hint:
            self.say(hint_inside(wrong.hint))

    async def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """One line, made safe to draw unless it is `hidden` while it is typed. Raises EndedError."""
        self._write(self._fitted(prompt) + " ")
        try:
            with self._flags(off=termios.ECHO if hidden else 0):
                typed = (await self._line()).decode("utf-8", "replace").removesuffix("\r")
        except (EndedError, asyncio.CancelledError):
            self._write("\n")
            raise
        if hidden:
            self._write("\n")
            return typed
        return await self._guarded(safe_text(typed).text)

    async def agreed(self, question: str) -> bool:
        """Whether the answer is yes. Raises EndedError."""
        return (await self.ask(f"{question} (yes or no):")).strip().lower() in YES

    async def chosen(self, question: str, words: Sequence[str]) -> int | None:
        """The index of the one that is chosen by its number or its words. Raises EndedError, WrongNumberError."""
        answer = (await self.ask(f"{question} (number, or Enter for none):")).strip()
        if not answer:
            return None
        named = [index for index, each in enumerate(words) if each.casefold() == answer.casefold()]
        index = int(answer) - 1 if answer.isascii() and answer.isdigit() else named[0] if len(named) == 1 else -1
        if not 0 <= index < len(words):
            raise WrongNumberError(f"{answer[:40]!a} is none of them")
        return index

    async def line_waits(self) -> None:
        """Wait until a line was typed, or the input has ended; the line stays for who asks next."""
        while not self.line_is_there and not self._ended:
            self._more.clear()
            await self._more.wait()

    @property
    def line_is_there(self) -> bool:
        """Whether a line was typed that nobody has asked for yet."""
        return b"\n" in self._read

    def skip_empty_line(self) -> None:
        """Forget a line that waits, if nothing is in it."""
        if self._read.startswith((b"\n", b"\r\n")):
            self._read = self._read.partition(b"\n")[2]

    def unfinished(self) -> str:
        """What was typed and not ended with Enter."""
        if self.is_terminal:
            self._take_unfinished()
        typed, self._read = self._read.decode("utf-8", "replace"), b""
        return safe_text(typed).text

    async def _guarded(self, shown: str) -> str:
        if not self.is_terminal:
            self._write(folded(shown, self.cells) + "\n")
        try:
            await self.guard()
        except (EndedError, asyncio.CancelledError):
            self.unfinished()  # half a passphrase must not become part of a draft
            self._read = shown.encode()  # typed, and not used
            raise
        return shown

    async def _line(self) -> bytes:
        await self.line_waits()
        if not self.line_is_there:
            raise EndedError
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _take(self) -> None:
        try:
            octets = os.read(self._descriptor, PIECE)
        except OSError:  # the terminal has gone
            octets = b""
        if not octets:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._read += octets
        self._more.set()

    def _take_unfinished(self) -> None:
        # Outside canonical mode the terminal hands out a line before it is finished.
        with suppress(termios.error, OSError), self._flags(off=termios.ICANON, at_once=True):
            self._read += os.read(self._descriptor, PIECE)

    @contextmanager
    def _flags(self, *, on: int = 0, off: int = 0, at_once: bool = False) -> Iterator[None]:
        """Set local flags of the terminal, if it is one, for as long as the context lasts."""
        if not self.is_terminal or not (on or off):
            yield
            return
        before, now = termios.tcgetattr(self._descriptor), termios.tcgetattr(self._descriptor)
        now[LOCAL_FLAGS] = (now[LOCAL_FLAGS] | on) & ~off
        if at_once:
            now[CHARACTERS][termios.VMIN], now[CHARACTERS][termios.VTIME] = 0, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, now)
        try:
            yield
        finally:
            with suppress(termios.error):  # the terminal has gone
                termios.tcsetattr(self._descriptor, termios.TCSANOW, before)

    def _fitted(self, words: str) -> str:
        if self._emoji_in_words:
            words = without_emoji(words)
        cells = self.cells
        return folded(words if cells is None else _broken(words, cells), cells)

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


async def _open_to_all() -> None:
    """Nothing is guarded."""


def _broken(words: str, cells: int) -> str:
    """Break lines between words where that is possible; `folded` indents what goes on, and breaks longer words."""
    lines = (
        textwrap.wrap(line, cells - INDENT, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
        or [""]
        for line in words.split("\n")
    )
    return "\n".join("\n".join(broken) for broken in lines)
