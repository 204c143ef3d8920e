"""What every blob storage does, in memory, in a folder and in an object storage, and what each does when it fails."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delivery_service.blob_storage import BlobStorage
from delivery_service.blob_storage.folder import FolderBlobs
from delivery_service.blob_storage.memory import MemoryBlobs
from delivery_service.blob_storage.s3 import S3Blobs
from delivery_service.errors import RefusedError, StartError, StoreError
from delivery_service.wire.blobs import PIECE_SIZE
from tests.delivery_service.object_storage import BUCKET, ObjectStorage, running_object_storage

ADDRESS = f"s3://{BUCKET}/some/prefix"


@pytest.fixture
def object_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with running_object_storage(tmp_path / "objects", monkeypatch) as storage:
        yield storage


@pytest.fixture(params=["memory", "folder", "s3"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStorage]:
    match request.param:
        case "memory":
            chosen: BlobStorage = MemoryBlobs()
        case "folder":
            chosen = FolderBlobs(tmp_path / "blobs")
        case _:
            objects: ObjectStorage = request.getfixturevalue("object_storage")
            chosen = S3Blobs(ADDRESS, objects.endpoint)
    await chosen.start()
    yield chosen
    await chosen.stop()


def new_place() -> str:
    return secrets.token_hex(16)


async def sealed(storage: BlobStorage, pieces: list[bytes]) -> str:
    place = new_place()
    token = await storage.begin(place)
    tags = [await storage.put(place, token, number, piece) for number, piece in enumerate(pieces)]
    assert await storage.seal(place, token, tags) == hashlib.sha256(b"".join(pieces)).digest()
    return place


async def octets_of(storage: BlobStorage, place: str, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in storage.read(place, start, end)])


async def refusal(work) -> str:
    with pytest.raises(RefusedError) as caught:
        await work
    return caught.value.word


@pytest.mark.parametrize("last", [1, 5000])
async def test_pieces_become_one_in_their_order_whatever_the_order_of_their_coming(storage, last):
    pieces = [os.urandom(PIECE_SIZE), os.urandom(PIECE_SIZE), os.urandom(last)]
    whole, place = b"".join(pieces), new_place()
    token = await storage.begin(place)
    tags = {number: await storage.put(place, token, number, pieces[number]) for number in (2, 0, 1)}
    digest = await storage.seal(place, token, [tags[number] for number in range(3)])
    assert digest == hashlib.sha256(whole).digest()
    assert await octets_of(storage, place, 0, len(whole)) == whole


async def test_a_piece_that_comes_again_takes_the_place_of_the_first(storage):
    first, second, place = os.urandom(100), os.urandom(100), new_place()
    token = await storage.begin(place)
    await storage.put(place, token, 0, first)
    tag = await storage.put(place, token, 0, second)
    assert await storage.seal(place, token, [tag]) == hashlib.sha256(second).digest()


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (PIECE_SIZE - 3, PIECE_SIZE + 3), (PIECE_SIZE + 6, PIECE_SIZE + 7), (0, PIECE_SIZE + 7)]
)
async def test_a_range_is_read_across_pieces(storage, start, end):
    pieces = [os.urandom(PIECE_SIZE), os.urandom(7)]
    place = await sealed(storage, pieces)
    assert await octets_of(storage, place, start, end) == b"".join(pieces)[start:end]


async def test_what_is_sealed_changes_no_more_and_is_sealed_again_alike(storage):
    place = new_place()
    token = await storage.begin(place)
    tag = await storage.put(place, token, 0, b"first")
    digest = await storage.seal(place, token, [tag])
    assert await refusal(storage.put(place, token, 0, b"other")) == "unknown-upload"
    assert await storage.seal(place, token, [tag]) == digest == hashlib.sha256(b"first").digest()
    assert await octets_of(storage, place, 0, 5) == b"first"


async def test_nobody_reads_what_is_not_sealed_or_not_there(storage):
    place = new_place()
    token = await storage.begin(place)
    await storage.put(place, token, 0, b"unfinished")
    assert await refusal(octets_of(storage, place, 0, 10)) == "unknown-blob"
    assert await refusal(octets_of(storage, new_place(), 0, 10)) == "unknown-blob"
    assert await refusal(storage.seal(new_place(), token, ["0"])) == "unknown-upload"


async def test_what_is_dropped_is_gone_whole_or_in_pieces_and_dropping_again_is_harmless(storage):
    whole, arriving = await sealed(storage, [b"octets"]), new_place()
    token = await storage.begin(arriving)
    await storage.put(arriving, token, 0, b"octets")
    for place in (whole, arriving, whole, arriving, new_place()):
        await storage.drop(place)
    assert await refusal(octets_of(storage, whole, 0, 6)) == "unknown-blob"
    assert await refusal(storage.put(arriving, token, 1, b"more")) == "unknown-upload"
    assert await refusal(storage.seal(arriving, token, ["0"])) == "unknown-upload"


async def test_pieces_and_a_seal_at_the_same_time_never_give_octets_that_the_digest_is_not_of(storage):
    place = new_place()
    token = await storage.begin(place)
    tag = await storage.put(place, token, 0, b"a" * 1000)

    writers = [asyncio.create_task(storage.put(place, token, 0, b"b" * 1000)) for _ in range(8)]
    try:
        digest = await storage.seal(place, token, [tag])
    except RefusedError:  # the storage has a newer piece than the tag names
        digest = None
    outcomes = await asyncio.gather(*writers, return_exceptions=True)
    assert {outcome.word for outcome in outcomes if isinstance(outcome, RefusedError)} <= {"unknown-upload"}
    assert all(isinstance(outcome, str | RefusedError) for outcome in outcomes)
    if digest is not None:
        assert digest == hashlib.sha256(await octets_of(storage, place, 0, 1000)).digest()


async def test_a_folder_keeps_what_was_acknowledged_over_a_new_start_and_is_its_owners_alone(tmp_path):
    first = FolderBlobs(tmp_path / "blobs")
    await first.start()
    whole, arriving = await sealed(first, [b"octets"]), new_place()
    token = await first.begin(arriving)
    await first.put(arriving, token, 0, b"begun")
    await first.stop()
    second = FolderBlobs(tmp_path / "blobs")
    await second.start()
    assert await octets_of(second, whole, 0, 6) == b"octets"
    assert await second.seal(arriving, token, ["0"]) == hashlib.sha256(b"begun").digest()
    await second.stop()
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "blobs").rglob("*")}
    assert modes == {0o600, 0o700}


async def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(tmp_path):
    storage, octets = FolderBlobs(tmp_path), os.urandom(PIECE_SIZE)
    await storage.start()
    place = await sealed(storage, [octets])
    reading = storage.read(place, 0, len(octets))
    got = [await anext(reading)]
    await storage.drop(place)
    assert b"".join([*got, *[chunk async for chunk in reading]]) == octets
    await storage.stop()


async def test_a_folder_has_one_service(tmp_path):
    first, second = FolderBlobs(tmp_path), FolderBlobs(tmp_path)
    await first.start()
    with pytest.raises(StartError, match="another delivery service"):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()


async def test_a_folder_that_cannot_be_one_is_told_at_start(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartError, match="blobs cannot be kept"):
        await FolderBlobs(tmp_path / "file").start()


@pytest.mark.parametrize("address", ["", "blobs", "s3://", "s3://UPPER", "https://bucket", "s3://a/b?c", "s3://ab /c"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(StartError, match="s3://BUCKET/PREFIX"):
        S3Blobs(address)


async def test_two_replicas_take_the_pieces_of_one_upload_and_hand_out_the_same_blob(object_storage):
    one, other = S3Blobs(ADDRESS, object_storage.endpoint), S3Blobs(ADDRESS, object_storage.endpoint)
    await one.start()
    await other.start()
    pieces, place = [os.urandom(PIECE_SIZE), os.urandom(9)], new_place()
    token = await one.begin(place)
    tags = [await other.put(place, token, 0, pieces[0]), await one.put(place, token, 1, pieces[1])]
    assert await other.seal(place, token, tags) == hashlib.sha256(b"".join(pieces)).digest()
    assert await octets_of(one, place, 0, PIECE_SIZE + 9) == b"".join(pieces)
    await one.stop()
    await other.stop()


async def test_an_object_storage_keeps_neither_pieces_nor_objects_that_were_dropped(object_storage):
    storage = S3Blobs(ADDRESS, object_storage.endpoint)
    await storage.start()
    whole, arriving = await sealed(storage, [b"octets"]), new_place()
    token = await storage.begin(arriving)
    await storage.put(arriving, token, 0, b"octets")
    assert (object_storage.objects(), object_storage.multipart_uploads()) == (1, 1)
    await storage.drop(whole)
    await storage.drop(arriving)
    assert (object_storage.objects(), object_storage.multipart_uploads()) == (0, 0)
    await storage.stop()


async def test_an_object_storage_that_is_gone_is_a_store_error_and_serves_again_once_it_is_back(object_storage):
    storage = S3Blobs(ADDRESS, object_storage.endpoint)
    await storage.start()
    place = await sealed(storage, [b"octets"])
    object_storage.process.kill()
    object_storage.process.wait()
    with pytest.raises(StoreError, match="object storage"):
        await octets_of(storage, place, 0, 6)
    object_storage.restart()
    assert await octets_of(storage, place, 0, 6) == b"octets"
    await storage.stop()


async def test_a_bucket_that_is_not_there_is_told_at_start(object_storage):
    with pytest.raises(StartError, match="the bucket missing cannot be used"):
        await S3Blobs("s3://missing", object_storage.endpoint).start()
