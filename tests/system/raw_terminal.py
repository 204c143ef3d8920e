"""A raw pseudo-terminal with the client in it: all octets that it is sent, and the controls among them by kinds."""

import asyncio
import os
import re
import sys
from collections.abc import Callable

import pexpect
import pyte

from tests.system.shell import MAIN, Shell

COLUMNS, ROWS = 120, 40
PATIENCE = 60  # seconds until a test gives up
CONFIG = 'notifications = "text"\nimages = "blocks"\nclipboard = "osc52"\nbell = false\n'

CONTROL = re.compile(
    rb"\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|\x1b\[(?P<csi>[<-?]?[0-9;:]*[ -/]*[@-~])"
    rb"|\x1b(?P<esc>[^\[\]])"
    rb"|(?P<c0>[\x00-\x09\x0b\x0c\x0e-\x1f\x7f])"
)


class Pty:
    """A pseudo-terminal with the client in it: every octet that it was sent, and what a terminal makes of them."""

    def __init__(self, person: Shell, *arguments: str, **environment: str) -> None:
        self.octets = bytearray()
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        known = {
            "TERM": "xterm-256color",
            "TERM_PROGRAM": "iTerm.app",
            "COLORTERM": "truecolor",
            "PATH": "/usr/bin:/bin",
        }
        (person.folder / "config.toml").write_text(CONFIG)
        settings = {"RINGTRUE_CONFIG": str(person.folder / "config.toml"), "HOME": str(person.folder)}
        self._child = pexpect.spawn(
            sys.executable,
            ["-c", MAIN, *arguments],
            env={**person.env, **known, **settings, **environment},  # type: ignore[arg-type]
            cwd=str(person.folder),
            dimensions=(ROWS, COLUMNS),
        )
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._child.fileno(), self._read)

    def _read(self) -> None:
        try:
            octets = os.read(self._child.fileno(), 1 << 16)
        except OSError:  # EIO: nobody holds the other end any more
            asyncio.get_running_loop().remove_reader(self._child.fileno())
            self._ended.set()
            return
        self.octets += octets
        self._stream.feed(re.sub(rb"\x1b\[[<-?][0-9;:]*[ -/]*[@-~]", b"", octets))

    @property
    def screen(self) -> str:
        return re.sub(" +", " ", "\n".join(self._screen.display))

    @property
    def titles(self) -> set[str]:
        """The titles that the terminal had, without the counts in front."""
        return {re.sub(r"^\(\d+\) ", "", title) for title in commands(self.octets, 2)}

    def types(self, keys: str) -> None:
        self._child.write(keys.encode())

    async def shows(self, words: str) -> None:
        """Wait until these words are on the screen."""
        await self.until(lambda: words in self.screen, repr(words))

    async def hides(self, words: str) -> None:
        """Wait until these words are gone from the screen."""
        await self.until(lambda: words not in self.screen, f"a screen without {words!r}")

    async def sends(self, octets: bytes, after: int) -> None:
        """Wait until the terminal was sent these octets, after so many others."""
        await self.until(lambda: self.octets.find(octets, after) >= 0, repr(octets))

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until this holds; fails with what is on the screen then."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what} never came:\n{self.screen}") from None

    async def ends(self) -> None:
        await self.until(self._ended.is_set, "the end")
        self._child.wait()
        assert self._child.exitstatus == 0


def kinds(octets: bytes) -> set[bytes]:
    """The kinds of controls: OSC by their numbers, CSI with their parameters, but colours and places without."""
    found = set()
    for match in CONTROL.finditer(octets):
        if match["osc"] is not None:
            found.add(b"OSC " + match["osc"].partition(b";")[0])
        elif match["csi"] is not None:
            found.add(
                b"CSI " + (re.sub(rb"[0-9;:]+", b"", match["csi"]) if match["csi"][-1:] in b"mH" else match["csi"])
            )
        else:
            found.add(match[0])
    return found


def commands(octets: bytes | bytearray, number: int) -> list[str]:
    """What was sent to the terminal as OSC of this number."""
    start = b"%d;" % number
    found = (match["osc"] or b"" for match in CONTROL.finditer(octets))
    return [each.removeprefix(start).decode() for each in found if each.startswith(start)]


def words(octets: bytes) -> str:
    """What was drawn, without the controls; raises UnicodeDecodeError if it is no UTF-8."""
    return CONTROL.sub(b"", octets).decode()
