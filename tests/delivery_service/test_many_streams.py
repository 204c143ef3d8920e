"""Many groups, many connections and slow readers: what is bounded, and what is said at the bound."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from client.services.following import EVENT_LIMIT
from delivery_service import events as event_streams
from delivery_service.app import create_app
from delivery_service.http import connections
from delivery_service.http.connections import BoundedConnection, room_for
from delivery_service.storage.values import NewEntry, NewGroup
from delivery_service.wire.streams import GROUPS_PER_EVENT
from tests.delivery_service.real_process import RealProcess
from tests.delivery_service.serving import served
from tests.delivery_service.test_event_stream import events, text_id

ALICE, BOB = "+12025550142", "+12025550143"
MANY = 10_000  # groups of one device


@asynccontextmanager
async def bounded(app, limit: int | None = None) -> AsyncIterator[str]:
    """The application behind the connections that the command gives it; with a limit, one that runs already."""
    config = uvicorn.Config(
        app,
        port=0,
        http=BoundedConnection,
        limit_concurrency=limit,
        log_level="critical",
        lifespan="on" if limit is None else "off",
        timeout_graceful_shutdown=1,
    )
    async with served(config) as url:
        yield url


@pytest.fixture
async def world(tmp_path: Path, make_world) -> AsyncIterator[object]:
    world = make_world()
    world.app = create_app(tmp_path, world.roots.anchors, host="delivery.example", clock=world.clock)
    async with bounded(world.app) as world.url, httpx.AsyncClient(base_url=world.url, timeout=20) as world.http:
        yield world


async def found_many(world, device: bytes, count: int, octets: int = 16) -> list[bytes]:
    """Groups that the store keeps for a device, without the engine that would found each."""
    store = world.app.state.service.store
    groups = [number.to_bytes(octets, "big") for number in range(count)]
    for start in range(0, count, 1000):
        some = groups[start : start + 1000]
        await asyncio.gather(
            *(store.create_group(NewGroup(group, device, group[-16:], bytes(32), b"observer")) for group in some)
        )
    return groups


async def append(world, group_id: bytes, device: bytes, key: bytes) -> int:
    entry = NewEntry(group_id, device, "application", 0, key, bytes(32), 0, b"a message")
    return (await world.app.state.service.store.append(entry)).seq


async def test_ten_thousand_groups_are_followed_by_one_stream_in_events_that_every_client_takes(world):
    alice = await world.device(ALICE)
    groups = await found_many(world, alice.identity, MANY)
    heads: dict[str, int] = {}
    async with aclosing(events(alice)) as stream:
        while len(heads) < MANY:
            event = await anext(stream)
            assert 0 < len(event["groups"]) <= GROUPS_PER_EVENT
            assert len(json.dumps(event)) < EVENT_LIMIT / 10
            heads |= event["groups"]
        assert heads == {text_id(group): 0 for group in groups}
        assert await append(world, groups[7_777], alice.identity, bytes(16)) == 1
        assert (await anext(stream))["groups"] == {text_id(groups[7_777]): 1}


async def test_a_group_more_is_told_without_all_the_others(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    await found_many(world, bob.identity, 50)
    group = await alice.create()
    async with aclosing(events(bob)) as stream:
        assert len((await anext(stream))["groups"]) == 50
        await alice.add(group, BOB)
        assert await anext(stream) == {"groups": {text_id(group.group_id): 1}, "inbox": 1}


async def test_a_stream_taken_up_again_by_cursor_misses_nothing(world):
    alice = await world.device(ALICE)
    groups = await found_many(world, alice.identity, 3)
    cursors = {text_id(group): 0 for group in groups}
    for turn in range(4):
        async with aclosing(events(alice)) as stream:
            heads = (await anext(stream))["groups"]
            behind = {name for name, head in heads.items() if head > cursors[name]}
            assert len(behind) == (1 if turn else 0)
            cursors |= heads
        assert await append(world, groups[turn % 3], alice.identity, turn.to_bytes(16, "big")) == 1 + turn // 3


async def test_what_a_stream_holds_does_not_grow_with_what_happens(world, monkeypatch):
    alice = await world.device(ALICE)
    groups = await found_many(world, alice.identity, 2)
    service = world.app.state.service
    async with aclosing(events(alice)) as stream:
        await anext(stream)
        (watcher,) = service.wakeups.watchers()
        monkeypatch.setattr(watcher, "woken", asyncio.Event(), raising=False)  # it hears nothing, and so says nothing
        for number in range(200):
            await append(world, groups[number % 2], alice.identity, number.to_bytes(16, "big"))
        assert len(watcher.heads) <= 2


async def _open_and_leave(world, device) -> socket.socket:
    """A stream whose reader has a small buffer and takes nothing from it."""
    parts = urlsplit(world.url)
    peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, (parts.hostname, parts.port))
    request = f"GET /v1/events HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {device.token}\r\n\r\n"
    await loop.sock_sendall(peer, request.encode())
    return peer


async def _rest(peer: socket.socket) -> bytes:
    loop, octets = asyncio.get_running_loop(), b""
    async with asyncio.timeout(20):
        while not octets.endswith(b"\r\n0\r\n\r\n") and (some := await loop.sock_recv(peer, 65536)):
            octets += some
    return octets


async def test_a_slow_reader_is_closed_told_why_and_loses_nothing_by_coming_again(world, monkeypatch):
    monkeypatch.setattr(event_streams.EventStream.__init__, "__defaults__", (0.3,))
    alice = await world.device(ALICE)
    groups = await found_many(world, alice.identity, 2 * MANY, octets=255)  # some 7 MB, more than sockets hold
    service = world.app.state.service
    with await _open_and_leave(world, alice) as peer:
        async with asyncio.timeout(20):
            while not service.streams.count:
                await asyncio.sleep(0.01)
            while service.streams.count:
                await asyncio.sleep(0.01)
        assert not service.wakeups.watchers()
        said = (await _rest(peer)).decode()
    assert said.endswith('event: end\ndata: {"reason":"slow-reader"}\n\n\r\n0\r\n\r\n')
    told = sum(line.count(":0") for line in said.splitlines() if line.startswith("data: {"))
    assert 0 < told < len(groups)
    async with aclosing(events(alice)) as stream:
        again = 0
        while again < len(groups):
            again += len((await anext(stream))["groups"])


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda service, device: service.wakeups.close(), "stopping"),
        (lambda service, device: service.wakeups.end(device), "certificate-revoked"),
    ],
)
async def test_a_stream_that_ends_says_why(world, end, reason):
    alice = await world.device(ALICE)
    with await _open_and_leave(world, alice) as peer:
        service = world.app.state.service
        async with asyncio.timeout(20):
            while not service.streams.count:
                await asyncio.sleep(0.01)
        end(service, alice.identity)
        assert f'event: end\ndata: {{"reason":"{reason}"}}\n\n'.encode() in await _rest(peer)


async def test_a_connection_too_many_is_refused_and_those_that_are_there_are_not(world):
    async with (
        bounded(world.app, limit=2) as url,
        httpx.AsyncClient(base_url=url) as first,
        httpx.AsyncClient(base_url=url) as second,
    ):
        assert (await first.get("/v1/health")).status_code == 204
        assert (await second.get("/v1/health")).status_code == 204
        async with httpx.AsyncClient(base_url=url) as third:
            answer = await third.get("/v1/health")
        assert answer.status_code == 503
        assert answer.headers["connection"] == "close"
        assert int(answer.headers["retry-after"]) == connections.RETRY_AFTER
        assert answer.json()["type"] == "urn:ringtrue:delivery:overloaded"
        assert "CONNECTIONS" in answer.json()["detail"]
        assert (await first.get("/v1/health")).status_code == 204
        await second.aclose()
        async with httpx.AsyncClient(base_url=url) as fourth:
            for _ in range(200):
                if (await fourth.get("/v1/health")).status_code == 204:
                    break
                await asyncio.sleep(0.01)
            assert (await fourth.get("/v1/health")).status_code == 204


async def test_connections_far_beyond_the_limit_are_cut_without_waiting(world, monkeypatch):
    monkeypatch.setattr(connections, "REFUSED_LIMIT", 1)
    async with bounded(world.app, limit=1) as url:
        parts = urlsplit(url)
        opened = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(4)]
        async with asyncio.timeout(5):
            for reader, _ in opened[2:]:
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
        for _, writer in opened:
            writer.close()


def test_connections_fit_into_the_limit_on_open_files(monkeypatch):
    limits = {"now": (1_024, 20_000)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(now=pair))
    reserve = connections.REFUSED_LIMIT + connections.OTHER_FILES
    assert room_for(100) == 100
    assert limits["now"] == (1_024, 20_000)
    assert room_for(10_000) == 10_000
    assert limits["now"] == (10_000 + reserve, 20_000)
    assert room_for(30_000) == 20_000 - reserve
    limits["now"] = (1_024, resource.RLIM_INFINITY)
    assert room_for(30_000) == 30_000


async def test_a_command_with_few_connections_refuses_one_too_many_and_ends_at_once(tmp_path, now_roots):
    process = RealProcess(tmp_path, now_roots, "--connections", "1")
    await process.start()
    try:
        async with process.client() as first, process.client() as second:
            assert (await first.get("/v1/health")).status_code == 204
            assert (await second.get("/v1/health")).status_code == 503
    finally:
        assert await process.end() == 0
