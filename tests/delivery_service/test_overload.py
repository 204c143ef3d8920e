"""Overload: what would wait for too long is refused at once, before anything is done, and its repeat is as good."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import msgspec
import pytest
import uvicorn

from client.services.delivery import DeliveryClient
from delivery_service import entrance as entrances
from delivery_service.app import create_app
from delivery_service.entrance import WAITING_LIMIT, Entrance
from delivery_service.errors import RefusedError
from delivery_service.http.connections import BoundedConnection
from delivery_service.storage import lane as lanes
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.lane import Item, Lane
from delivery_service.storage.postgresql import WRITE_BATCH as POSTGRESQL_BATCH
from delivery_service.storage.postgresql import WRITING_LANES, PostgresqlEngine
from delivery_service.storage.sqlite import WRITE_BATCH, SqliteEngine
from delivery_service.storage.transaction import Transaction
from delivery_service.wire import MLS_TYPE, PROBLEM_PREFIX, Appended, Problem
from tests.delivery_service.conftest import path_of
from tests.delivery_service.serving import served

ALICE = "+12025550142"
BATCH = 4
KEY = "0" * 32


class Disk:
    """The session of a lane whose transactions end when somebody lets them."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(0)
        self.begun = 0

    def transact(self, items: list[Item]) -> None:
        self.begun += len(items)
        assert self.turns.acquire(timeout=30)
        for item in items:
            item.value = item.work(*item.arguments)

    def close(self) -> None:
        pass


@pytest.fixture
async def scene() -> AsyncIterator[SimpleNamespace]:
    """A lane, its disk, and the time that it sees."""
    scene = SimpleNamespace(disk=Disk(), now=0.0)
    scene.lane = Lane(lambda: scene.disk, batch=BATCH, clock=lambda: scene.now)
    scene.lane.start(lambda change: None)
    yield scene
    scene.disk.turns.release(100)
    await scene.lane.stop()


async def handed_over(lane: Lane, requests: int) -> list[asyncio.Future[int]]:
    """So many requests, in the hands of the lane's thread."""
    futures = [lane.run(int, 7) for _ in range(requests)]
    await asyncio.sleep(0)
    return futures


async def under_way(disk: Disk, requests: int) -> None:
    async with asyncio.timeout(30):
        while disk.begun < requests:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("seconds", "refused"), [(lanes.WAIT_LIMIT, False), (lanes.WAIT_LIMIT + 0.001, True)])
async def test_a_lane_refuses_once_its_oldest_request_has_waited_for_too_long(scene, seconds, refused):
    waiting = await handed_over(scene.lane, 2 * BATCH)
    scene.now += seconds
    assert scene.lane.load.waited == pytest.approx(seconds)
    if refused:
        with pytest.raises(RefusedError) as caught:
            scene.lane.run(int, 8)
        assert (caught.value.word, caught.value.members) == ("overloaded", {"retry_after": lanes.RETRY_AFTER})
    else:
        waiting.append(scene.lane.run(int, 7))
    scene.disk.turns.release(3)
    assert await asyncio.gather(*waiting) == [7] * len(waiting)


async def test_who_would_be_in_the_next_transaction_is_not_refused_however_long_this_one_takes(scene):
    waiting = await handed_over(scene.lane, BATCH)
    await under_way(scene.disk, BATCH)
    scene.now += 1000 * lanes.WAIT_LIMIT
    waiting += await handed_over(scene.lane, BATCH)
    with pytest.raises(RefusedError):
        scene.lane.run(int, 8)
    scene.disk.turns.release(2)
    assert await asyncio.gather(*waiting) == [7] * (2 * BATCH)


async def test_a_lane_takes_requests_again_as_soon_as_the_oldest_one_is_answered(scene):
    first = await handed_over(scene.lane, BATCH)
    await under_way(scene.disk, BATCH)
    scene.now += 0.75 * lanes.WAIT_LIMIT
    second = await handed_over(scene.lane, BATCH)
    scene.now += 0.5 * lanes.WAIT_LIMIT
    with pytest.raises(RefusedError):
        scene.lane.run(int, 8)
    scene.disk.turns.release()
    assert await asyncio.gather(*first) == [7] * BATCH
    third = await handed_over(scene.lane, BATCH)
    scene.disk.turns.release(2)
    assert await asyncio.gather(*second, *third) == [7] * (2 * BATCH)
    assert scene.lane.load.waited == 0


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    opened: Engine
    if request.param == "postgresql":
        opened = PostgresqlEngine(Database(request.getfixturevalue("database"), one_copy=True))
    else:
        opened = SqliteEngine(tmp_path)
    opened.start(lambda change: None)
    yield opened
    await opened.stop()


