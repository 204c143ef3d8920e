"""`delivery serve` in a process of its own, to be killed and started again at the same address."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.histories.devices import HOST
from lab.histories.line import Address

PROGRAM = ("-c", "from delivery_service.cli import delivery; delivery()")
START_LIMIT = 60  # seconds
POLL = 0.01  # seconds
_STATUS = f"GET /v1/status HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode()


class StartFailedError(Exception):
    """The service ended, or did not answer in time, when it was started; the message is what it said."""


class ServiceProcess:
    """One process of the service; `options` say where it keeps what it stores, `program` what Python runs."""

    def __init__(self, log: Path, anchors: Path, options: Sequence[str], *, program: Sequence[str] = PROGRAM) -> None:
        self.address: Address = ("127.0.0.1", _free_port())
        self._log = log
        self._command = [
            *(sys.executable, *program, "serve", "--port", str(self.address[1])),
            *("--anchors", str(anchors), "--name", HOST, *options),
        ]
        self.environment: dict[str, str] | None = None
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Start, and wait until it answers: the seconds that this took. Raises StartFailedError."""
        begin = time.monotonic()
        await self.launch()
        while not await self._answers():
            assert self.process is not None
            if self.process.returncode is not None or time.monotonic() - begin > START_LIMIT:
                await self.kill()
                raise StartFailedError(self._log.read_text(errors="replace"))
            await asyncio.sleep(POLL)
        return time.monotonic() - begin

    async def launch(self) -> None:
        """Start without waiting."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*self._command, stderr=log, env=self.environment)

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            await self.process.wait()

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(*self.address)
        except OSError:
            return False
        try:
            writer.write(_STATUS)
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
