"""`delivery serve` as a process of its own, with what it says on standard error."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

SERVE = "from delivery_service.cli import delivery; delivery()"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class RealProcess:
    """A service on this machine, started with JSON lines as its log."""

    def __init__(self, folder: Path, roots: Any, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        anchors = folder / "anchors.pem"
        anchors.write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in roots.anchors.roots))
        self.folder = folder / "data"
        self.lines: list[str] = []
        self.command = [
            *(sys.executable, "-c", SERVE, "serve", "--port", "0", "--data-dir", str(self.folder)),
            *("--anchors", str(anchors), "--name", "delivery.example", "--log", "json", *options),
        ]

    async def start(self) -> str:
        """The service's URL, once it listens."""
        await self.launch()
        (started,) = await self.said("started")
        self.url: str = started["url"]
        return self.url

    async def launch(self) -> None:
        self.lines.clear()
        self.process = await asyncio.create_subprocess_exec(*self.command, stderr=asyncio.subprocess.PIPE)
        self._reading = asyncio.create_task(self._read())

    async def line(self, place: int) -> str:
        async with asyncio.timeout(30):
            while len(self.lines) <= place:
                await asyncio.sleep(0.01)
        return self.lines[place]

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20, **options)

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode())

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    async def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of an event, waiting for the first."""
        async with asyncio.timeout(30):
            while not (found := [each for each in self.events() if each["event"] == event]):
                assert not self._reading.done(), self.lines
                await asyncio.sleep(0.01)
        return found

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code, after a signal."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 30)
        await self._reading
        return code
