"""A killed service loses nothing that it acknowledged, and repeats get their first answers."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from delivery_service.wire import MLS_TYPE
from identity.base64url import encode_base64url

ALICE = "+12025550142"
KILLS = 3


class Process:
    """`delivery serve` on a free port of this machine."""

    def __init__(self, folder: Path, anchors: Path) -> None:
        self.command = [
            *(sys.executable, "-c", "from delivery_service.cli import delivery; delivery()", "serve"),
            *("--port", "0", "--data-dir", str(folder), "--anchors", str(anchors), "--name", "delivery.example"),
        ]

    async def start(self) -> httpx.AsyncClient:
        self.process = await asyncio.create_subprocess_exec(*self.command, stderr=asyncio.subprocess.PIPE)
        assert self.process.stderr is not None
        line = (await asyncio.wait_for(self.process.stderr.readline(), 30)).decode()
        assert "http://127.0.0.1:" in line, line
        return httpx.AsyncClient(base_url=line.split(" at ")[1].strip(), timeout=10)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def interrupt(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 10)


@pytest.fixture
async def process(tmp_path: Path, now_roots) -> AsyncIterator[Process]:
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in now_roots.anchors.roots))
    started = Process(tmp_path / "data", anchors)
    yield started
    if started.process.returncode is None:
        await started.kill()


async def connect(device, process: Process) -> None:
    device.http = await process.start()
    await device.open_session()


async def test_no_acknowledged_entry_is_lost_when_the_service_is_killed(process, now_device):
    alice = now_device(ALICE)
    await connect(alice, process)
    group = await alice.create()
    acknowledged: dict[str, int] = {}
    unanswered: dict[str, bytes] = {}

    async def send() -> None:
        while True:
            key, message = secrets.token_hex(16), group.encrypt(os.urandom(100))
            unanswered[key] = message
            answer = await alice.append(group.group_id, message, key)
            assert answer.status_code == 201
            acknowledged[key] = answer.json()["seq"]
            del unanswered[key]

    for _ in range(KILLS):
        senders = [asyncio.create_task(send()) for _ in range(8)]
        await asyncio.sleep(0.2 + secrets.randbelow(200) / 1000)
        await process.kill()
        outcomes = await asyncio.gather(*senders, return_exceptions=True)
        assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes), outcomes
        await alice.http.aclose()
        await connect(alice, process)

    first = {key: await alice.append(group.group_id, message, key) for key, message in unanswered.items()}
    acknowledged |= {key: answer.json()["seq"] for key, answer in first.items()}
    stored: dict[str, int] = {}
    cursor, more = 0, True
    while more:
        batch = await alice.read(group.group_id, cursor)
        stored |= {entry.idempotency_key: entry.seq for entry in batch.entries}
        cursor, more = batch.entries[-1].seq, batch.more
    assert stored == acknowledged
    assert sorted(stored.values()) == list(range(1, len(stored) + 1))
    assert len(stored) > KILLS * 8
    await alice.http.aclose()
    assert await process.interrupt() == 0


async def test_an_open_stream_does_not_hold_up_the_end(process, now_device):
    alice = now_device(ALICE)
    await connect(alice, process)
    headers = {"authorization": f"Bearer {alice.token}"}
    async with alice.http.stream("GET", "/v1/events", headers=headers) as answer:
        assert (await anext(answer.aiter_lines())).startswith("id: ")
        start = time.monotonic()
        await process.interrupt()
        assert time.monotonic() - start < 5
    await alice.http.aclose()


async def test_a_session_outlives_the_process(process, now_device):
    alice = now_device(ALICE)
    await connect(alice, process)
    token = alice.token
    await process.kill()
    await alice.http.aclose()
    await connect(alice, process)
    alice.token = token
    path = f"/v1/groups/{encode_base64url(b'group').decode()}/entries"
    refused = await alice.post(path, b"", MLS_TYPE)
    assert refused.json()["type"].endswith("malformed")  # and not session-expired
    await alice.http.aclose()
    await process.interrupt()
