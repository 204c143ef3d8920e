"""The event stream, over a real server: cursors only, all heads first, nothing missed, nobody waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from delivery_service.app import create_app
from delivery_service.events import STREAMS_PER_DEVICE, EventStream
from delivery_service.wakeups import Wakeups
from identity.base64url import encode_base64url
from tests.delivery_service.serving import served

ALICE, BOB = "+12025550142", "+12025550143"


@asynccontextmanager
async def serving(app) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    async with served(config) as url:
        yield url


@pytest.fixture
async def loopback(tmp_path: Path, make_world) -> AsyncIterator[object]:
    world = make_world()
    world.app = create_app(tmp_path, world.roots.anchors, host="delivery.example", clock=world.clock)
    async with serving(world.app) as url, httpx.AsyncClient(base_url=url, timeout=10) as world.http:
        yield world


async def events(device) -> AsyncIterator[dict]:
    headers = {"authorization": f"Bearer {device.token}"}
    async with device.http.stream("GET", "/v1/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))
            elif line.startswith(":"):
                yield {}


def text_id(group_id: bytes) -> str:
    return encode_base64url(group_id).decode()


async def test_a_stream_begins_with_all_heads_and_tells_each_change(loopback):
    alice, bob = await loopback.device(ALICE), await loopback.device(BOB, packages=2)
    group = await alice.create()
    name = text_id(group.group_id)
    async with aclosing(events(alice)) as hers, aclosing(events(bob)) as his:
        assert await anext(hers) == {"groups": {name: 0}, "inbox": 0}
        assert await anext(his) == {"groups": {}, "inbox": 0}
        await alice.add(group, BOB)
        assert await anext(hers) == {"groups": {name: 1}, "inbox": 0}
        assert await anext(his) == {"groups": {name: 1}, "inbox": 1}
        await alice.say(group, b"hello")
        assert await anext(hers) == {"groups": {name: 2}, "inbox": 0}
        assert await anext(his) == {"groups": {name: 2}, "inbox": 1}

        index = next(member.index for member in group.members() if member.identity == bob.identity)
        pending = group.commit(alice.now, remove=[index])
        await alice.commit(group, pending)
        group.apply(pending.secrets)
        assert await anext(his) == {"groups": {name: 3}, "inbox": 1}
        await alice.say(group, b"without Bob")
        await alice.add(await alice.create(), BOB)
        told = await anext(his)
        assert told["inbox"] == 2
        assert name not in told["groups"]
    async with aclosing(events(bob)) as his:
        assert (await anext(his))["groups"][name] == 3


async def test_a_stream_tells_both_sides_of_contact_requests(loopback):
    alice, bob = await loopback.device(ALICE), await loopback.device(BOB, packages=1)
    async with aclosing(events(alice)) as hers, aclosing(events(bob)) as his:
        assert await anext(hers) == await anext(his) == {"groups": {}, "inbox": 0}
        await bob.choose("ask")
        assert (await anext(his))["requests"] == 1
        await alice.ask(BOB)
        assert (await anext(his))["requests"] == 2
        await bob.decide(ALICE, "grant")
        assert (await anext(his))["requests"] == 3
        assert (await anext(hers))["requests"] == 1


async def test_many_changes_arrive_as_the_newest_head(loopback):
    alice = await loopback.device(ALICE)
    group = await alice.create()
    name = text_id(group.group_id)
    async with aclosing(events(alice)) as stream:
        await anext(stream)
        for number in range(50):
            await alice.say(group, b"%d" % number)
        heads = [(await anext(stream))["groups"][name]]
        while heads[-1] < 50:
            heads.append((await anext(stream))["groups"][name])
        assert heads == sorted(set(heads))


async def test_an_idle_stream_beats_and_ends_with_its_session(loopback):
    alice = await loopback.device(ALICE)
    service = loopback.app.state.service
    service.streams._heartbeat = 0.02
    async with aclosing(events(alice)) as stream:
        assert await anext(stream)
        assert await anext(stream) == {}
    service.streams._heartbeat = 20
    loopback.clock.now += 599.8
    seen = await asyncio.wait_for(_all(events(alice)), 5)
    assert seen == [{"groups": {}, "inbox": 0}, {"reason": "session-expired"}]


async def _all(stream: AsyncIterator[dict]) -> list[dict]:
    async with aclosing(stream):
        return [event async for event in stream]


async def test_one_stream_too_many_closes_the_oldest(loopback):
    alice = await loopback.device(ALICE)
    streams = [events(alice) for _ in range(STREAMS_PER_DEVICE + 1)]
    for stream in streams[:-1]:
        await anext(stream)
    await anext(streams[-1])
    assert await asyncio.wait_for(anext(streams[0]), 5) == {"reason": "too-many"}
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(streams[0]), 5)
    for stream in streams:
        await stream.aclose()


async def test_a_stream_is_forgotten_when_its_reader_goes(loopback):
    alice = await loopback.device(ALICE)
    wakeups: Wakeups = loopback.app.state.service.wakeups
    await alice.create()
    async with aclosing(events(alice)) as stream:
        await anext(stream)
        assert wakeups._by_device
    for _ in range(200):
        if not wakeups._by_device and not wakeups._by_group:
            break
        await asyncio.sleep(0.01)
    assert not wakeups._by_device
    assert not wakeups._by_group


async def test_a_reader_that_does_not_read_is_closed(loopback):
    alice = await loopback.device(ALICE)
    service = loopback.app.state.service
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> dict:
        return await asyncio.Future()

    stream = EventStream(service.streams, alice.identity, lifetime=60, patience=0.05)
    await asyncio.wait_for(stream({"type": "http"}, receive, send), 5)
    assert [message.get("more_body") for message in sent] == [None, True, False]
    assert b"slow-reader" in sent[-1]["body"]
    assert not service.wakeups._by_device
