"""Blobs: named by their digest, taken in pieces, handed out in ranges, counted, and gone after their time."""

import asyncio
import os
import secrets
from contextlib import suppress

import httpx
import pytest

from delivery_service import wire
from delivery_service.blob_storage import CHUNK
from delivery_service.blobs import DOWNLOADS_PER_NUMBER, UPLOADS_PER_NUMBER
from delivery_service.http.blobs import BlobAnswer
from delivery_service.storage import blobs as records
from delivery_service.wire.blobs import BLOB_OCTETS_KEPT, PIECE_SIZE, UPLOAD_LIFETIME, UPLOADS_OPEN
from tests.delivery_service.blob_scene import (
    ALICE,
    BOB,
    CAROL,
    begun,
    delete,
    finish,
    name_of,
    opening,
    pieces_of,
    put,
    read,
    state,
    stored,
)
from tests.delivery_service.conftest import running_world

TABLES = ("blobs", "blob_uploads", "blob_pieces", "blob_leavings")


async def kept(world) -> tuple[int, ...]:
    """How many blobs, uploads, pieces of uploads and places to be deleted the database knows of."""
    engine = world.app.state.service.engine
    return tuple([await engine.read(lambda tx, of=of: tx.value(f"SELECT count(*) FROM {of}")) for of in TABLES])


def files(folder) -> int:
    return sum(path.is_file() for path in (folder / "blobs").rglob("*"))


async def expired(world) -> None:
    now = int(world.clock.now)
    await world.app.state.service.blobs.expire(now - wire.RETENTION, now)


@pytest.mark.parametrize("size", [1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE + 5])
async def test_what_one_number_stores_another_reads(world, size):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(size)
    name = await stored(alice, octets)
    assert name == name_of(octets)
    answer = await read(bob, name)
    assert (answer.status_code, answer.content) == (200, octets)
    fields = [answer.headers[field] for field in ("content-type", "content-length", "accept-ranges", "etag")]
    assert fields == [wire.BLOB_TYPE, str(size), "bytes", f'"{name}"']
    assert await kept(world) == (1, 0, 0, 0)


async def test_pieces_come_in_any_order_and_more_than_once_and_the_state_says_what_is_missing(world):
    alice = await world.device(ALICE)
    octets = os.urandom(2 * PIECE_SIZE + 1)
    upload, pieces = await begun(alice, octets), pieces_of(octets)
    for number, missing in ((2, [0, 1]), (0, [1]), (2, [1])):
        assert (await put(alice, upload, number, pieces[number])).status_code == 204
        told = (await state(alice, upload)).json()
        assert (told["missing"], told["piece_size"], told["stored"]) == (missing, PIECE_SIZE, False)
        assert told["expires_at"] == world.clock.now + UPLOAD_LIFETIME
    assert await begun(alice, octets) == upload  # to open it again is to go on
    assert (await put(alice, upload, 1, pieces[1])).status_code == 204
    answer = await finish(alice, upload)
    assert answer.json() == {"blob": name_of(octets), "expires_at": world.clock.now + wire.RETENTION}
    assert (await read(alice, name_of(octets))).content == octets


async def test_a_repeat_of_a_piece_with_other_octets_changes_nothing(world):
    alice = await world.device(ALICE)
    octets = os.urandom(PIECE_SIZE + 1)
    upload = await begun(alice, octets)
    await put(alice, upload, 0, octets[:PIECE_SIZE])
    await put(alice, upload, 0, bytes(PIECE_SIZE))
    await put(alice, upload, 1, octets[PIECE_SIZE:])
    assert (await finish(alice, upload)).status_code == 201


