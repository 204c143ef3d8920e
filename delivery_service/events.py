"""Event streams: server-sent events that carry cursors only; a reader that does not read is closed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from delivery_service.errors import DeliveryError
from delivery_service.storage.store import Store
from delivery_service.storage.values import Heads
from delivery_service.wakeups import Wakeups, Watcher
from delivery_service.wire import EVENT_STREAM_TYPE, HEARTBEAT, GroupHeads
from identity.base64url import encode_base64url

STREAMS_PER_DEVICE = 4  # the oldest is closed when a device opens one more
PATIENCE = 30  # seconds that a reader may leave an event unread before its stream is closed

_ENCODER = msgspec.json.Encoder()


class Streams:
    """Event streams of devices; where replicas share the database, wake-ups may be lost: each heartbeat looks again."""

    def __init__(self, store: Store, wakeups: Wakeups, heartbeat: float = HEARTBEAT, *, shared: bool = False) -> None:
        self._shared = shared
        self._store = store
        self.wakeups = wakeups
        self._heartbeat = heartbeat
        self._open: defaultdict[bytes, list[Watcher]] = defaultdict(list)
        self.count = 0  # open streams

    async def follow(self, watcher: Watcher) -> AsyncGenerator[bytes]:
        """Server-sent events: all heads first, then those that changed, and comments while nothing does."""
        streams = self._open[watcher.device]
        streams.append(watcher)
        self.count += 1
        if len(streams) > STREAMS_PER_DEVICE:
            next(earlier for earlier in streams if not earlier.closed).close()
        try:
            async for event in self._events(watcher):
                yield event
        finally:
            streams.remove(watcher)
            self.count -= 1
            if not streams:
                self._open.pop(watcher.device, None)

    async def _events(self, watcher: Watcher) -> AsyncGenerator[bytes]:
        number = 1
        heads = await self._all_heads(watcher)
        yield _event(number, heads.groups, heads)
        while not watcher.closed:
            woken = await watcher.wait(self._heartbeat)
            watcher.woken.clear()
            if watcher.joined or (self._shared and not woken):
                said, heads = heads, await self._all_heads(watcher)
                changed = heads.groups
                woken = woken or heads != said
            else:
                changed, watcher.heads = watcher.heads, {}
                heads.groups.update(changed)
            if not woken:
                yield b": \n\n"
                continue
            if not watcher.closed:
                number += 1
                yield _event(number, changed, heads)

    async def _all_heads(self, watcher: Watcher) -> Heads:
        """Registers for the groups first and reads the heads again after, so that no change falls in between."""
        watcher.joined = False
        self.wakeups.follow(watcher, (await self._store.heads(watcher.device)).current)
        watcher.heads = {}
        return await self._store.heads(watcher.device)


class EventStream(Response):
    """The response of one stream; it ends with the session, when the reader goes, or when it does not read."""

    def __init__(self, streams: Streams, device: bytes, lifetime: float, patience: float = PATIENCE) -> None:
        super().__init__(None, headers={"cache-control": "no-store"}, media_type=EVENT_STREAM_TYPE)
        del self.headers["content-length"]
        self._streams = streams
        self._device = device
        self._lifetime = lifetime
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.wakeups.watch(self._device) as watcher:
            end = asyncio.get_running_loop().call_later(self._lifetime, watcher.close)
            gone = asyncio.create_task(_until_gone(receive))
            gone.add_done_callback(lambda _: watcher.close())
            try:
                await self._send(watcher, send)
            except (TimeoutError, DeliveryError):
                return  # without the last part: the server closes the connection, and the reader comes again
            finally:
                end.cancel()
                gone.cancel()

    async def _send(self, watcher: Watcher, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._streams.follow(watcher)) as events:
            async for event in events:
                async with asyncio.timeout(self._patience):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def group_heads(groups: dict[bytes, int], heads: Heads) -> GroupHeads:
    """The wire's form of heads: those of `groups`, and what concerns the device as a whole."""
    named = {encode_base64url(group_id).decode(): head for group_id, head in groups.items()}
    return GroupHeads(named, heads.inbox, heads.requests, heads.rotate)


def _event(number: int, groups: dict[bytes, int], heads: Heads) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (number, _ENCODER.encode(group_heads(groups, heads)))
