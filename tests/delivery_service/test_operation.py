"""What an operator sees: metrics, health, readiness, and an end that loses nothing."""

import asyncio
import re
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from delivery_service.http.accounting import Accounted
from delivery_service.http.operations import OPERATIONS
from delivery_service.metrics import Metrics
from delivery_service.wire import MLS_TYPE, PROBLEMS
from tests.delivery_service.conftest import HOST, Device, running_world
from tests.delivery_service.real_process import RealProcess, free_port

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
ALICE, BOB = "+12025550142", "+12025550143"


@asynccontextmanager
async def running(process: RealProcess) -> AsyncIterator[RealProcess]:
    await process.start()
    try:
        yield process
    finally:
        await process.end(signal.SIGKILL)


@pytest.fixture
def make_process(tmp_path: Path, now_roots) -> Callable[..., RealProcess]:
    return lambda *options: RealProcess(tmp_path / "service", now_roots, *options)


async def connected(device: Device, process: RealProcess) -> Device:
    await device.http.aclose()
    device.http = process.client()
    await device.open_session()
    return device


async def metrics_of(port: int) -> dict[str, float]:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {f"{each.name}{sorted(each.labels.items())}": each.value for each in samples}


async def test_the_metrics_say_what_was_asked_and_name_nobody(make_process, now_device):
    port = free_port()
    async with running(make_process("--metrics", f"127.0.0.1:{port}")) as process:
        alice = await connected(now_device(ALICE), process)
        group = await alice.create()
        for text in (b"one", b"two"):
            await alice.say(group, text)
        assert (await alice.append(group.group_id, b"garbage")).status_code == 400
        assert (await alice.http.get(f"/v1/nowhere/{ALICE}")).status_code == 404
        found = await metrics_of(port)
        await alice.http.aclose()
    route = "[('method', 'POST'), ('route', '/v1/groups/{group}/entries'), ('status', '201')]"
    assert found[f"ringtrue_requests_total{route}"] == 2
    assert found["ringtrue_request_seconds_count[('method', 'POST'), ('route', '/v1/groups/{group}/entries')]"] == 3
    assert found["ringtrue_refused_total[('word', 'malformed')]"] == 1
    assert found["ringtrue_requests_total[('method', 'GET'), ('route', 'other'), ('status', '404')]"] == 1
    assert found["ringtrue_store_batched_total[]"] >= found["ringtrue_store_batches_total[]"] > 0
    assert found["ringtrue_ready[]"] == 1
    assert found["ringtrue_retention_runs_total[]"] == 1


async def test_the_runbook_has_a_row_for_every_metric(tmp_path: Path):
    async with running_world(tmp_path) as world:
        families = list(Metrics(world.app.state.service).registry.collect())
    named = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    table = RUNBOOK.read_text().partition("## Watch")[2].partition("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == named


async def test_labels_come_from_fixed_lists(tmp_path: Path):
    async with running_world(tmp_path) as world:
        metrics = Metrics(world.app.state.service)
        accounted = Accounted(world.app, world.app.state.service, world.app.routes, metrics=metrics, log=None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(accounted), base_url=f"http://{HOST}") as http:
            for method in ("GET", "POST", "BREW"):
                for path in ("/v1/groups", f"/v1/groups/{ALICE}/entries", "/v1/blobs/secret", "/x"):
                    assert (await http.request(method, path)).headers["request-id"]
        values: dict[str, set[str]] = {}
        for sample in (sample for family in metrics.registry.collect() for sample in family.samples):
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
        assert values["route"] <= {each.path for each in OPERATIONS} | {"other"}
        assert values["method"] <= {"GET", "POST", "other"}
        assert values["word"] <= set(PROBLEMS)
        assert set(values) == {"route", "method", "status", "word", "le"}


async def test_it_is_ready_only_while_its_store_writes(tmp_path: Path):
    async with running_world(tmp_path) as world:
        assert (await world.http.get("/v1/health")).status_code == 204
        assert (await world.http.get("/v1/ready")).status_code == 204
        await world.app.state.service.engine.stop()
        world.clock.now += 60
        assert (await world.http.get("/v1/ready")).status_code == 503
        assert (await world.http.get("/v1/health")).status_code == 204
        world.app.state.service.engine.start(world.app.state.service.wakeups.publish)
        assert (await world.http.get("/v1/ready")).status_code == 204


async def test_many_who_ask_whether_it_is_ready_cost_one_write(tmp_path: Path):
    async with running_world(tmp_path) as world:
        while not world.app.state.service.retention_runs:
            await asyncio.sleep(0.01)
        before = world.app.state.service.engine.load.batched
        answers = await asyncio.gather(*(world.http.get("/v1/ready") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {204}
        assert world.app.state.service.engine.load.batched == before + 1


async def test_a_drain_says_so_ends_streams_and_finishes_what_is_under_way(make_process, now_device):
    process = make_process("--drain", "1")
    async with running(process):
        alice = await connected(now_device(ALICE), process)
        group = await alice.create()
        fields = {"authorization": f"Bearer {alice.token}"}
        async with alice.http.stream("GET", "/v1/events", headers=fields) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("id: ")
            acknowledged: dict[str, int] = {}
            appending = [asyncio.create_task(append_until_refused(alice, group, acknowledged)) for _ in range(4)]
            while len(acknowledged) < 20:
                await asyncio.sleep(0.01)
            ending = asyncio.create_task(process.end())
            await process.said("draining")
            assert (await alice.http.get("/v1/ready")).status_code == 503
            assert (await alice.http.get("/v1/health")).status_code == 204
            rest = [line async for line in lines]  # and it ends as a response should
        await asyncio.gather(*appending)
        assert await ending == 0
        await alice.http.aclose()
    assert any("id: " in line for line in rest)
    assert process.events()[-1]["event"] == "stopped"

    async with running(process):  # clients come back, and find what was acknowledged
        await connected(alice, process)
        stored: dict[str, int] = {}
        while (batch := await alice.read(group.group_id, max(stored.values(), default=0))).entries:
            stored |= {entry.idempotency_key: entry.seq for entry in batch.entries}
        assert acknowledged.items() <= stored.items()
        await alice.http.aclose()
    assert len(acknowledged) > 20


async def append_until_refused(device: Device, group, acknowledged: dict[str, int]) -> None:
    while True:
        key = secrets.token_hex(16)
        try:
            answer = await device.append(group.group_id, group.encrypt(b"text"), key)
        except httpx.TransportError:
            return
        if answer.status_code != 201:
            return
        acknowledged[key] = answer.json()["seq"]


async def test_an_upload_that_never_ends_is_cut_at_the_end_of_the_drain(make_process, now_device):
    process = make_process()
    async with running(process):
        alice = await connected(now_device(ALICE), process)
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"begun"
            begun.set()
            await asyncio.Event().wait()

        fields = {"authorization": f"Bearer {alice.token}", "content-type": MLS_TYPE, "idempotency-key": "0" * 32}
        sending = asyncio.create_task(alice.http.post("/v1/groups", content=endless(), headers=fields))
        await begun.wait()
        await alice.http.get("/v1/health")
        assert await process.end() == 0
        sending.cancel()
        await asyncio.wait([sending])
        await alice.http.aclose()
    assert process.events()[-1]["event"] == "stopped"
