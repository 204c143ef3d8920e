"""Blobs: stored whole or not at all, read by whoever knows the name, bounded, and gone after their time."""

import asyncio
import contextlib
import hashlib
import os
import secrets

import httpx
import pytest

from delivery_service import wire
from delivery_service.blobs import PIECE, TRANSFERS_PER_NUMBER, BlobAnswer
from tests.delivery_service.conftest import running_world

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
PIECES = "SELECT count(*) FROM blob_pieces"
ROWS = "SELECT count(*) FROM blobs"


async def upload(device, octets: bytes, key: str | None = None) -> httpx.Response:
    return await device.post("/v1/blobs", octets, wire.BLOB_TYPE, key)


async def stored(device, octets: bytes) -> str:
    answer = await upload(device, octets)
    assert answer.status_code == 201, answer.text
    return answer.json()["blob"]


async def kept(world) -> tuple[int, int]:
    """How many blobs and pieces there are, finished or not."""
    engine = world.app.state.service.engine
    return tuple([await engine.write(lambda tx, query=query: tx.value(query)) for query in (ROWS, PIECES)])


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
async def test_what_one_number_stores_another_reads(world, size):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    octets = os.urandom(size)
    answer = await upload(alice, octets)
    assert answer.json()["expires_at"] == world.clock.now + wire.RETENTION
    name = answer.json()["blob"]
    read = await bob.call("GET", f"/v1/blobs/{name}")
    assert (read.status_code, read.content) == (200, octets)
    assert (read.headers["content-type"], read.headers["content-length"]) == (wire.BLOB_TYPE, str(size))


async def test_names_are_random_and_say_nothing_of_the_octets(world):
    alice = await world.device(ALICE)
    names = {await stored(alice, b"the same octets") for _ in range(5)}
    assert len(names) == 5
    assert all(len(bytes.fromhex(name)) == 16 for name in names)


async def test_a_blob_may_fill_its_limit_and_no_more(world, problem_word):
    alice = await world.device(ALICE)
    whole = bytes(wire.BLOB_LIMIT)
    read = await alice.call("GET", f"/v1/blobs/{await stored(alice, whole)}")
    assert hashlib.sha256(read.content).digest() == hashlib.sha256(whole).digest()
    answer = await upload(alice, whole + b"\0")
    assert (answer.status_code, problem_word(answer)) == (413, "too-large")
    assert (answer.json()["limit_name"], answer.json()["limit"]) == ("BLOB_LIMIT", wire.BLOB_LIMIT)


async def test_a_blob_without_a_declared_length_is_cut_off_at_the_limit_and_dropped(world, problem_word):
    alice = await world.device(ALICE)

    async def endless():
        while True:
            yield bytes(PIECE)

    headers = {"authorization": f"Bearer {alice.token}", "content-type": wire.BLOB_TYPE, "idempotency-key": "0" * 32}
    answer = await world.http.post("/v1/blobs", content=endless(), headers=headers)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("too-large", "BLOB_LIMIT")
    assert await kept(world) == (0, 0)


async def test_a_repeat_gets_the_first_answer_and_is_stored_once(world, problem_word):
    alice = await world.device(ALICE)
    octets, key = os.urandom(PIECE + 1), secrets.token_hex(16)
    first = await upload(alice, octets, key)
    world.clock.now += 100
    repeats = await asyncio.gather(*(upload(alice, octets, key) for _ in range(3)))
    assert {(repeat.status_code, repeat.content) for repeat in repeats} == {(201, first.content)}
    assert problem_word(await upload(alice, b"something else", key)) == "malformed"
    assert await kept(world) == (1, 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("0" * 32, "unknown-blob"), ("0" * 31, "malformed"), ("A" * 32, "malformed"), ("%C3%A9" * 32, "malformed")],
)
async def test_a_name_that_is_not_known_is_a_problem(world, problem_word, name, expected):
    alice = await world.device(ALICE)
    answer = await alice.call("GET", f"/v1/blobs/{name}")
    assert (answer.status_code, problem_word(answer)) == (wire.PROBLEMS[expected][0], expected)


