"""Following the heads of one's groups: an event stream, and long polls where streams do not get through."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import httpx
from httpx_sse import EventSource, SSEError

from client.errors import ClientError, RateLimitedError, SessionExpiredError, UnexpectedAnswerError, UnreachableError
from client.services.answers import from_json
from client.services.device_session import DeviceSession
from client.services.service import BACKOFF_LIMIT, Call, backoff
from delivery_service.wire import EVENT_STREAM_TYPE, HEARTBEAT, LONG_POLL_LIMIT, GroupHeads
from delivery_service.wire.streams import STREAM_END, EndReason, StreamEnd

SILENCE_LIMIT = 2.5 * HEARTBEAT  # seconds: two heartbeats were lost
EVENT_LIMIT = 1024 * 1024  # octets of one event
STREAM_TRIES = 3  # streams in a row without an event, until polls take their place
POLL_ROUNDS = 20  # until another stream is tried
POLLED_GROUPS = 8  # groups that are polled at once, those with the highest heads; the rest wait for the round's end

_COMPLAINTS: dict[EndReason, str] = {
    "slow-reader": "this device was too slow to read it",
    "too-many": "this device has opened too many",
    "overloaded": "its store did not answer",
}
_CURABLE = (UnreachableError, UnexpectedAnswerError, SessionExpiredError, RateLimitedError)


async def follow(
    session: DeviceSession, interrupted: Callable[[ClientError], None] = lambda _: None
) -> AsyncGenerator[GroupHeads]:
    """Yield all heads, then those that change; a lost connection is opened again, with growing pauses.

    `interrupted` hears of every loss.
    """
    failures = fruitless = 0
    while True:
        pause, polling = 0.0, fruitless >= STREAM_TRIES
        fruitless = STREAM_TRIES - 1 if polling else fruitless + 1
        try:
            async with aclosing(_polls(session) if polling else _events(session)) as news:
                async for heads in news:
                    failures = 0
                    fruitless = fruitless if polling else 0
                    yield heads
        except _CURABLE as error:
            failures += 1
            pause = min(error.retry_after, BACKOFF_LIMIT) if isinstance(error, RateLimitedError) else 0
            interrupted(error)
        await asyncio.sleep(pause + backoff(failures))


async def _events(session: DeviceSession) -> AsyncGenerator[GroupHeads]:
    call = Call("GET", "/v1/events", headers={"accept": EVENT_STREAM_TYPE, "cache-control": "no-store"})
    async with session.stream(call, SILENCE_LIMIT) as response:
        bounded = httpx.Response(response.status_code, headers=response.headers, stream=_Bounded(response))
        async with aclosing(EventSource(bounded).aiter_sse()) as events:
            try:
                async for event in events:
                    if event.event == STREAM_END:
                        _ended(from_json(event.data.encode(), StreamEnd))
                    elif event.data:
                        yield from_json(event.data.encode(), GroupHeads)
            except SSEError as error:
                raise UnexpectedAnswerError("the service's answer is not an event stream") from error


def _ended(end: StreamEnd) -> None:
    """Raises UnreachableError for an end that nobody planned; after any other, another stream is all that is needed."""
    if end.reason in _COMPLAINTS:
        raise UnreachableError(f"the service ended the event stream: {_COMPLAINTS[end.reason]}", retryable=True)


class _Bounded(httpx.AsyncByteStream):
    """A stream of events that ends when one of them grows too long: the parser keeps an event until it is complete."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pending = 0
        async for chunk in self._response.aiter_raw():
            end = chunk.rfind(b"\n\n")
            pending = len(chunk) - end if end >= 0 else pending + len(chunk)
            if pending > EVENT_LIMIT:
                raise UnexpectedAnswerError(f"the service sent an event of more than {EVENT_LIMIT} octets")
            yield chunk


async def _polls(session: DeviceSession) -> AsyncGenerator[GroupHeads]:
    """All heads, again and again, each time after the first sign of a change or the end of one long poll."""
    for _ in range(POLL_ROUNDS):
        heads = from_json(await session.send(Call("GET", "/v1/groups")), GroupHeads)
        yield heads
        await _change(session, heads)


async def _change(session: DeviceSession, heads: GroupHeads) -> None:
    busiest = sorted(heads.groups, key=lambda group: heads.groups[group])[-POLLED_GROUPS:]
    paths = [("/v1/inbox", heads.inbox), *((f"/v1/groups/{group}/entries", heads.groups[group]) for group in busiest)]
    polls = [asyncio.create_task(session.send(_long_poll(path, after))) for path, after in paths]
    try:
        done, _ = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
    for poll in done:
        poll.result()


def _long_poll(path: str, after: int) -> Call:
    return Call("GET", path, params={"after": after, "wait": LONG_POLL_LIMIT}, wait=LONG_POLL_LIMIT)
