"""Blobs on either engine, and by several replicas of the service on one database and one blob storage."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from delivery_service.blob_storage.memory import MemoryBlobs
from delivery_service.blobs import Blobs
from delivery_service.errors import RefusedError
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.wire.blobs import PIECE_SIZE, UPLOAD_LIFETIME, UPLOADS_OPEN, BlobUpload
from tests.delivery_service.blob_scene import ALICE, BOB, name_of, pieces_of

NOW = 1_800_000_000
QUOTA = 10_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
async def replicas(request: pytest.FixtureRequest) -> AsyncIterator[list[Blobs]]:
    """Two services over the same database and the same blob storage; on SQLite one process is all there can be."""
    async with AsyncExitStack() as stack:
        engines: list[Engine]
        if request.param == "sqlite":
            engines = [SqliteEngine(None)]
        else:
            url = request.getfixturevalue("database")
            engines = [PostgresqlEngine(Database(url, one_copy=True)) for _ in range(2)]
        for engine in engines:
            engine.start(lambda change: None)
            stack.push_async_callback(engine.stop)
        storage = MemoryBlobs()
        services = [Blobs(engine, storage, str.encode, QUOTA) for engine in engines]
        yield services * (2 // len(services))


async def sent(replicas: list[Blobs], number: str, octets: bytes) -> None:
    """Piece by piece, each by another replica."""
    state = await replicas[0].open(number, BlobUpload(name_of(octets), len(octets)), NOW)
    for piece in state.missing:
        service = replicas[piece % len(replicas)]
        await service.put(await service.wanted(number, state.upload, piece), piece, pieces_of(octets)[piece])
    if not state.stored:
        await replicas[-1].finish(number, state.upload, NOW)


async def got(service: Blobs, octets: bytes) -> bytes:
    blob = await service.find(bytes.fromhex(name_of(octets)))
    return b"".join([chunk async for chunk in service.read(blob, 0, blob.size)])


async def test_pieces_come_by_any_replica_and_the_blob_is_read_at_each(replicas):
    octets = os.urandom(PIECE_SIZE + 7)
    await sent(replicas, ALICE, octets)
    assert [await got(service, octets) for service in replicas] == [octets] * 2


async def test_the_same_octets_by_two_numbers_at_two_replicas_are_one_blob(replicas):
    octets = os.urandom(100)
    states = [
        await service.open(number, BlobUpload(name_of(octets), 100), NOW)
        for service, number in zip(replicas, (ALICE, BOB), strict=True)
    ]
    for service, number, state in zip(replicas, (ALICE, BOB), states, strict=True):
        await service.put(await service.wanted(number, state.upload, 0), 0, octets)
    finished = await asyncio.gather(
        *(
            service.finish(number, state.upload, NOW)
            for service, number, state in zip(replicas, (ALICE, BOB), states, strict=True)
        )
    )
    assert len(set(finished)) == 1
    assert await got(replicas[0], octets) == octets
    assert len(replicas[0]._storage._sealed) == 1


async def test_uploads_opened_at_once_at_all_replicas_are_one_and_stay_within_the_limits(replicas):
    same = BlobUpload(name_of(b"same"), 4)
    opened = await asyncio.gather(*(service.open(ALICE, same, NOW) for service in replicas * 4))
    assert len({state.upload for state in opened}) == 1
    many = [BlobUpload(secrets.token_hex(32), 4) for _ in range(3 * UPLOADS_OPEN)]
    outcomes = await asyncio.gather(
        *(replicas[place % 2].open(ALICE, wanted, NOW) for place, wanted in enumerate(many)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, RefusedError)]
    assert {outcome.word for outcome in refused} <= {"too-much-stored", "overloaded"}
    assert len(outcomes) - len(refused) <= UPLOADS_OPEN - 1


async def test_the_quota_holds_though_all_replicas_are_asked_at_once(replicas):
    wanted = [BlobUpload(secrets.token_hex(32), QUOTA // 2) for _ in range(6)]
    outcomes = await asyncio.gather(
        *(replicas[place % 2].open(ALICE, each, NOW) for place, each in enumerate(wanted)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, RefusedError) for outcome in outcomes) <= 2
    assert not [
        outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, RefusedError)
    ]


async def test_what_expires_goes_from_the_storage_too_whichever_replica_looks(replicas):
    octets = os.urandom(10)
    await sent(replicas, ALICE, octets)
    await replicas[0].open(BOB, BlobUpload(secrets.token_hex(32), 10), NOW)
    storage = replicas[0]._storage
    assert (len(storage._sealed), len(storage._pieces)) == (1, 1)
    await asyncio.gather(*(service.expire(NOW + 1, NOW + UPLOAD_LIFETIME + 1) for service in replicas))
    assert (len(storage._sealed), len(storage._pieces)) == (0, 0)
    with pytest.raises(RefusedError, match="no such blob"):
        await got(replicas[1], octets)
