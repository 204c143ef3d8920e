"""A person at a real terminal: a shell in tmux, keys as they are typed, and everything that is ever drawn."""

import asyncio
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from tests.system.shell import MAIN, ROOT

TMUX = shutil.which("tmux")
SOCKET = f"ringtrue-test-{os.getpid()}"
PROMPT = "ready$"
PATIENCE = 30  # seconds until a test gives up
POLL = 0.05  # seconds between two looks at a screen


class Terminal:
    """One window with a shell, in which `ringtrue` is the command under test; `home` is the person's home folder."""

    def __init__(self, name: str, home: Path, columns: int, rows: int) -> None:
        self.home = home
        self.screens: list[str] = []
        self._name = name
        self._cursor_row = 0
        self._size = ("-x", str(columns), "-y", str(rows))
        self._octets = home.with_name(f"{name}.octets")

    async def open(self) -> Self:
        """Open the window; every octet that is written to it from now on is kept."""
        command = self.home / "bin" / "ringtrue"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{MAIN}' \"$@\"\n")
        command.chmod(0o700)
        environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "PS1": f"{PROMPT} ",
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "TERM": "xterm-256color",
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        await tmux("new-session", "-d", "-s", self._name, *self._size, "-c", str(self.home), "env", "-i", *words, "sh")
        await tmux("pipe-pane", "-t", self._name, f"cat > '{self._octets}'")
        await self.shows(PROMPT)
        return self

    @property
    def drawn(self) -> str:
        """Everything that was ever written to this terminal, and every screen that was looked at."""
        return "\n".join([self._octets.read_text("utf-8", "replace"), *self.screens])

    async def types(self, text: str, *keys: str) -> None:
        """Type a text in one go, and keys (by tmux's names) right after it."""
        after = [";", "send-keys", "-t", self._name, *keys] if keys else []
        await tmux("send-keys", "-t", self._name, "-l", "--", text, *after)

    async def presses(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        await tmux("send-keys", "-t", self._name, *keys)

    async def shows(self, *words: str) -> str:
        """Wait until all of these are on the screen together, and give it; several spaces count as one."""
        return await self.until(lambda screen: all(each in squeezed(screen) for each in words), f"{words} on it")

    async def hides(self, *words: str) -> str:
        """Wait until none of these is on the screen, and give it."""
        return await self.until(lambda screen: not any(each in squeezed(screen) for each in words), f"{words} gone")

    async def under(self, label: str) -> None:
        """Wait until the cursor stands under this label; a layout not drawn yet may part them by a row."""
        await self.until(lambda screen: label in "\n".join(self._above_cursor(screen)), f"the cursor under {label!r}")

    def _above_cursor(self, screen: str) -> list[str]:
        return screen.split("\n")[max(0, self._cursor_row - 2) : self._cursor_row]

    async def until(self, holds: Callable[[str], bool], what: str) -> str:
        """Wait until this holds for the screen; fails with what is on it then."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(screen := await self.look()):
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise AssertionError(f"{self._name}'s screen, expected with {what}:\n{self.screens[-1]}") from None
        return screen

    async def look(self) -> str:
        """What is on the screen now."""
        cursor, _, screen = (
            await tmux(
                "display-message", "-p", "-t", self._name, "#{cursor_y}", ";", "capture-pane", "-p", "-t", self._name
            )
        ).partition("\n")
        self._cursor_row = int(cursor)
        if screen not in self.screens[-1:]:
            self.screens.append(screen)
        return screen


def squeezed(screen: str) -> str:
    """The screen with one space where there are several."""
    return re.sub(" +", " ", screen)


@asynccontextmanager
async def server() -> AsyncIterator[None]:
    """A tmux of its own, without anybody's configuration; at the end it and everything in it is gone."""
    try:
        yield
    finally:
        await tmux("kill-server", check=False)
        folder = os.environ.get("TMUX_TMPDIR", "/tmp")
        Path(folder, f"tmux-{os.getuid()}", SOCKET).unlink(missing_ok=True)  # which tmux leaves there


async def tmux(*arguments: str, check: bool = True) -> str:
    """Run one command of tmux, and give what it printed."""
    assert TMUX is not None
    command = [TMUX, "-L", SOCKET, "-f", "/dev/null", *arguments]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    environment.pop("TMUX", None)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert not check or process.returncode == 0, err.decode()
    return out.decode("utf-8", "replace")
