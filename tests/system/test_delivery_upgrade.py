"""A rolling upgrade under load: the schema first, then the replicas one by one, and no entry is lost or there twice."""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from mls_rs import Group

from delivery_service.migrations import REVISIONS, migrate
from delivery_service.storage.database import connect
from delivery_service.storage.sqlite import SCHEMA_VERSION
from delivery_service.wire import Appended
from lab.histories.process import ServiceProcess
from tests.delivery_service.conftest import Device, Roots, make_roots

NUMBERS = ("+12025550142", "+12025550143", "+12025550144")
STEP = 60  # entries acknowledged before, between and after the steps of the upgrade
NEXT = f'''
from alembic import op
from delivery_service.migrations.steps import support

revision = "{SCHEMA_VERSION + 1}"
down_revision = "{SCHEMA_VERSION}"


def upgrade():
    op.execute("ALTER TABLE groups ADD COLUMN colour BIGINT")
    op.execute("ALTER TABLE log ADD COLUMN shade BIGINT NOT NULL DEFAULT 7")
    op.execute("CREATE INDEX log_by_shade ON log (shade) WHERE shade <> 7")
    support({SCHEMA_VERSION + 1}, oldest={SCHEMA_VERSION})
'''


@dataclass
class Load:
    """Devices that append without a pause, each the same bytes until one of the replicas has answered."""

    replicas: list[httpx.AsyncClient]
    acknowledged: dict[tuple[bytes, int], tuple[str, bytes]] = field(default_factory=dict)
    failures: int = 0
    ended: bool = False
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, device: Device, group: Group) -> None:
        while not self.ended:
            message, key = group.encrypt(secrets.token_bytes(200)), secrets.token_hex(16)
            said = await self.until_answered(device, group.group_id, message, key)
            place = group.group_id, said.seq
            assert place not in self.acknowledged, "two entries got one number"
            self.acknowledged[place] = key, message
            self.grown.set()

    async def until_answered(self, device: Device, group_id: bytes, message: bytes, key: str) -> Appended:
        while True:
            device.http = secrets.choice(self.replicas)
            try:
                answer = await device.append(group_id, message, key)
            except httpx.HTTPError:
                self.failures += 1
                continue
            if answer.status_code == 201:
                return msgspec.json.decode(answer.content, type=Appended)
            assert answer.status_code in (500, 503), answer.text
            self.failures += 1

    async def reach(self, count: int) -> None:
        """Waits for so many more acknowledgements."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            self.grown.clear()
            async with asyncio.timeout(120):
                await self.grown.wait()


@pytest.fixture
def roots() -> Roots:
    return make_roots("Present root", int(time.time()))


@pytest.fixture
async def replicas(database: str, tmp_path: Path, roots: Roots) -> AsyncIterator[list[ServiceProcess]]:
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in roots.anchors.roots))
    processes = []
    for name in ("first", "second"):
        options = ("--data-dir", str(tmp_path / name), "--accept-one-copy")
        process = ServiceProcess(tmp_path / f"{name}.log", anchors, options)
        process.environment = {**os.environ, "RINGTRUE_DATABASE": database}
        if processes:
            (tmp_path / name).mkdir()
            shutil.copy(tmp_path / "first" / "franking.key", tmp_path / name)
        await process.start()
        processes.append(process)
    yield processes
    for process in processes:
        await process.stop()


async def founded(roots: Roots, replicas: list[httpx.AsyncClient]) -> list[tuple[Device, Group]]:
    """A group of two for the first two numbers, and one for the third alone."""
    alice, bob, carol = (Device(roots, number, replicas[0], time.time, 86_400) for number in NUMBERS)
    for device in (alice, bob, carol):
        await device.open_session()
    assert (await bob.publish(1)).status_code == 200
    group, alone = await alice.create(), await carol.create()
    await alice.add(group, NUMBERS[1])
    joined, _ = await bob.join()
    return [(alice, group), (bob, joined), (carol, alone)]


async def whole_log(device: Device, group_id: bytes) -> dict[int, tuple[str, bytes]]:
    entries, after = {}, 0
    while True:
        batch = await device.read(group_id, after)
        for entry in batch.entries:
            assert entry.seq == after + 1
            after = entry.seq
            entries[entry.seq] = entry.idempotency_key, entry.body
        if not batch.more:
            return entries


async def test_replicas_are_upgraded_one_by_one_under_load(
    replicas, roots: Roots, database: str, tmp_path: Path
) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "next.py").write_text(NEXT)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.address[1]}"))
            for process in replicas
        ]
        senders = await founded(roots, clients)
        load = Load(clients)
        sending = [asyncio.create_task(load.send(*sender)) for sender in senders]
        await load.reach(STEP)
        assert await asyncio.to_thread(migrate, database, (REVISIONS, tmp_path / "next")) == (
            SCHEMA_VERSION,
            SCHEMA_VERSION + 1,
        )
        await load.reach(STEP)
        for process in replicas:
            await process.stop()
            await load.reach(STEP)
            await process.start()
            await load.reach(STEP)
        load.ended = True
        await asyncio.gather(*sending)
        for (device, group), others, client in ((senders[0], 1, clients[1]), (senders[2], 0, clients[0])):
            device.http = client
            log = await whole_log(device, group.group_id)
            told = {seq: said for (group_id, seq), said in load.acknowledged.items() if group_id == group.group_id}
            assert {seq: log[seq] for seq in told} == told
            keys = [key for key, _ in log.values()]
            assert len(keys) == len(set(keys)), "an entry is there twice"
            assert len(log) == len(told) + others  # the commit that added Bob
    assert load.failures > 0, "the drill stopped nobody"
    with connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM log WHERE shade = 7").fetchone() == (
            len(load.acknowledged) + 1,
        )
