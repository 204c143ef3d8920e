"""Event streams: server-sent events that carry cursors only; a reader that does not read is closed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from itertools import islice

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from delivery_service.errors import DeliveryError
from delivery_service.storage.store import Store
from delivery_service.storage.values import Heads
from delivery_service.wakeups import Wakeups, Watcher
from delivery_service.wire import EVENT_STREAM_TYPE, HEARTBEAT, GroupHeads
from delivery_service.wire.streams import GROUPS_PER_EVENT, STREAM_END, EndReason, StreamEnd
from identity.base64url import encode_base64url

STREAMS_PER_DEVICE = 4  # the oldest is closed when a device opens one more
PATIENCE = 30  # seconds that a reader may leave an event unread before its stream is closed
RELEASE = "ringtrue.release"  # an extension of the scope: what lets one more write pass a full buffer

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
            next(earlier for earlier in streams if not earlier.closed).close("too-many")
        try:
            async for event in self._events(watcher):
                yield event
        finally:
            streams.remove(watcher)
            self.count -= 1
            if not streams:
                self._open.pop(watcher.device, None)

    async def _events(self, watcher: Watcher) -> AsyncGenerator[bytes]:
        number = 0
        heads = await self._all_heads(watcher)
        changed, woken = heads.groups, True
        while not watcher.closed:
            for groups in _parts(changed) if woken else ():
                number += 1
                yield _event(number, groups, heads)
            if not woken:
                yield b": \n\n"
            woken = await watcher.wait(self._heartbeat)
            watcher.woken.clear()
            if watcher.joined or (self._shared and not woken):
                said, heads = heads, await self._all_heads(watcher)
                changed = {group: head for group, head in heads.groups.items() if said.groups.get(group) != head}
                woken = woken or heads != said
            else:
                changed, watcher.heads = watcher.heads, {}
                heads.groups.update(changed)

    async def _all_heads(self, watcher: Watcher) -> Heads:
        """Registers for the groups first and reads the heads again after, so that no change falls in between."""
        watcher.joined = False
        self.wakeups.follow(watcher, (await self._store.heads(watcher.device)).current)
        watcher.heads = {}
        return await self._store.heads(watcher.device)


class EventStream(Response):
    """The response of one stream; it ends with the session, when the reader goes, or when it does not read.

    Its last event says why. A reader that does not read gets it behind the events that wait in the connection's buffer,
    if it reads at all before the connection is cut.
    """

    def __init__(self, streams: Streams, device: bytes, lifetime: float, patience: float = PATIENCE) -> None:
        super().__init__(None, headers={"cache-control": "no-store"}, media_type=EVENT_STREAM_TYPE)
        del self.headers["content-length"]
        self._streams = streams
        self._device = device
        self._lifetime = lifetime
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.wakeups.watch(self._device) as watcher:
            end = asyncio.get_running_loop().call_later(self._lifetime, watcher.close, "session-expired")
            gone = asyncio.create_task(_until_gone(receive))
            gone.add_done_callback(lambda _: watcher.close())
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send(watcher, send)
                scope.get("extensions", {}).get(RELEASE, {}).get(RELEASE, _nothing)()
                with suppress(TimeoutError):
                    await self._in_time(send, _end(watcher.ended or "stopping"), more=False)
            finally:
                end.cancel()
                gone.cancel()

    async def _send(self, watcher: Watcher, send: Send) -> None:
        try:
            async with aclosing(self._streams.follow(watcher)) as events:
                async for event in events:
                    await self._in_time(send, event, more=True)
        except TimeoutError:
            watcher.close("slow-reader")
        except DeliveryError:
            watcher.close("overloaded")

    async def _in_time(self, send: Send, event: bytes, *, more: bool) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(self._patience):
            await send({"type": "http.response.body", "body": event, "more_body": more})


def _nothing() -> None:
    """A server without a buffer of its own has nothing to release."""


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def group_heads(groups: dict[bytes, int], heads: Heads) -> GroupHeads:
    """The wire's form of heads: those of `groups`, and what concerns the device as a whole."""
    named = {encode_base64url(group_id).decode(): head for group_id, head in groups.items()}
    return GroupHeads(named, heads.inbox, heads.requests, heads.rotate)


def _parts(groups: dict[bytes, int]) -> Iterator[dict[bytes, int]]:
    """At least one, since inbox and requests are told with it."""
    left = iter(groups.items())
    yield dict(islice(left, GROUPS_PER_EVENT))
    while part := dict(islice(left, GROUPS_PER_EVENT)):
        yield part


def _event(number: int, groups: dict[bytes, int], heads: Heads) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (number, _ENCODER.encode(group_heads(groups, heads)))


def _end(reason: EndReason) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (STREAM_END.encode(), _ENCODER.encode(StreamEnd(reason)))