async def test_an_engine_that_stands_still_refuses_writes_and_goes_on_with_reads(engine, monkeypatch):
    monkeypatch.setattr(lanes, "WAIT_LIMIT", 0)
    lanes_of_writes, batch = (
        (WRITING_LANES, POSTGRESQL_BATCH) if isinstance(engine, PostgresqlEngine) else (1, WRITE_BATCH)
    )
    goes_on = threading.Event()

    def stand_still(tx: Transaction) -> int:
        assert goes_on.wait(30)
        return 1

    def one(tx: Transaction) -> int:
        return int(tx.value("SELECT 1"))

    waiting = [asyncio.ensure_future(engine.write(stand_still)) for _ in range(2 * batch * lanes_of_writes)]
    await asyncio.sleep(0)
    for _ in range(3):
        with pytest.raises(RefusedError, match="too long"):
            engine.write(one)
    assert await engine.read(one) == 1
    goes_on.set()
    assert await asyncio.gather(*waiting) == [1] * len(waiting)
    assert await engine.write(one) == 1


@pytest.mark.parametrize(
    ("seconds", "behind", "refused"),
    [
        (entrances.WAIT_LIMIT, WAITING_LIMIT, False),
        (entrances.WAIT_LIMIT + 0.001, WAITING_LIMIT, True),
        (entrances.WAIT_LIMIT + 0.001, WAITING_LIMIT - 1, False),
    ],
)
def test_a_request_is_refused_that_waited_for_too_long_with_too_many_behind_it(seconds, behind, refused):
    now = 0.0
    entrance = Entrance(lambda: now)
    begin, *others = [entrance.arrive() for _ in range(1 + behind)]
    now += seconds
    if refused:
        with pytest.raises(RefusedError) as caught:
            begin()
        assert (caught.value.word, caught.value.members) == ("overloaded", {"retry_after": entrances.RETRY_AFTER})
    else:
        begin()
    assert (entrance.waiting, entrance.waited) == (behind, pytest.approx(seconds))
    assert len(others) == behind


@pytest.fixture
async def busy(tmp_path: Path, make_world, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimpleNamespace]:
    """A served world; while it is `late`, its event loop seems to take a second for each request."""
    monkeypatch.setattr(entrances, "WAITING_LIMIT", 0)
    scene = SimpleNamespace(world=make_world(), late=0, now=0.0)

    def clock() -> float:
        if scene.late:
            scene.now += 1
        return scene.now

    app = create_app(tmp_path, scene.world.roots.anchors, host="delivery.example", clock=scene.world.clock)
    http = partial(BoundedConnection, entrance=Entrance(clock))
    config = uvicorn.Config(app, port=0, http=http, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    async with served(config) as scene.url, httpx.AsyncClient(base_url=scene.url, timeout=20) as scene.world.http:
        scene.service = app.state.service
        yield scene


async def test_what_is_refused_for_waiting_was_not_begun_and_is_as_good_when_repeated(busy):
    alice = await busy.world.device(ALICE)
    group = await alice.create()
    path, message = f"{path_of(group.group_id)}/entries", group.encrypt(b"once")
    left = busy.service.octets._refilled(ALICE, alice.now).tokens
    busy.late = True
    for method, address in (("POST", path), ("GET", path), ("POST", "/v1/sessions"), ("GET", "/v1/events")):
        answer = await alice.call(method, address, message, MLS_TYPE, idempotency_key=KEY)
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert (answer.status_code, problem.type) == (503, f"{PROBLEM_PREFIX}overloaded")
        assert answer.headers["retry-after"] == str(problem.retry_after) == str(entrances.RETRY_AFTER)
    for address in ("/v1/health", "/v1/ready"):
        assert (await alice.call("GET", address)).status_code == 204
    busy.late = False
    assert busy.service.octets._refilled(ALICE, alice.now).tokens == left
    assert (await alice.read(group.group_id)).head == 0
    repeated = await alice.append(group.group_id, message, KEY)
    assert msgspec.json.decode(repeated.content, type=Appended).seq == 1


async def test_a_request_behind_another_on_its_connection_does_not_wait_for_the_event_loop(busy):
    """It waits for the one before it, which may be a long poll, and is as good as any when its turn comes."""
    host, port = busy.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    alice = await busy.world.device(ALICE)
    group = await alice.create()
    head = f"host: delivery.example\r\nauthorization: Bearer {alice.token}\r\n\r\n"
    poll = f"GET {path_of(group.group_id)}/entries?after=0&wait=30 HTTP/1.1\r\n{head}"
    writer.write((poll + f"GET /v1/groups HTTP/1.1\r\n{head}").encode())
    async with asyncio.timeout(20):
        while not busy.service.wakeups.watchers():
            await asyncio.sleep(0.001)
        busy.now += 1000
        await alice.say(group, b"the end of the wait")
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 2:
            answers += await reader.read(65_536)
    assert answers.count(b"HTTP/1.1 200") == 2
    writer.close()


async def test_a_client_waits_as_it_is_told_and_repeats_the_same_request(busy):
    alice = await busy.world.device(ALICE)
    group = await alice.create()
    async with DeliveryClient(busy.url, alice.key, alice.chain, clock=busy.world.clock) as client:
        await client.open_session()
        busy.late = True
        sending = asyncio.create_task(client.append(group.group_id, group.encrypt(b"in the end"), KEY))
        async with asyncio.timeout(30):
            while not busy.now:
                await asyncio.sleep(0.001)
        assert not sending.done()
        busy.late = False
        assert (await sending).seq == 1
    assert [entry.seq for entry in (await alice.read(group.group_id)).entries] == [1]
