"""A browser's part: a server in this process with real clients as its children, and pages that are drawn."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pyte

from client.desk.endpoint import daemon_is_running
from client.web.access import Access
from client.web.child import run_command
from client.web.cli import listen
from client.web.server import WebClient

COLUMNS, ROWS = 100, 30
PATIENCE = 30  # seconds without anything drawn
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: no service


class Page:
    """An open page: what its terminal shows, and what is typed into it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    async def shows(self, words: str) -> str:
        """Read frames until the words stand there; fails if the page is closed before."""
        while words not in self.text:
            try:
                message = await self.socket.receive(timeout=PATIENCE)
            except TimeoutError:
                raise AssertionError(f"{words!r} is not shown:\n{self.text}") from None
            if message.type is not aiohttp.WSMsgType.TEXT:
                assert message.type is aiohttp.WSMsgType.BINARY, (words, self.text)
                self._stream.feed(message.data)
        return self.text

    async def ended(self) -> None:
        """Read until the server closes the page."""
        async with asyncio.timeout(PATIENCE):
            async for _ in self.socket:
                pass

    async def type(self, text: str) -> None:
        await self.socket.send_json(["stdin", text])


@dataclass
class Browser:
    """Let in or not; `origin` is the server's."""

    http: aiohttp.ClientSession
    access: Access
    told: list[str] = field(default_factory=list)

    @property
    def own(self) -> dict[str, str]:
        return {"Origin": self.access.origin}

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(self.access.origin + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def enter(self) -> str:
        """Open the printed address; the path that it leads to."""
        async with self.http.get(self.access.address) as answer:
            assert answer.status == 200
            (path,) = re.findall(r'content="0; url=([^"]+)"', await answer.text())
            return path

    async def connect(self, **headers: str) -> int:
        """What a socket is answered: 101 if it opens."""
        try:
            async with self.http.ws_connect(f"{self.access.origin}{self.access.page}ws", headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        address = f"{self.access.origin}{self.access.page}ws?width={COLUMNS}&height={ROWS}"
        async with self.http.ws_connect(address, headers=self.own) as socket:
            yield Page(socket)


@asynccontextmanager
async def serving(home: Path, *, sessions: int = 4, command: Sequence[str] | None = None) -> AsyncIterator[Browser]:
    """A server for the account in `home`, and a browser that is not let in yet."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        access = Access(f"127.0.0.1:{listener.getsockname()[1]}")
        told: list[str] = []
        client = WebClient(
            access,
            command or run_command(home, UNREACHABLE, UNREACHABLE),
            lambda: sessions if daemon_is_running(home) else 1,
            told.append,
        )
        ready, stop = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(client.run(listener, ready.set, stop))
        stack.push_async_callback(lambda: running)
        stack.callback(stop.set)
        await ready.wait()
        http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))  # also of a host that is an address
        yield Browser(await stack.enter_async_context(http), access, told)
