"""What a peer may do to one connection, whoever it is: uvicorn itself waits for ever and keeps what it is sent."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 32 * 1024  # octets of a request line and its header fields
REQUEST_TIME = 120  # seconds for a whole request to arrive, counted from the connection's start for the first one
PATIENCE = 60  # seconds that a peer may leave an answer unread while more of it waits
CONNECTIONS_LIMIT = 20_000  # open connections; requests of more are answered 503


class BoundedConnection(HttpToolsProtocol):
    """An HTTP/1.1 connection that ends when its peer sends endlessly or slowly, or does not read."""

    head_limit = HEAD_LIMIT
    request_time: float = REQUEST_TIME
    patience: float = PATIENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._head = 0
        self._arriving = True
        self._late: asyncio.TimerHandle | None = self.loop.call_later(self.request_time, transport.abort)
        self._stalled: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._in_time()
        self._read()
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

    def on_message_complete(self) -> None:
        """A request has arrived."""
        self._arriving = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._read()
        super().resume_writing()

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _read(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