async def test_an_upload_needs_a_session_a_type_a_key_and_octets(world, problem_word):
    alice = await world.device(ALICE)
    name = await stored(alice, b"ciphertext")
    assert problem_word(await world.http.get(f"/v1/blobs/{name}")) == "session-expired"
    answer = await world.http.post("/v1/blobs", content=b"x", headers={"content-type": wire.BLOB_TYPE})
    assert problem_word(answer) == "session-expired"
    assert problem_word(await alice.post("/v1/blobs", b"{}", wire.JSON_TYPE)) == "unsupported-type"
    assert problem_word(await alice.call("POST", "/v1/blobs", b"x", wire.BLOB_TYPE)) == "malformed"
    assert problem_word(await upload(alice, b"")) == "malformed"
    assert await kept(world) == (1, 1)


async def test_a_number_stores_so_many_blobs_and_octets_an_hour(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    service = world.app.state.service
    service.blobs_limit.spend(ALICE, alice.now, wire.BLOBS_PER_HOUR - 1)
    await stored(alice, b"the last one")
    answer = await upload(alice, b"one more")
    assert (answer.status_code, answer.json()["limit_name"]) == (429, "BLOBS_PER_HOUR")
    service.octets.spend(BOB, bob.now, wire.OCTETS_PER_HOUR - 100)
    answer = await upload(bob, bytes(101))
    assert (answer.status_code, answer.json()["limit_name"]) == (429, "OCTETS_PER_HOUR")
    await stored(bob, bytes(100))  # what was refused did not count


async def test_old_blobs_go_with_the_retention(world, problem_word):
    alice = await world.device(ALICE)
    old = [await stored(alice, os.urandom(PIECE + 1)) for _ in range(6)]
    world.clock.now += wire.RETENTION
    await alice.open_session()
    young = await stored(alice, b"young")
    world.clock.now += 1
    await world.app.state.service.store.expire_before(alice.now - wire.RETENTION, alice.now)
    answers = [await alice.call("GET", f"/v1/blobs/{name}") for name in (*old, young)]
    assert [problem_word(answer) for answer in answers[:-1]] == ["unknown-blob"] * 6
    assert answers[-1].content == b"young"
    assert await kept(world) == (1, 1)


async def test_blobs_and_their_keys_outlive_the_process_and_unfinished_ones_do_not(tmp_path):
    octets, key = os.urandom(PIECE + 1), secrets.token_hex(16)
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        first = await upload(alice, octets, key)
        await world.app.state.service.store.add_piece(b"n" * 16, 0, bytes(100), alice.now)
        assert await kept(world) == (2, 3)
    async with running_world(tmp_path) as world:
        alice = await world.device(ALICE)
        assert (await upload(alice, octets, key)).json() == first.json()
        assert (await alice.call("GET", f"/v1/blobs/{first.json()['blob']}")).content == octets
        assert await kept(world) == (1, 2)


async def test_a_number_has_so_many_transfers_at_once_and_an_upload_that_breaks_off_leaves_nothing(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    name = await stored(alice, b"ciphertext")
    begun, cut = asyncio.Semaphore(0), asyncio.Event()

    async def slow():
        yield bytes(PIECE)
        begun.release()
        await cut.wait()
        raise httpx.ReadError("the sender is gone")

    async def broken() -> None:
        headers = {"authorization": f"Bearer {alice.token}", "content-type": wire.BLOB_TYPE}
        headers[wire.IDEMPOTENCY_HEADER] = secrets.token_hex(16)
        with contextlib.suppress(httpx.ReadError):
            await world.http.post("/v1/blobs", content=slow(), headers=headers)

    transfers = [asyncio.create_task(broken()) for _ in range(TRANSFERS_PER_NUMBER)]
    for _ in transfers:
        await begun.acquire()
    assert problem_word(await upload(alice, b"one more")) == "overloaded"
    assert problem_word(await alice.call("GET", f"/v1/blobs/{name}")) == "overloaded"
    assert (await bob.call("GET", f"/v1/blobs/{name}")).content == b"ciphertext"
    cut.set()
    await asyncio.gather(*transfers)
    assert (await alice.call("GET", f"/v1/blobs/{name}")).content == b"ciphertext"
    assert await kept(world) == (1, 1)


async def test_a_blob_that_is_deleted_while_it_is_read_breaks_off_and_never_looks_whole(world):
    alice = await world.device(ALICE)
    blobs = world.app.state.service.blobs
    name = bytes.fromhex(await stored(alice, os.urandom(3 * PIECE)))
    sent: list[dict[str, object]] = []

    async def send(message):
        sent.append(message)
        if len(sent) == 2:
            await world.app.state.service.store.expire_before(alice.now + 1, alice.now)

    await BlobAnswer(blobs, name, ALICE)({"type": "http"}, None, send)
    assert [message.get("more_body") for message in sent] == [None, True]
