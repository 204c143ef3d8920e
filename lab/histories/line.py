"""One keep-alive HTTP connection: a request at a time, and whether its answer was lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

ANSWER_LIMIT = 15  # seconds after which an answer counts as lost
CONNECT_PAUSE = 0.02  # seconds between two attempts to connect

Address = tuple[str, int]


class LostAnswerError(Exception):
    """The connection ended, or nothing came for too long: what was asked may have been carried out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes


class Line:
    """Asks whichever of some addresses can be reached, the last one that could first."""

    def __init__(self, addresses: Sequence[Address], first: int = 0) -> None:
        self._addresses = addresses
        self._next = first
        self._wire: _Wire | None = None

    async def connect(self) -> None:
        """Wait until there is a connection: nothing is asked before, so that nothing can be lost."""
        while self._wire is None or self._wire.ended:
            try:
                host, port = self._addresses[self._next % len(self._addresses)]
                _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, host, port)
            except OSError:
                self._next += 1
                await asyncio.sleep(CONNECT_PAUSE)

    async def ask(self, request: bytes) -> Answer:
        """The answer to a request on the connection that `connect` made. Raises LostAnswerError."""
        wire = self._wire
        if wire is None:
            raise LostAnswerError("nothing is connected")
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                return await wire.exchange(request)
        except TimeoutError as error:
            self.hang_up()
            raise LostAnswerError("no answer came") from error

    def hang_up(self) -> None:
        """Give the connection up, and prefer another address from now on."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._next += 1


class _Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = bytearray()
        self._asked: asyncio.Future[Answer] | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are none of asyncio's classes

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(LostAnswerError("the connection ended"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = _parse(self._received)
        if answer is not None and self._asked is not None and not self._asked.done():
            self._received.clear()
            self._asked.set_result(answer)

    async def exchange(self, request: bytes) -> Answer:
        if self.ended:
            raise LostAnswerError("the connection ended")
        self._asked = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._asked

    def close(self) -> None:
        self.ended = True
        self._transport.close()


def content_length(head: bytes) -> int:
    """Of a request's or an answer's head."""
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)


def _parse(received: bytearray) -> Answer | None:
    head, blank, body = bytes(received).partition(b"\r\n\r\n")
    if not blank or len(body) < content_length(head):
        return None
    return Answer(int(head.split(b" ", 2)[1]), body)
