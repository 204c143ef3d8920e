"""A program in a pseudo-terminal of its own: keys go in, and the clock stops when what they led to has arrived."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

COLUMNS, ROWS = 116, 32
QUIET = 0.03  # seconds without output, after which what arrived is parsed: reading the clock never waits for that
LONG = 60.0  # seconds until a measurement is given up
ATTRIBUTES, ANSWER = b"\x1b[c", b"\x1b[?62;22c"  # what a program asks a terminal (DA1), and what one with colours says
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")

Holds = Callable[[Sequence[str]], bool]


class GoneError(Exception):
    """The program has ended, or never drew what was waited for; the message is its last screen."""


class Screen:
    """One running program; all times are seconds of `time.perf_counter`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._arrived: list[tuple[float, bytes]] = []
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            command, stdin=inner, stdout=inner, stderr=inner, env=dict(environment), start_new_session=True
        )
        os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    @property
    def rows(self) -> list[str]:
        """What is on the screen, as far as it was waited for."""
        return list(self._screen.display)

    def until(self, holds: Holds) -> float:
        """When the output arrived with which `holds` became true of the screen. Raises GoneError."""
        end = time.perf_counter() + LONG
        while time.perf_counter() < end:
            if self._read(QUIET):
                continue
            while self._arrived:
                moment, octets = self._arrived.pop(0)
                self._stream.feed(octets)
                if holds(self.rows):
                    return moment
        raise GoneError("\n".join(self.rows))

    def rest(self, seconds: float) -> None:
        """Let the program do what it does by itself, and take in what it draws."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)
        self._take()

    def press(self, keys: bytes) -> float:
        """Type; returns when."""
        moment = time.perf_counter()
        os.write(self._terminal, keys)
        return moment

    def cpu(self) -> float:
        """Seconds of CPU time of all its threads so far, in steps of 10 ms where that is all the system says."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        if not stat.exists():
            return _seconds(self._asked("time="))
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Its peak resident set, in MiB; where the system does not say, the present one."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists() and (peak := _PEAK.search(status.read_text())):
            return int(peak[1]) / 1024
        return int(self._asked("rss=")) / 1024

    def _take(self) -> None:
        for _, octets in self._arrived:
            self._stream.feed(octets)
        self._arrived.clear()

    def _read(self, wait: float) -> bool:
        if not select.select([self._terminal], [], [], wait)[0]:
            return False
        try:
            octets = os.read(self._terminal, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            octets = b""
        if not octets:
            self._take()
            raise GoneError("\n".join(self.rows))
        self._arrived.append((time.perf_counter(), octets))
        if ATTRIBUTES in octets:
            os.write(self._terminal, ANSWER)
        return True

    def _asked(self, column: str) -> str:
        command = ["ps", "-o", column, "-p", str(self._process.pid)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - constant


def _seconds(written: str) -> float:
    """A time as ps writes it: 1:02.50, or 00:01:02."""
    return float(sum(float(part) * 60**place for place, part in enumerate(reversed(written.split(":")))))
