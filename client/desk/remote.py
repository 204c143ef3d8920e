"""An account that the daemon has open, asked over its socket: the same port, and the same errors."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from client.desk.api import Admission, Api, Chats, Device, Devices, Messages, People, Trust
from client.desk.endpoint import connect
from client.desk.protocol import CALLS, NOTHING, Answer, Call, request_line
from client.desk.told import Told
from client.errors import ClientError
from client.failures import Failure

ANSWER_LIMIT = 512 * 1024 * 1024  # octets of one line from the daemon: an attachment, as base64
EVENTS_BEHIND = 10_000  # events that wait for whoever asked for them


class DaemonGoneError(ClientError):
    """The daemon has ended, or has closed the connection."""

    code = "daemon-gone"
    hint = "Start it again (ringtrue daemon), or run the command again without it."
    exit_code = 6


class OtherVersionError(ClientError):
    """The daemon answers in a way that this program does not know."""

    code = "daemon-differs"
    hint = "It runs another version of this program. Stop it and start it again: ringtrue daemon"


class TooSlowError(ClientError):
    """Events came faster than this program dealt with them."""

    code = "too-slow"
    hint = "Start again: nothing is lost, and what happened in between is in the history."


class RemoteDesk:
    """One account by way of its daemon."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self.chats = cast(Chats, connection.area("chats"))
        self.messages = cast(Messages, connection.area("messages"))
        self.people = cast(People, connection.area("people"))
        self.admission = cast(Admission, connection.area("admission"))
        self.device = cast(Device, connection.area("device"))
        self.trust = cast(Trust, connection.area("trust"))
        self.devices = cast(Devices, connection.area("devices"))

    async def events(self) -> AsyncGenerator[Told]:
        """What happens from now on. Raises DaemonGoneError when the daemon ends."""
        queue: asyncio.Queue[Told | ClientError] = asyncio.Queue()
        self._connection.queues.add(queue)
        try:
            await self._connection.ask(None)
            while not isinstance(told := await queue.get(), ClientError):
                yield told
            raise told
        finally:
            self._connection.queues.discard(queue)


@asynccontextmanager
async def open_remote(home: Path) -> AsyncIterator[Api]:
    """The account in this folder by way of the daemon that has it open. Raises NoDaemonError."""
    reader, writer = await connect(home, ANSWER_LIMIT)
    connection = _Connection(writer)
    listening = asyncio.create_task(connection.listen(reader))
    try:
        yield RemoteDesk(connection)
    finally:
        listening.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await asyncio.gather(listening, return_exceptions=True)


class _Connection:
    """Calls in flight by their id, and the queues that events go to."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.queues: set[asyncio.Queue[Told | ClientError]] = set()
        self._writer = writer
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._ended: ClientError | None = None

    def area(self, name: str) -> SimpleNamespace:
        """The methods of one area of the port."""
        calls = [call for call in CALLS.values() if call.area == name]
        return SimpleNamespace(**{call.method: self._method(call) for call in calls})

    async def ask(self, call: Call | None, *args: object, **kwargs: object) -> Any:
        """Ask, and wait for the answer; no call means `events`. Raises ClientError as the daemon's desk did."""
        if self._ended is not None:
            raise self._ended
        identity = next(self._ids)
        answered = self._asked[identity] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(request_line(identity, call, *args, **kwargs))
            with suppress(ConnectionError):  # `listen` sees the end too, and says so to every call
                await self._writer.drain()
            answer = await answered
        finally:
            del self._asked[identity]
            if not answered.cancel() and not answered.cancelled():
                answered.exception()  # looked at: whoever asked may have been cancelled before
        if answer.error is not None:
            raise _raised(answer.error)
        return None if call is None else _decoded(answer.result, call.result)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Hand out what the daemon says until it ends."""
        try:
            while line := await reader.readline():
                self._take(line)
            self._end(DaemonGoneError("the daemon has ended, or has closed this connection"))
        except (ConnectionError, ValueError) as error:  # ValueError: longer than the limit
            self._end(DaemonGoneError(f"the connection to the daemon broke: {error}"))
        except ClientError as error:
            self._end(error)

    def _method(self, call: Call) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def method(*args: object, **kwargs: object) -> Any:
            return await self.ask(call, *args, **kwargs)

        return method

    def _take(self, line: bytes) -> None:
        answer = _decoded(line, Answer)
        if answer.event != NOTHING:
            self._tell(_decoded(answer.event, Told))
        elif answer.id is None:
            self._end(_raised(answer.error) if answer.error else OtherVersionError("the daemon spoke of no call"))
        elif (asked := self._asked.get(answer.id)) is not None and not asked.done():
            asked.set_result(answer)

    def _tell(self, told: Told) -> None:
        for queue in list(self.queues):
            if queue.qsize() < EVENTS_BEHIND:
                queue.put_nowait(told)
            else:
                self.queues.discard(queue)
                queue.put_nowait(TooSlowError(f"{EVENTS_BEHIND} events waited"))

    def _end(self, error: ClientError) -> None:
        self._ended = self._ended or error
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(self._ended)
        for queue in self.queues:
            queue.put_nowait(self._ended)


def _decoded(raw: bytes | msgspec.Raw, shape: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.MsgspecError as error:
        raise OtherVersionError(f"the daemon's answer is not understood: {error}") from error


def _raised(problem: Failure) -> ClientError:
    error = ClientError(problem.detail, code=problem.code, hint=problem.hint)
    error.exit_code = problem.exit
    return error