async def test_whoever_repeats_a_finished_upload_is_told_that_it_is_stored(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(100)
    upload = await begun(alice, octets)
    await put(alice, upload, 0, octets)
    await finish(alice, upload)
    assert problem_word(await finish(alice, upload)) == "unknown-upload"
    for device in (alice, bob):
        told = (await opening(device, name_of(octets), 100)).json()
        assert (told["stored"], told["upload"], told["missing"]) == (True, "", [])
    assert await kept(world) == (1, 0, 0, 0)


async def test_octets_that_the_name_is_not_of_are_refused_and_nothing_is_left(world, problem_word):
    alice = await world.device(ALICE)
    octets = os.urandom(PIECE_SIZE + 5)
    upload = await begun(alice, octets)
    await put(alice, upload, 0, octets[:PIECE_SIZE])
    await put(alice, upload, 1, bytes(5))
    answer = await finish(alice, upload)
    assert (answer.status_code, problem_word(answer)) == (422, "wrong-digest")
    assert problem_word(await state(alice, upload)) == "unknown-upload"
    assert problem_word(await read(alice, name_of(octets))) == "unknown-blob"
    assert await kept(world) == (0, 0, 0, 0)
    assert await stored(alice, octets) == name_of(octets)  # the name is not spoilt by the attempt


async def test_an_upload_is_finished_only_with_all_its_pieces_and_read_only_then(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(2 * PIECE_SIZE)
    upload = await begun(alice, octets)
    await put(alice, upload, 1, octets[PIECE_SIZE:])
    answer = await finish(alice, upload)
    assert (answer.status_code, problem_word(answer)) == (409, "missing-pieces")
    assert problem_word(await read(bob, name_of(octets))) == "unknown-blob"
    await put(alice, upload, 0, octets[:PIECE_SIZE])
    assert problem_word(await read(bob, name_of(octets))) == "unknown-blob"
    assert (await finish(alice, upload)).status_code == 201
    assert (await read(bob, name_of(octets))).content == octets


async def test_two_numbers_upload_the_same_octets_at_once_and_one_blob_is_kept(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(PIECE_SIZE + 1)
    uploads = [(device, await begun(device, octets)) for device in (alice, bob)]
    assert uploads[0][1] != uploads[1][1]
    for device, upload in uploads:
        for number, piece in enumerate(pieces_of(octets)):
            await put(device, upload, number, piece)
    answers = await asyncio.gather(*(finish(device, upload) for device, upload in uploads))
    assert {answer.status_code for answer in answers} == {201}
    assert (await read(alice, name_of(octets))).content == octets
    assert await kept(world) == (1, 0, 0, 0)


async def test_nobody_touches_the_upload_of_another_number(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(10)
    upload = await begun(alice, octets)
    answers = [await put(bob, upload, 0, octets), await state(bob, upload), await finish(bob, upload)]
    answers.append(await bob.call("DELETE", f"/v1/uploads/{upload}"))
    assert [problem_word(answer) for answer in answers] == ["unknown-upload"] * 4
    assert await begun(bob, octets) != upload


async def test_an_upload_that_is_given_up_leaves_nothing(tmp_path, problem_word):
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        octets = os.urandom(PIECE_SIZE + 1)
        upload = await begun(alice, octets)
        await put(alice, upload, 0, octets[:PIECE_SIZE])
        assert files(tmp_path) == 1
        assert (await alice.call("DELETE", f"/v1/uploads/{upload}")).status_code == 204
        assert (await kept(world), files(tmp_path)) == ((0, 0, 0, 0), 0)
        assert problem_word(await put(alice, upload, 1, octets[PIECE_SIZE:])) == "unknown-upload"


@pytest.mark.parametrize("path", ["/v1/uploads/{}", "/v1/uploads/{}/pieces/0", "/v1/uploads/{}/finish"])
@pytest.mark.parametrize("name", ["0" * 31, "A" * 32, "%C3%A9" * 32, "..%2f" * 8])
async def test_an_uploads_name_that_is_none_is_malformed(world, problem_word, path, name):
    alice = await world.device(ALICE)
    method = {"0": "PUT", "h": "POST"}.get(path[-1], "GET")
    answer = await alice.call(method, path.format(name), b"x", wire.BLOB_TYPE)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == wire.PROBLEM_TYPE


@pytest.mark.parametrize("piece", ["2", "00", "+1", "-1", "1e0", "٣", "9" * 40])
async def test_a_piece_that_the_upload_has_not_is_malformed(world, problem_word, piece):
    alice = await world.device(ALICE)
    upload = await begun(alice, os.urandom(PIECE_SIZE + 1))
    answer = await alice.call("PUT", f"/v1/uploads/{upload}/pieces/{piece}", b"x", wire.BLOB_TYPE)
    assert problem_word(answer) == "malformed"


@pytest.mark.parametrize(("piece", "size"), [(0, PIECE_SIZE - 1), (0, 0), (1, 0), (1, 2), (1, PIECE_SIZE)])
async def test_a_piece_has_its_size_and_no_other(world, problem_word, piece, size):
    alice = await world.device(ALICE)
    upload = await begun(alice, os.urandom(PIECE_SIZE + 1))
    assert problem_word(await put(alice, upload, piece, bytes(size))) == "malformed"
    assert (await state(alice, upload)).json()["missing"] == [0, 1]


async def test_an_endless_piece_is_cut_off_at_its_limit(world, problem_word):
    alice = await world.device(ALICE)
    upload = await begun(alice, os.urandom(PIECE_SIZE))
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += CHUNK
            yield bytes(CHUNK)

    headers = {"authorization": f"Bearer {alice.token}", "content-type": wire.BLOB_TYPE}
    answer = await world.http.put(f"/v1/uploads/{upload}/pieces/0", content=endless(), headers=headers)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("too-large", "PIECE_SIZE")
    assert taken <= PIECE_SIZE + 2 * CHUNK
    assert (await state(alice, upload)).json()["missing"] == [0]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"blob":"00","size":1}', b'{"blob":"%s","size":1}' % (b"A" * 64)])
async def test_an_upload_that_is_not_described_is_malformed(world, problem_word, body):
    alice = await world.device(ALICE)
    assert problem_word(await alice.call("POST", "/v1/blobs", body)) == "malformed"


async def test_a_blob_has_from_one_octet_to_its_limit(world, problem_word):
    alice = await world.device(ALICE)
    assert (await opening(alice, "0" * 64, wire.BLOB_LIMIT)).status_code == 201
    answer = await opening(alice, "1" * 64, wire.BLOB_LIMIT + 1)
    assert (problem_word(answer), answer.json()["limit"]) == ("too-large", wire.BLOB_LIMIT)
    for size in (0, -1):
        assert problem_word(await opening(alice, "1" * 64, size)) == "malformed"


async def test_a_blob_of_the_largest_size_is_stored_and_read(tmp_path):
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        octets = os.urandom(wire.BLOB_LIMIT)
        answer = await read(alice, await stored(alice, octets))
        assert name_of(answer.content) == name_of(octets)


async def test_every_address_needs_a_session(world, problem_word):
    for method, path in (
        ("POST", "/v1/blobs"),
        ("GET", f"/v1/blobs/{'0' * 64}"),
        ("GET", f"/v1/uploads/{'0' * 32}"),
        ("PUT", f"/v1/uploads/{'0' * 32}/pieces/0"),
        ("POST", f"/v1/uploads/{'0' * 32}/finish"),
        ("DELETE", f"/v1/uploads/{'0' * 32}"),
    ):
        assert problem_word(await world.http.request(method, path)) == "session-expired"


async def test_a_range_goes_on_where_a_download_broke_off(world, problem_word):
    alice = await world.device(ALICE)
    octets = os.urandom(PIECE_SIZE + 100)
    name = await stored(alice, octets)
    answer = await read(alice, name, range=f"bytes={PIECE_SIZE - 10}-")
    assert (answer.status_code, answer.content) == (206, octets[PIECE_SIZE - 10 :])
    assert answer.headers["content-range"] == f"bytes {PIECE_SIZE - 10}-{PIECE_SIZE + 99}/{PIECE_SIZE + 100}"
    assert answer.headers["content-length"] == "110"
    same = await read(alice, name, range="bytes=0-9", if_range=f'"{name}"')
    other = await read(alice, name, range="bytes=0-9", if_range='"another"')
    assert (same.content, other.status_code, other.content) == (octets[:10], 200, octets)
    beyond = await read(alice, name, range=f"bytes={len(octets)}-")
    assert (beyond.status_code, problem_word(beyond)) == (416, "range-not-satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(octets)}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("0" * 64, "unknown-blob"), ("0" * 32, "malformed"), ("A" * 64, "malformed"), ("%C3%A9" * 64, "malformed")],
)
async def test_a_name_that_is_not_known_is_a_problem(world, problem_word, name, expected):
    alice = await world.device(ALICE)
    answer = await read(alice, name)
    assert (answer.status_code, problem_word(answer)) == (wire.PROBLEMS[expected][0], expected)


async def test_a_number_has_so_many_uploads_open(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    contents = [os.urandom(10) for _ in range(UPLOADS_OPEN)]
    uploads = [await begun(alice, octets) for octets in contents]
    answer = await opening(alice, "0" * 64, 10)
    assert (answer.status_code, problem_word(answer)) == (403, "too-much-stored")
    assert (answer.json()["limit_name"], answer.json()["limit"]) == ("UPLOADS_OPEN", UPLOADS_OPEN)
    assert await begun(alice, contents[0]) == uploads[0]
    assert (await opening(bob, "0" * 64, 10)).status_code == 201
    await alice.call("DELETE", f"/v1/uploads/{uploads[0]}")
    assert (await opening(alice, "0" * 64, 10)).status_code == 201


async def test_what_a_number_has_stored_and_begun_is_within_its_quota_and_comes_free_again(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    service = world.app.state.service
    name = await stored(alice, os.urandom(1000))
    await service.engine.write(
        lambda tx: tx.run("UPDATE blobs SET size = :size", size=BLOB_OCTETS_KEPT - 100)
    )  # as if it were that large
    assert (await opening(alice, "0" * 64, 60)).status_code == 201
    answer = await opening(alice, "1" * 64, 41)
    assert (answer.status_code, problem_word(answer)) == (403, "too-much-stored")
    assert (answer.json()["limit_name"], answer.json()["limit"]) == ("BLOB_OCTETS_KEPT", BLOB_OCTETS_KEPT)
    assert (await opening(alice, "1" * 64, 40)).status_code == 201
    assert (await opening(bob, "1" * 64, 41)).status_code == 201
    world.clock.now += wire.RETENTION + 1
    await expired(world)
    await alice.open_session()
    assert problem_word(await read(alice, name)) == "unknown-blob"
    assert (await opening(alice, "2" * 64, wire.BLOB_LIMIT)).status_code == 201


async def test_the_database_has_no_number_beside_a_blob_and_the_same_one_at_every_start(tmp_path):
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        await stored(alice, os.urandom(10))
        owner = world.app.state.service.franking.pseudonym(ALICE)
        assert len(owner) == 16
    async with running_world(tmp_path) as world:
        franking = world.app.state.service.franking
        assert franking.pseudonym(ALICE) == owner != franking.pseudonym(BOB)
        rows = await world.app.state.service.engine.read(lambda tx: tx.rows("SELECT * FROM blobs"))
    assert owner in rows[0]
    assert ALICE.encode() not in b"".join(str(value).encode() for value in rows[0])


async def test_a_number_stores_so_many_blobs_and_octets_an_hour(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    service = world.app.state.service
    service.blobs_limit.spend(ALICE, alice.now, wire.BLOBS_PER_HOUR - 1)
    upload = await begun(alice, b"the last one")
    answer = await opening(alice, "0" * 64, 10)
    assert (answer.status_code, answer.json()["limit_name"]) == (429, "BLOBS_PER_HOUR")
    service.octets.spend(ALICE, bob.now, wire.OCTETS_PER_HOUR - 11)
    answer = await put(alice, upload, 0, b"the last one")
    assert (answer.status_code, answer.json()["limit_name"]) == (429, "OCTETS_PER_HOUR")
    await stored(bob, b"the last one")


async def test_old_blobs_go_with_the_retention_and_unfinished_uploads_after_a_day(tmp_path, problem_word):
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        old = await stored(alice, os.urandom(100))
        world.clock.now += wire.RETENTION - UPLOAD_LIFETIME
        await alice.open_session()
        octets = os.urandom(PIECE_SIZE + 1)
        upload = await begun(alice, octets)
        await put(alice, upload, 0, octets[:PIECE_SIZE])
        world.clock.now += UPLOAD_LIFETIME
        await alice.open_session()
        young = await stored(alice, os.urandom(100))
        await expired(world)
        assert (await kept(world), files(tmp_path)) == ((2, 1, 1, 0), 3)
        world.clock.now += 1
        await expired(world)
        assert (await kept(world), files(tmp_path)) == ((1, 0, 0, 0), 1)
        assert problem_word(await read(alice, old)) == "unknown-blob"
        assert problem_word(await put(alice, upload, 1, b"x")) == "unknown-upload"
        assert (await read(alice, young)).status_code == 200


async def test_what_could_not_be_deleted_is_deleted_later(tmp_path):
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        await stored(alice, os.urandom(100))
        owner = world.app.state.service.franking.pseudonym(ALICE)
        await world.app.state.service.engine.write(records.give_up, owner)  # and the service ends here
        assert (await kept(world), files(tmp_path)) == ((0, 0, 0, 1), 1)
    async with running_world(tmp_path) as world:
        await expired(world)
        assert (await kept(world), files(tmp_path)) == ((0, 0, 0, 0), 0)


async def test_a_blob_is_deleted_by_the_number_that_stored_it_and_by_no_other(tmp_path, problem_word):
    async with running_world(tmp_path) as world:
        alice, bob = await world.device(ALICE), await world.device(BOB)
        octets = os.urandom(PIECE_SIZE + 1)
        name, other = await stored(alice, octets), await stored(alice, os.urandom(100))
        assert (await opening(bob, name, len(octets))).json()["stored"]  # which makes it no blob of Bob's
        missing = await delete(bob, "0" * 64)
        refused = await delete(bob, name)
        assert (refused.status_code, problem_word(refused)) == (404, "unknown-blob")
        assert missing.json() == refused.json()
        assert (await read(bob, name)).content == octets
        second = await world.device(ALICE)
        assert (await delete(second, name)).status_code == 204
        assert problem_word(await read(bob, name)) == "unknown-blob"
        assert problem_word(await delete(alice, name)) == "unknown-blob"
        assert (await read(alice, other)).status_code == 200
        assert (await kept(world), files(tmp_path)) == ((1, 0, 0, 0), 1)
        await stored(bob, octets)  # now they are Bob's
        assert problem_word(await delete(alice, name)) == "unknown-blob"


async def test_what_is_deleted_no_longer_counts_against_the_quota(world, problem_word):
    alice = await world.device(ALICE)
    name = await stored(alice, os.urandom(100))
    await world.app.state.service.engine.write(
        lambda tx: tx.run("UPDATE blobs SET size = :size", size=BLOB_OCTETS_KEPT)
    )
    assert problem_word(await opening(alice, "1" * 64, 1)) == "too-much-stored"
    assert (await delete(alice, name)).status_code == 204
    assert (await opening(alice, "1" * 64, 1)).status_code == 201


async def test_a_number_can_have_everything_forgotten_that_it_stored(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    names = [await stored(alice, os.urandom(100)) for _ in range(2)]
    await begun(alice, os.urandom(100))
    other = await stored(bob, os.urandom(100))
    assert await world.app.state.service.blobs.forget(ALICE) == 3
    assert [problem_word(await read(bob, name)) for name in names] == ["unknown-blob"] * 2
    assert (await read(alice, other)).status_code == 200
    assert await kept(world) == (1, 0, 0, 0)


async def test_uploads_outlive_the_process(tmp_path):
    octets = os.urandom(2 * PIECE_SIZE)
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        upload = await begun(alice, octets)
        await put(alice, upload, 1, octets[PIECE_SIZE:])
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        assert (await state(alice, upload)).json()["missing"] == [0]
        assert await stored(alice, octets) == name_of(octets)
        assert files(tmp_path) == 1


async def test_slow_bodies_hold_up_their_own_number_and_nobody_else(world, problem_word):
    alice, bob, carol = [await world.device(number) for number in (ALICE, BOB, CAROL)]
    octets = os.urandom(2 * PIECE_SIZE)
    upload, other = await begun(alice, octets), await begun(bob, octets)
    name = await stored(carol, b"ciphertext")
    arriving, cut = asyncio.Semaphore(0), asyncio.Event()

    async def slow():
        yield bytes(CHUNK)
        arriving.release()
        await cut.wait()
        raise httpx.ReadError("the sender is gone")

    async def broken() -> None:
        headers = {"authorization": f"Bearer {alice.token}", "content-type": wire.BLOB_TYPE}
        with suppress(httpx.ReadError):
            await world.http.put(f"/v1/uploads/{upload}/pieces/0", content=slow(), headers=headers)

    transfers = [asyncio.create_task(broken()) for _ in range(UPLOADS_PER_NUMBER)]
    for _ in transfers:
        await arriving.acquire()
    assert problem_word(await put(alice, upload, 1, octets[PIECE_SIZE:])) == "overloaded"
    assert (await put(bob, other, 1, octets[PIECE_SIZE:])).status_code == 204
    assert (await read(alice, name)).content == b"ciphertext"
    cut.set()
    await asyncio.gather(*transfers)
    assert (await state(alice, upload)).json()["missing"] == [0, 1]
    assert (await put(alice, upload, 1, octets[PIECE_SIZE:])).status_code == 204


async def test_a_number_has_so_many_downloads_at_once(world, problem_word):
    alice = await world.device(ALICE)
    blobs = world.app.state.service.blobs
    name = await stored(alice, os.urandom(2 * CHUNK))
    begun_ones, end = asyncio.Semaphore(0), asyncio.Event()

    async def unread(message) -> None:
        begun_ones.release()
        await end.wait()

    readers = [
        asyncio.create_task(BlobAnswer(blobs, bytes.fromhex(name), ALICE)({"type": "http"}, None, unread))
        for _ in range(DOWNLOADS_PER_NUMBER)
    ]
    for _ in readers:
        await begun_ones.acquire()
    assert problem_word(await read(alice, name)) == "overloaded"
    end.set()
    await asyncio.gather(*readers)
    assert (await read(alice, name)).status_code == 200


async def test_a_blob_that_expires_while_it_is_read_is_read_whole_or_breaks_off_and_never_looks_whole(world):
    alice = await world.device(ALICE)
    service, octets = world.app.state.service, os.urandom(3 * CHUNK)
    name = bytes.fromhex(await stored(alice, octets))
    sent: list[dict[str, object]] = []

    async def send(message) -> None:
        sent.append(message)
        if len(sent) == 2:
            await service.blobs.expire(alice.now + 1, alice.now)

    await BlobAnswer(service.blobs, name, ALICE)({"type": "http"}, None, send)
    whole = b"".join(message.get("body", b"") for message in sent) == octets
    assert whole == (sent[-1].get("more_body") is False)


async def test_an_upload_whose_octets_the_storage_has_lost_begins_anew(world, problem_word):
    alice = await world.device(ALICE)
    octets = os.urandom(10)
    upload = await begun(alice, octets)
    await put(alice, upload, 0, octets)
    await world.app.state.service.blob_storage.drop(upload)
    assert problem_word(await finish(alice, upload)) == "unknown-upload"
    assert await stored(alice, octets) == name_of(octets)


async def test_uploads_that_are_opened_at_once_are_one(world):
    alice = await world.device(ALICE)
    octets = secrets.token_bytes(10)
    assert len(set(await asyncio.gather(*(begun(alice, octets) for _ in range(6))))) == 1
    assert await stored(alice, octets) == name_of(octets)
