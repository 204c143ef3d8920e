"""Answers that can be large: of one number only so many are in memory at once, until its peer has read them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from delivery_service.wakeups import Watcher
from delivery_service.wire import JSON_TYPE, MSGPACK_TYPE, EntryBatch, WelcomeBatch

Batch = EntryBatch | WelcomeBatch

_JSON = msgspec.json.Encoder()
_MSGPACK = msgspec.msgpack.Encoder()


class LargeAnswer(Response):
    """The response that looks for something within the number's `line`, and leaves it once its peer has read that."""

    def __init__(self, line: asyncio.Semaphore, look: Callable[[], Awaitable[msgspec.Struct]]) -> None:
        super().__init__(None, media_type=JSON_TYPE)
        self._line = line
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        async with self._line:
            await _send(self, _JSON.encode(await self._look()), send)


class BatchAnswer(Response):
    """The response that looks for a batch, waits for one if there is none yet, and hands it out.

    It has a place in the number's `line` from the look until the peer has read it, but not while it waits. `look` also
    says whether there is something to wait for.
    """

    def __init__(
        self,
        line: asyncio.Semaphore,
        watch: AbstractContextManager[Watcher],
        wait: int,
        look: Callable[[], Awaitable[tuple[Batch, bool]]],
    ) -> None:
        super().__init__(None, media_type=MSGPACK_TYPE)
        self._line = line
        self._watch = watch
        self._wait = wait
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers once there is something, or the wait is over."""
        if not self._wait:
            async with self._line:
                batch, _ = await self._look()
                await _send(self, _MSGPACK.encode(batch), send)
            return
        async with AsyncExitStack() as turn:
            with self._watch as watcher:
                await turn.enter_async_context(self._line)
                batch, idle = await self._look()
                if idle:
                    await turn.aclose()
                    if await watcher.wait(self._wait):
                        await turn.enter_async_context(self._line)
                        batch, _ = await self._look()
            await _send(self, _MSGPACK.encode(batch), send)


async def _send(answer: Response, body: bytes, send: Send) -> None:
    answer.headers["content-length"] = str(len(body))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})  # waits until the peer has read
