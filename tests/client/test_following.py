"""Following the heads over a real connection: streams, lost connections, and polls where streams do not get through."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from types import SimpleNamespace

import httpx
import msgspec
import pytest

from client.errors import CredentialRefusedError
from client.services import following, service
from client.services.service import BACKOFF_LIMIT
from delivery_service.wire import PROBLEM_PREFIX, GroupHeads, Problem
from identity.base64url import encode_base64url
from lab.serving import listening
from tests.client.delivery_scene import ALICE, BOB, Scene

PATIENCE = 10  # seconds until a test that waits has failed


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@pytest.fixture
async def base_url(scene: Scene) -> AsyncIterator[str]:
    async with listening(lambda _: scene.app) as base_url:
        yield base_url


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BACKOFF", 0.001)


async def _next(news: AsyncGenerator[GroupHeads]) -> GroupHeads:
    return await asyncio.wait_for(anext(news), PATIENCE)


def _name(group_id: bytes) -> str:
    return encode_base64url(group_id).decode()


async def test_the_heads_come_first_and_then_each_change(scene: Scene, base_url: str) -> None:
    alice, bob = scene.device(ALICE, base_url), scene.device(BOB, base_url)
    await bob.publish()
    group = await alice.create()
    async with alice.delivery, bob.delivery, aclosing(bob.delivery.follow()) as news:
        assert await _next(news) == GroupHeads({}, 0)
        added = await alice.add(group, BOB)
        joined = await _next(news)
        assert joined.inbox == 1
        said = await alice.say(group, b"hello")
        while (heads := await _next(news)).groups.get(_name(group.group_id), 0) < said.seq:
            assert heads.groups.get(_name(group.group_id), added.seq) == added.seq


class Interrupted(httpx.AsyncHTTPTransport):
    """Cuts each of the first streams off after its first event."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts
        self.streams = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path != "/v1/events":
            return response
        self.streams += 1
        if self.streams > self.cuts:
            return response
        return httpx.Response(response.status_code, headers=response.headers, stream=_FirstEvent(response))


class _FirstEvent(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_raw():
            yield chunk
            raise httpx.ReadError("the connection was lost")

    async def aclose(self) -> None:
        await self._response.aclose()


async def test_a_lost_stream_is_opened_again_and_nothing_is_missed(scene: Scene, base_url: str) -> None:
    transport = Interrupted(cuts=3)
    alice = scene.device(ALICE, base_url, transport)
    group = await alice.create()
    async with alice.delivery, aclosing(alice.delivery.follow()) as news:
        for seq in range(1, 6):
            await alice.say(group, b"hello")
            while (await _next(news)).groups.get(_name(group.group_id), 0) < seq:
                pass
    assert transport.streams == 4


class NoStreams(httpx.AsyncHTTPTransport):
    """A path to the service on which event streams do not get through."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/events":
            return httpx.Response(200, stream=httpx.ByteStream(b"<html>"), headers={"content-type": "text/html"})
        return await super().handle_async_request(request)


async def test_polls_take_the_place_of_streams_that_do_not_get_through(scene: Scene, base_url: str) -> None:
    alice = scene.device(ALICE, base_url, NoStreams())
    group = await alice.create()
    async with alice.delivery, aclosing(alice.delivery.follow()) as news:
        assert (await _next(news)).groups == {_name(group.group_id): 0}
        for seq in (1, 2, 3):
            change = asyncio.create_task(_next(news))
            await asyncio.sleep(0.02)
            await alice.say(group, b"hello")
            assert (await change).groups == {_name(group.group_id): seq}


async def test_a_service_that_has_no_room_for_a_stream_is_asked_again_no_sooner_than_it_says(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    class Full(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.answers = [7, 10**6, None]  # seconds that it says, until it has room
            self._service = httpx.ASGITransport(scene.app)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path != "/v1/events" or (after := self.answers.pop(0)) is None:
                return await self._service.handle_async_request(request)
            problem = Problem(f"{PROBLEM_PREFIX}overloaded", "Full", 503, "no room", retry_after=after)
            return httpx.Response(503, stream=httpx.ByteStream(msgspec.json.encode(problem)))

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(scene.app.router.lifespan_context(scene.app))
        alice = scene.device(ALICE, transport=Full())
        await alice.delivery.open_session()
        news = await stack.enter_async_context(aclosing(alice.delivery.follow()))
        monkeypatch.setattr(following, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": noted}))
        task = asyncio.create_task(_next(news))
        while len(pauses) < 2 and not task.done():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
    assert 7 <= pauses[0] <= 7 + BACKOFF_LIMIT
    assert BACKOFF_LIMIT <= pauses[1] <= 2 * BACKOFF_LIMIT


async def test_following_waits_for_a_service_that_is_not_there_yet(scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        away = asyncio.Event()

        class Away(httpx.AsyncBaseTransport):
            def __init__(self) -> None:
                self._service = httpx.ASGITransport(scene.app)

            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if not away.is_set():
                    raise httpx.ConnectError("", request=request)
                if request.url.path == "/v1/events":
                    return httpx.Response(503, stream=httpx.ByteStream(b""))
                return await self._service.handle_async_request(request)

        await stack.enter_async_context(scene.app.router.lifespan_context(scene.app))
        alice = scene.device(ALICE, transport=Away())
        news = await stack.enter_async_context(aclosing(alice.delivery.follow()))
        first = asyncio.create_task(_next(news))
        await asyncio.sleep(0.05)
        assert not first.done()
        away.set()
        assert await first == GroupHeads({}, 0)


async def test_an_endless_event_ends_the_stream_not_the_memory(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVENT_LIMIT", 10_000)
    sent = 0

    class Endless(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self._service = httpx.ASGITransport(scene.app)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path != "/v1/events":
                return await self._service.handle_async_request(request)

            async def body() -> AsyncIterator[bytes]:
                nonlocal sent
                yield b"data: "
                while True:
                    sent += 1_000
                    yield b"x" * 1_000

            return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body())

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(scene.app.router.lifespan_context(scene.app))
        news = await stack.enter_async_context(aclosing(scene.device(ALICE, transport=Endless()).delivery.follow()))
        assert await _next(news) == GroupHeads({}, 0)
    assert sent <= (following.STREAM_TRIES + 1) * 12_000


async def test_a_refusal_that_a_repeat_does_not_cure_ends_following(scene: Scene, base_url: str) -> None:
    stranger = Scene().device(ALICE, base_url, httpx.AsyncHTTPTransport())
    async with stranger.delivery, aclosing(stranger.delivery.follow()) as news:
        with pytest.raises(CredentialRefusedError):
            await _next(news)
