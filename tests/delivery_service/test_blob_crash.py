"""Kill -9 of the service in the middle of uploads: acknowledged pieces stay, and what was cut goes on and is whole."""

import asyncio
import os
import secrets
import signal
from pathlib import Path

import httpx
import pytest

from delivery_service.wire.blobs import PIECE_SIZE
from tests.delivery_service.blob_scene import ALICE, begun, finish, name_of, pieces_of, put, read, state
from tests.delivery_service.object_storage import BUCKET, running_object_storage
from tests.delivery_service.real_process import RealProcess

KILLS = 3
FILES = 4  # that are under way at once
MOST = 0.25  # seconds until a kill


@pytest.fixture(params=["folder", "s3"])
def options(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if request.param == "folder":
        yield ()
    else:
        with running_object_storage(tmp_path / "objects", monkeypatch) as storage:
            yield ("--blobs", f"s3://{BUCKET}/blobs", "--s3-endpoint", storage.endpoint)


async def test_a_service_that_is_killed_while_pieces_come_goes_on_with_those_that_it_acknowledged(
    tmp_path, now_roots, now_device, options
):
    process, alice = RealProcess(tmp_path / "service", now_roots, *options), now_device(ALICE)
    contents = [os.urandom(2 * PIECE_SIZE + 9) for _ in range(FILES)]
    acknowledged: list[set[int]] = [set() for _ in contents]
    finished: set[int] = set()

    async def send(file: int) -> None:
        upload = await begun(alice, contents[file])
        if not upload:
            finished.add(file)
            return
        missing = (await state(alice, upload)).json()["missing"]
        assert not acknowledged[file] & set(missing)
        for piece in missing:
            answer = await put(alice, upload, piece, pieces_of(contents[file])[piece])
            assert answer.status_code == 204, answer.text
            acknowledged[file].add(piece)
        assert (await finish(alice, upload)).status_code == 201
        finished.add(file)

    for attempt in range(KILLS + 1):
        await process.start()
        alice.http = process.client()
        await alice.open_session()
        for file in finished:
            assert (await read(alice, name_of(contents[file]))).content == contents[file]
        sending = [asyncio.create_task(send(file)) for file in range(FILES)]
        if attempt < KILLS:
            await asyncio.sleep(secrets.randbelow(1000) / 1000 * MOST)
            await process.end(signal.SIGKILL)
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, httpx.TransportError) for outcome in outcomes), outcomes
        if attempt < KILLS:
            await alice.http.aclose()
    assert finished == set(range(FILES))
    for octets in contents:
        assert (await read(alice, name_of(octets))).content == octets
    await alice.http.aclose()
    await process.end()
