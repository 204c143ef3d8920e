"""A proxy of one's own between a load and a service, which does to requests what networks do.

It knows just enough HTTP to tell one request from the next, and so at which moment it cuts: before the service has
heard of a request, in its middle, or after it was carried out and before anybody has heard the answer.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from lab.histories.line import Address, content_length

HEAD_LIMIT = 64 * 1024  # octets
LONGEST_DELAY = 0.3  # seconds


class Fault(StrEnum):
    """What can happen to one request."""

    CUT_BEFORE = "cut before the request"
    CUT_WITHIN = "cut in the middle of the request"
    CUT_AFTER = "cut after the request, before the answer"
    CUT_ANSWER = "cut in the middle of the answer"
    DELAY = "request delayed"
    DELAY_ANSWER = "answer delayed"
    DUPLICATE = "request sent again on a second connection"
    LATE_DUPLICATE = "request sent again after its answer"


class _CutError(Exception):
    """Both sides are to be cut off."""


@dataclass
class Proxy:
    """Passes requests on to one address; `rate` of them meet a fault."""

    upstream: Address
    random: Random
    rate: float
    done: Counter[Fault] = field(default_factory=Counter)
    address: Address = ("", 0)
    _clients: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request by request."""
        upstream: asyncio.StreamWriter | None = None
        self._note(asyncio.current_task())
        self._clients.add(writer)
        try:
            answers, upstream = await asyncio.open_connection(*self.upstream)
            while request := await _message(reader):
                fault = self._draw()
                answer = await self._pass(request, fault, answers, upstream)
                writer.write(answer[: len(answer) // 2] if fault is Fault.CUT_ANSWER else answer)
                await writer.drain()
                if fault is Fault.CUT_ANSWER:
                    break
        except (OSError, EOFError, _CutError):
            pass  # one side is gone, or is to believe so: the other one is, too
        finally:
            self._clients.discard(writer)
            writer.transport.abort()
            if upstream is not None:
                upstream.transport.abort()

    def _draw(self) -> Fault | None:
        if self.random.random() >= self.rate:
            return None
        fault = self.random.choice(list(Fault))
        self.done[fault] += 1
        return fault

    async def _pass(
        self, request: bytes, fault: Fault | None, answers: asyncio.StreamReader, upstream: asyncio.StreamWriter
    ) -> bytes:
        """The answer to hand on. Raises _CutError."""
        await self._before(fault, request, upstream)
        upstream.write(request)
        await upstream.drain()
        answer = await _message(answers)
        if fault is Fault.CUT_AFTER or not answer:
            raise _CutError
        if fault is Fault.LATE_DUPLICATE:
            self._again(request)
        if fault is Fault.DELAY_ANSWER:
            await asyncio.sleep(self.random.uniform(0, LONGEST_DELAY))
        return answer

    async def _before(self, fault: Fault | None, request: bytes, upstream: asyncio.StreamWriter) -> None:
        match fault:
            case Fault.CUT_BEFORE:
                raise _CutError
            case Fault.CUT_WITHIN:
                upstream.write(request[: self.random.randrange(1, len(request))])
                await upstream.drain()
                raise _CutError
            case Fault.DELAY:
                await asyncio.sleep(self.random.uniform(0, LONGEST_DELAY))
            case Fault.DUPLICATE:
                self._again(request)

    def _again(self, request: bytes) -> None:
        self._note(asyncio.create_task(self._replay(request)))

    def _note(self, task: "asyncio.Task[None] | None") -> None:
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Cut everybody off."""
        for writer in self._clients:
            writer.transport.abort()
        await asyncio.gather(*self._tasks)

    async def _replay(self, request: bytes) -> None:
        """The same octets on a connection of their own, whose answer nobody reads further."""
        with suppress(OSError, EOFError):
            answers, upstream = await asyncio.open_connection(*self.upstream)
            try:
                upstream.write(request)
                await _message(answers)
            finally:
                upstream.transport.abort()


@asynccontextmanager
async def proxied(upstream: Address, random: Random, rate: float) -> AsyncIterator[Proxy]:
    """A proxy before an address, until the end of the `with`."""
    proxy = Proxy(upstream, random, rate)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
    proxy.address = server.sockets[0].getsockname()[:2]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer with its body; nothing at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    return head + await reader.readexactly(content_length(head))
