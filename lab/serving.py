"""Real HTTP servers on loopback inside this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

START_POLL = 0.002  # seconds
SHUTDOWN_LIMIT = 1  # seconds that open requests have to end


class LoopbackServer(uvicorn.Server):
    """uvicorn that leaves the process's signal handlers alone: Ctrl-C belongs to whoever runs the world."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


@asynccontextmanager
async def listening(build: Callable[[str], Starlette]) -> AsyncIterator[str]:
    """Serve `build(base_url)` on a free loopback port, and yield that base URL."""
    # With the protocol named, asyncio sets TCP_NODELAY; without, each answer in two parts waits 40 ms for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with _serving(build(base_url), listener):
            yield base_url


@asynccontextmanager
async def _serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=SHUTDOWN_LIMIT, lifespan="on"
    )
    server = LoopbackServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _settled(server, serving)
        if serving.done():
            await serving
            raise ConnectionError("the service stopped while it was starting")
        yield
    finally:
        await _settled(server, serving)  # told to stop any sooner, it would leave its sockets open
        server.should_exit = True
        await serving


async def _settled(server: LoopbackServer, serving: "asyncio.Task[None]") -> None:
    while not (server.started or serving.done()):
        await asyncio.sleep(START_POLL)
