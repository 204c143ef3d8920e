"""The daemon: answers calls on one open account at its socket, for any number of programs of the same user.

It reads no further than CALLS_AT_ONCE calls ahead of its answers, so a client that does not read is not read either.
A client that does not keep up with its events is closed; none is ever left out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

from client.desk.api import Api
from client.desk.endpoint import check_peer, listening
from client.desk.protocol import (
    CALLS,
    EVENTS,
    REQUEST_LIMIT,
    Request,
    RequestError,
    error_line,
    event_line,
    id_of,
    parse_request,
    result_line,
)
from client.errors import ClientError
from client.failures import EXPECTED, failure

CALLS_AT_ONCE = 32  # of one client
CLIENTS = 64  # at once
GRACE = 1.0  # seconds for clients to read their last answers when the daemon ends
EVENTS_BEHIND = 10_000  # events that wait for one client before it is closed


class TooManyClientsError(ClientError):
    """The daemon serves as many clients as it can."""

    code = "too-many-clients"
    hint = "Close a program that uses this account, then try again."
    exit_code = 7


class TooLongError(RequestError):
    """A line is longer than any request."""

    code = "line-too-long"
    hint = f"A request has at most {REQUEST_LIMIT} octets on one line. The connection is closed."


class Daemon:
    """One open account at its socket. `warn` is told of clients that had to be closed."""

    def __init__(self, api: Api, home: Path, warn: Callable[[str], None]) -> None:
        self._api = api
        self._home = home
        self._warn = warn
        self._clients: set[_Client] = set()
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set; `ready` is called once clients can connect.

        Raises ClientError if the account can be followed no longer.
        """
        with listening(self._home) as listener:
            server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_LIMIT)
            ends = {asyncio.create_task(self._tell_events()), asyncio.create_task(_wait(stop))}
            try:
                ready()
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                server.close()
                await self._end(ends)
        for task in done:
            task.result()

    async def _end(self, ends: set[asyncio.Task[None]]) -> None:
        ending = {*ends, *self._serving}
        for task in ending:
            task.cancel()
        await asyncio.wait(ending, timeout=GRACE)
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _tell_events(self) -> None:
        async with aclosing(self._api.events()) as events:
            async for told in events:
                line = event_line(told)
                for client in [client for client in self._clients if not client.tell(line)]:
                    self._clients.discard(client)
                    self._warn("A client did not read its events for too long and was closed.")
                await asyncio.sleep(0)  # let what was put go out: a burst must not close who reads

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # only `_end` cancels; asyncio complains of a connection that ends so
            await self._serve_one(reader, writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        client = _Client(self._api, reader, writer, self._clients.add)
        try:
            check_peer(writer)
            if len(self._serving) > CLIENTS:
                raise TooManyClientsError(f"{CLIENTS} programs use this account's daemon already")
            await client.serve()
        except ClientError as error:
            await client.put(error_line(None, failure(error)))
        finally:
            del self._serving[task]
            self._clients.discard(client)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class _Client:
    """One connection: its calls in flight and its events that wait."""

    def __init__(
        self,
        api: Api,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        subscribe: Callable[["_Client"], None],
    ) -> None:
        self._api = api
        self._reader = reader
        self._writer = writer
        self._subscribe = subscribe
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)
        self._events: asyncio.Queue[bytes] = asyncio.Queue(EVENTS_BEHIND)
        self._telling: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Deal with each line until the client ends its side; what it asked before is still done and answered."""
        async with asyncio.TaskGroup() as calls:
            try:
                async for line in self._lines():
                    await self._deal_with(line, calls)
            finally:
                if self._telling is not None:
                    self._telling.cancel()

    def tell(self, line: bytes) -> bool:
        """Let an event go out; false if the client was closed because too many wait."""
        try:
            self._events.put_nowait(line)
        except asyncio.QueueFull:
            self._writer.transport.abort()
            return False
        return True

    async def put(self, line: bytes) -> None:
        """Write a line and wait until the client can take more; a client that is gone is no error."""
        if not self._writer.is_closing():
            self._writer.write(line)
            with suppress(ConnectionError):
                await self._writer.drain()

    async def _lines(self) -> AsyncIterator[bytes]:
        while True:
            try:
                yield await self._reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as error:
                if error.partial.strip():
                    yield error.partial
                return
            except asyncio.LimitOverrunError:
                await self.put(error_line(None, failure(TooLongError("this line is longer than any request"))))
                return
            except ConnectionError:
                return

    async def _deal_with(self, line: bytes, calls: asyncio.TaskGroup) -> None:
        try:
            request = parse_request(line)
        except RequestError as error:
            await self.put(error_line(id_of(line), failure(error)))
            return
        if request.call == EVENTS:
            self._subscribe(self)
            await self.put(result_line(request.id, None))
            self._telling = self._telling or calls.create_task(self._write_events())
            return
        await self._slots.acquire()
        calls.create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        try:
            await self.put(await self._done(request))
        finally:  # only now: a client that does not read its answers is not read either
            self._slots.release()

    async def _done(self, request: Request) -> bytes:
        call = CALLS[request.call]
        try:
            return result_line(request.id, await call.on(self._api, call.asked(request.arguments)))
        except EXPECTED as error:
            return error_line(request.id, failure(error))

    async def _write_events(self) -> None:
        while True:
            await self.put(await self._events.get())


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()
