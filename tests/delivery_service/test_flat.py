"""After whatever was done, nothing of it is left in the process: what a soak would see in hours, seen at once."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from delivery_service.app import create_app
from delivery_service.observers import OBSERVERS_LIMIT
from delivery_service.sessions import KNOWN_LIMIT
from delivery_service.wire import MLS_TYPE, SESSION_LIFETIME
from tests.delivery_service.test_event_stream import events, serving, text_id

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
ROUNDS = 12


@pytest.fixture
async def world(tmp_path: Path, make_world):
    world = make_world()
    world.app = create_app(tmp_path, world.roots.anchors, host="delivery.example", clock=world.clock)
    async with serving(world.app) as url, httpx.AsyncClient(base_url=url, timeout=20) as world.http:
        yield world


def held(service: Any) -> dict[str, int]:
    """How much each part remembers of what is under way."""
    wakeups, groups = service.wakeups, service.groups
    load = service.engine.load
    return {
        "watchers by device": len(wakeups._by_device),
        "watchers by number": len(wakeups._by_number),
        "watchers by group": len(wakeups._by_group),
        "streams": service.streams.count,
        "streams by device": len(service.streams._open),
        "handshakes": len(groups._running),
        "turns of handshakes": len(groups._turns._taken),
        "turns of large bodies": len(service.large_bodies),
        "locks of observers": len(service.observers._locks),
        "requests for the store": load.waiting,
        "octets for the store": load.octets,
    }


async def left(service: Any) -> dict[str, int]:
    """What is held although the ends of connections have been noticed."""
    for _ in range(500):
        if not any(held(service).values()):
            break
        await asyncio.sleep(0.01)
    return {name: amount for name, amount in held(service).items() if amount}


async def a_round(world: Any, alice: Any, bob: Any, number: int) -> None:
    """Sessions, a group, a member, messages, reads, a stream, long polls, refusals, and a reader that hangs up."""
    await alice.open_session()
    await bob.publish(1)
    group = await alice.create()
    async with aclosing(events(bob)) as stream:
        await anext(stream)
        await alice.add(group, BOB)
        assert text_id(group.group_id) in (await anext(stream))["groups"]
        for place in range(5):
            await alice.say(group, b"%d of %d" % (place, number))
        path = f"/v1/groups/{text_id(group.group_id)}/entries"
        assert (await alice.call("GET", f"{path}?after=0")).status_code == 200
        poll = asyncio.create_task(bob.call("GET", f"{path}?after=6&wait=20"))
        given_up = asyncio.create_task(bob.call("GET", "/v1/inbox?after=99&wait=1"))
        while len(world.app.state.service.wakeups.watchers()) < 3:
            await asyncio.sleep(0.01)
        await alice.say(group, b"awaited")
        assert (await poll).status_code == 200
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert (await alice.post(path, b"no message", MLS_TYPE)).status_code == 400
        assert (await alice.post(f"{path[:-7]}commits", b"no bundle", "application/msgpack")).status_code == 400


async def test_nothing_of_what_was_done_stays_in_memory(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    service = world.app.state.service
    assert await left(service) == {}
    for number in range(ROUNDS):
        await a_round(world, alice, bob, number)
    assert await left(service) == {}
    assert len(service.sessions._known) <= KNOWN_LIMIT
    assert len(service.observers._kept) <= min(OBSERVERS_LIMIT, ROUNDS)
    assert {len(limit._buckets) for limit in service.allowances._limits.values()} <= {0, 1, 2}


async def test_a_session_that_has_ended_is_not_remembered(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    known = world.app.state.service.sessions._known
    for device in (alice, bob):
        assert (await device.call("GET", "/v1/groups")).status_code == 200
    assert len(known) == 2
    world.clock.now += SESSION_LIFETIME
    await bob.open_session()
    assert (await bob.call("GET", "/v1/groups")).status_code == 200
    assert list(known) == [f"Bearer {bob.token}".encode()]
    world.clock.now += SESSION_LIFETIME
    assert [(await device.call("GET", "/v1/groups")).status_code for device in (alice, bob)] == [401, 401]
    assert not [token for token in known if token == f"Bearer {alice.token}".encode()]
