"""The terminal client as a child of the server, in the packets of Textual's web driver: kind, length, payload."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from client.formats.text import safe_text
from client.web.typed import Size

PATIENCE = 5.0  # seconds that a child has to close the account, and again after SIGTERM
PRELUDE_END = b"__GANGLION__\n"
DATA, META = b"D", b"M"
# Of the terminal around the server; the child's own terminal is the page. The passphrase is asked for there as well.
_NOT_INHERITED = frozenset(
    {"TMUX", "STY", "WT_SESSION", "VTE_VERSION", "LC_TERMINAL", "TEXTUAL_DRIVER", "RINGTRUE_PASSPHRASE_FILE"}
)
_MAIN = "from client.tui.cli import run; run()"


def run_command(home: Path, authority: str, delivery: str) -> tuple[str, ...]:
    """The command of one child. No shell reads it, and nothing in it can be taken for another option."""
    services = (f"--authority={authority}", f"--delivery={delivery}")
    return (sys.executable, "-P", "-c", _MAIN, "--in-browser", f"--home={home.absolute()}", *services)


def environment(inherited: Mapping[str, str], size: Size) -> dict[str, str]:
    """A child's environment."""
    kept = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED}
    page = {"TERM": "xterm-256color", "TERM_PROGRAM": "textual", "COLORTERM": "truecolor"}
    return {
        **kept,
        **page,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "COLUMNS": str(size.width),
        "ROWS": str(size.height),
    }


class Child:
    """A running client; `told` gets what it writes on stderr, made harmless."""

    def __init__(self, process: Process, told: Callable[[str], None]) -> None:
        self._process = process
        self._listening = asyncio.create_task(self._listen(told))

    async def frames(self) -> AsyncIterator[bytes]:
        """What it draws, until it ends. Files to download and addresses to open are no frames, and are dropped."""
        output = self._process.stdout
        assert output is not None
        with suppress(asyncio.IncompleteReadError):
            await output.readuntil(PRELUDE_END)
            while True:
                head = await output.readexactly(5)
                payload = await output.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == DATA:
                    yield payload

    async def type(self, text: str) -> None:
        """Give it what was typed."""
        await self._send(DATA, text.encode("utf-8", "replace"))

    async def tell(self, kind: str, **values: int) -> None:
        """Tell it of a change of its terminal, or to quit."""
        await self._send(META, json.dumps({"type": kind, **values}).encode("ascii"))

    async def end(self) -> None:
        """Let it close the account, and wait until it is gone."""
        await self.tell("quit")
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._gone()
                    return
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        await self._gone()

    async def _gone(self) -> None:
        output = self._process.stdout
        assert output is not None
        while await output.read(1 << 16):  # a child that cannot write does not end
            pass
        await self._process.wait()
        await self._listening

    async def _send(self, kind: bytes, payload: bytes) -> None:
        entrance = self._process.stdin
        assert entrance is not None
        with suppress(ConnectionError):  # it has ended; the end of its output says so too
            entrance.write(kind + len(payload).to_bytes(4, "big") + payload)
            await entrance.drain()

    async def _listen(self, told: Callable[[str], None]) -> None:
        errors = self._process.stderr
        assert errors is not None
        while octets := await errors.read(1 << 16):
            if words := safe_text(octets.decode("utf-8", "replace").rstrip()).text:
                told(words)


@asynccontextmanager
async def running(command: Sequence[str], size: Size, told: Callable[[str], None]) -> AsyncIterator[Child]:
    """Run the client inside the context. Ctrl-C at the server's terminal does not reach it: it is told to quit."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment(os.environ, size), start_new_session=True
    )
    child = Child(process, told)
    try:
        yield child
    finally:
        await child.end()
