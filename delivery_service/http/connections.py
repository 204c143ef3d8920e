"""What a peer may do to one connection, whoever it is: uvicorn itself waits for ever and keeps what it is sent."""

import asyncio
import resource
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from delivery_service.entrance import Entrance
from delivery_service.errors import RefusedError
from delivery_service.events import RELEASE
from delivery_service.http.problems import answer_to

HEAD_LIMIT = 32 * 1024  # octets of a request line and its header fields
REQUEST_TIME = 120  # seconds for a whole request to arrive, counted from the connection's start for the first one
PATIENCE = 60  # seconds that a peer may leave an answer unread while more of it waits
CONNECTIONS_LIMIT = 15_000  # open connections of a process, unless its operator says otherwise
REFUSED_LIMIT = 200  # connections beyond the limit that may wait for their refusal; more are cut
REFUSED_TIME = 5  # seconds for a request that will be refused to arrive
OTHER_FILES = 312  # open files of a process that are none of its clients' connections: the store, blobs, the database
RETRY_AFTER = 30  # seconds, told to those for whom there is no connection
BEGIN = "ringtrue.begin"  # the ASGI extension with what begins a request that has waited for the event loop


def room_for(connections: int) -> int:
    """Raises this process's limit on open files as far as it may; how many of so many connections fit in."""
    needed = connections + REFUSED_LIMIT + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # the kernel may have a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - needed + connections))


async def no_room(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request of a connection too many, and ends the connection."""
    words = "this service has as many connections as it can hold (CONNECTIONS): try again later"
    answer = answer_to(RefusedError("overloaded", words, retry_after=RETRY_AFTER), scope)
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)


class BoundedConnection(HttpToolsProtocol):
    """An HTTP/1.1 connection that ends when its peer sends endlessly or slowly, or does not read.

    `limit_concurrency` counts connections. One too many is refused; requests of those that are there are not.
    """

    head_limit = HEAD_LIMIT
    request_time: float = REQUEST_TIME
    patience: float = PATIENCE

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        entrance: Entrance | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._entrance = entrance
        self._limit, self.limit_concurrency = config.limit_concurrency, None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._head = 0
        self._arriving = True
        beyond = 0 if self._limit is None else len(self.connections) - self._limit
        if beyond > 0:
            self.app, self.request_time = no_room, REFUSED_TIME
        if beyond > REFUSED_LIMIT:
            transport.abort()
        self._late: asyncio.TimerHandle | None = self.loop.call_later(self.request_time, transport.abort)
        self._stalled: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._in_time()
        self._read()
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        if not self._arriving:
            self._in_time()
            return
        if self._late is None:
            self._late = self.loop.call_later(self.request_time, self.transport.abort)
        if self.scope is None or "method" not in self.scope:  # uvicorn notes it once the head is complete
            self._head += len(data)
            if self._head > self.head_limit:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._arriving = True
        self._head = 0
        super().on_message_begin()
        self.scope["extensions"] = {RELEASE: {RELEASE: self.flow.resume_writing}}

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A request's turn on its connection has come: from here on only the event loop keeps it waiting."""
        if self._entrance is not None and app is not no_room:
            cycle.scope["extensions"][BEGIN] = {BEGIN: self._entrance.arrive()}
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """A request has arrived."""
        self._arriving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer was handed over."""
        super().on_response_complete()
        self._end_in_time()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        super().send_400_response(msg)
        self._end_in_time()

    def timeout_keep_alive_handler(self) -> None:
        """The peer asks nothing more."""
        super().timeout_keep_alive_handler()
        self._end_in_time()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._read()
        super().resume_writing()

    def _end_in_time(self) -> None:
        """A transport that closes waits for ever for its peer to read the last octets, few as they are."""
        if self.transport.is_closing() and self._ending is None:
            self._ending = self.loop.call_later(self.patience, self.transport.abort)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _read(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
