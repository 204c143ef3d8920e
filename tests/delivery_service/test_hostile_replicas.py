"""On PostgreSQL, what one client does to its own rows at two replicas at once does not stop the others' works."""

import asyncio
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest
import uvicorn
from starlette.applications import Starlette

from client.services.service import ATTEMPTS
from delivery_service.errors import StoreError
from delivery_service.storage.database import Database
from delivery_service.storage.postgresql import APPENDING_LANES, PostgresqlEngine
from delivery_service.storage.store import Store
from delivery_service.wire import MSGPACK_TYPE
from tests.delivery_service.conftest import Clock, Device, make_roots, path_of
from tests.delivery_service.serving import served
from tests.delivery_service.stored import new_entry, new_group
from tests.delivery_service.test_replicas import Replicas, replica

ALICE, BOB, CAROL, MALLORY = (f"+1202555014{n}" for n in (2, 3, 4, 5))
OTHERS = 3  # groups of others at each replica


@pytest.fixture
async def both(database: str, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Two replicas behind servers of their own, on one database."""
    clock, roots, folders = Clock(), make_roots("Test root"), [tmp_path / "first", tmp_path / "second"]
    async with AsyncExitStack() as stack:
        clients, services = [], []
        for folder in folders:
            folder.mkdir()
            if services:
                shutil.copy(folders[0] / "franking.key", folder)
            app = replica(database, folder, clock, roots)
            url = await stack.enter_async_context(served(patient(app)))
            unbounded = httpx.Limits(max_connections=None, keepalive_expiry=None)
            clients.append(
                await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=120, limits=unbounded))
            )
            services.append(app.state.service)
        yield Replicas(*clients, services, clock, roots)


class Repeating(httpx.AsyncHTTPTransport):
    """Waits and repeats as often as the client does: on a busy machine a replica doubts its database for a moment.

    Whoever an attack keeps from the database is refused as long as it lasts, and so each time.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(1, ATTEMPTS):
            answer = await super().handle_async_request(request)
            if answer.status_code != 503:
                return answer
            await answer.aclose()
            await asyncio.sleep(int(answer.headers["retry-after"]))
        return await super().handle_async_request(request)


def patient(app: Starlette) -> uvicorn.Config:
    """A server that ends no idle connection: on a busy machine it would do so as the next request is on its way."""
    return uvicorn.Config(
        app, port=0, lifespan="on", log_level="critical", timeout_graceful_shutdown=1, timeout_keep_alive=3600
    )


@asynccontextmanager
async def storm(*attacks: Callable[[], Awaitable[httpx.Response]]) -> AsyncIterator[Counter[int]]:
    """Each attack again and again while the body runs; the statuses that it got."""
    over, statuses = asyncio.Event(), Counter[int]()

    async def again(attack: Callable[[], Awaitable[httpx.Response]]) -> None:
        while not over.is_set():
            statuses[(await attack()).status_code] += 1

    storming = asyncio.gather(*(again(attack) for attack in attacks))
    try:
        yield statuses
    finally:
        over.set()
        await asyncio.wait_for(storming, 200)


async def until(raged: Callable[[], bool]) -> None:
    """The storm has done this much."""
    async with asyncio.timeout(200):
        while not raged():
            await asyncio.sleep(0.01)


async def others_go_on(both: Replicas) -> None:
    """At each replica: entries and commits in several groups, key packages, sessions; a client brings each about."""
    for place, number in ((both.first, ALICE), (both.second, BOB)):
        async with httpx.AsyncClient(base_url=place.base_url, transport=Repeating(), timeout=120) as http:
            device = await both.device(number, packages=2, at=http)
            for _ in range(OTHERS):
                await goes_on(device)


async def goes_on(device: Device) -> None:
    group = await device.create()
    for text in (b"one", b"two"):
        await device.say(group, text)
    pending = group.commit(device.now, path=True)
    answer = await device.commit(group, pending)
    assert answer.status_code == 201, answer.text
    group.apply(pending.secrets)
    assert (await device.say(group, b"three")).seq == 4
    assert (await device.publish(1)).status_code == 200
    await device.open_session()


async def test_one_hot_group_leaves_the_others_alone(both: Replicas) -> None:
    """Entries and large commits for one group at both replicas, so that its row is never without a lock."""
    devices = [await both.device(MALLORY, at=http) for http in (both.first, both.second)]
    group = await devices[0].create()
    message, path = group.encrypt(b"again and again"), path_of(group.group_id)
    bad = bytearray(group.propose_update(devices[0].now))
    bad[-80] ^= 1
    pending = group.commit(devices[0].now, path=True)
    bundle = msgspec.msgpack.encode(
        {"commit": pending.commit, "welcomes": [], "group_info": pending.group_info + bytes(2**20)}
    )
    attacks = [lambda: devices[0].append(group.group_id, message)] * 8
    attacks += [lambda: devices[0].append(group.group_id, bytes(bad))] * 3
    attacks += [lambda: devices[0].post(f"{path}/commits", bundle, MSGPACK_TYPE)] * 2
    async with storm(*attacks) as statuses:
        await others_go_on(both)
        await until(lambda: statuses[201] > 20)
        await others_go_on(both)
    assert not statuses[500]


async def test_works_that_collide_at_both_replicas_leave_the_others_alone(both: Replicas) -> None:
    """Works over the rows of one number, at both replicas at once: each is begun again, and in the others' way."""
    devices = [await both.device(MALLORY, packages=5) for _ in range(4)]
    here, there = devices[0], devices[1]
    for device in devices[2:]:
        device.http = both.second
    there.http = both.second

    def body(value: object) -> bytes:
        return msgspec.json.encode(value)

    attacks = [
        lambda device=device: device.call("POST", "/v1/data-deletions", body({"what": "number"})) for device in devices
    ]
    attacks += [lambda device=device: device.call("POST", "/v1/inbox/ack", body({"position": 0})) for device in devices]
    attacks += [lambda device=device: device.choose("ask", ALICE, BOB) for device in devices]
    attacks += [lambda device=device: device.claim_answer(MALLORY) for device in devices]
    async with storm(*attacks) as statuses:
        await others_go_on(both)
        await until(lambda: statuses[204] > 4)
        await others_go_on(both)
    assert not statuses[500]
    assert (await here.call("GET", "/v1/groups")).status_code == 200


async def test_a_group_whose_row_somebody_keeps_locked_holds_nobody_up_for_long(database: str) -> None:
    """As a replica does that stopped in the midst of a transaction: others in the same lane wait, but not for ever."""
    engine = PostgresqlEngine(Database(database, one_copy=True))
    engine.start(lambda change: None)
    store = Store(engine)
    names = [b"stuck", *(b"free %d" % number for number in range(4 * APPENDING_LANES))]
    for name in names:
        await store.create_group(new_group(name, secrets.token_bytes(16)))
    with psycopg.connect(database) as holder:
        holder.execute("SELECT 1 FROM groups WHERE group_id = %s FOR UPDATE", [b"stuck"])
        stuck = [store.append(replace(new_entry(), group_id=b"stuck")) for _ in range(50)]
        free = [store.append(replace(new_entry(), group_id=name)) for name in names[1:]]
        answers = await asyncio.wait_for(asyncio.gather(*free), 60)
        assert {answer.seq for answer in answers} == {1}
        refused = await asyncio.gather(*stuck, return_exceptions=True)
        assert {type(each) for each in refused} == {StoreError}
        holder.rollback()
    assert (await store.append(replace(new_entry(), group_id=b"stuck"))).seq == 1
    await engine.stop()
