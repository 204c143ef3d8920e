"""Limits that nothing else meets exactly: at each of them a request passes, and one past it does not."""

import asyncio
import secrets
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import msgspec
import pytest
import uvicorn

from delivery_service import revocations, sessions, wire
from delivery_service.blobs import DOWNLOADS, UPLOADS
from delivery_service.errors import RefusedError, StartError
from delivery_service.framing import EPOCH_LIMIT
from delivery_service.groups import HANDSHAKES
from delivery_service.http import connections
from delivery_service.http.connections import HEAD_LIMIT, BoundedConnection
from delivery_service.http.requests import LARGEST_CURSOR
from delivery_service.limits import BUCKETS_LIMIT, HOUR, HourlyLimit, Lines
from delivery_service.policy import Policy
from delivery_service.service import LARGE_BODIES, READINGS_PER_NUMBER
from delivery_service.signatures import NONCE_LENGTHS
from delivery_service.storage.lane import QUEUE_ITEMS
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.wire.duties import EVICTION_MARGIN, LAST_RESORT_AGE, RETENTION_LEAST, RETENTION_MOST
from delivery_service.wire.rollback import LARGEST, REPORTS_LIMIT, ROLLBACK_PENALTY, Reported, Rollback
from identity.device import MEMBER_GRACE
from tests.delivery_service.blob_scene import begun, name_of, put, read, stored
from tests.delivery_service.conftest import path_of
from tests.delivery_service.test_eviction import table
from tests.delivery_service.test_limits import padded_message
from tests.delivery_service.test_many_streams import bounded
from tests.delivery_service.test_rollback import Members

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


async def test_a_proposal_has_the_limit_of_its_address(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    assert wire.PROPOSAL_LIMIT == wire.APPLICATION_LIMIT
    proposal = group.propose_update(alice.now)
    padded = proposal + bytes(wire.PROPOSAL_LIMIT - len(proposal))
    assert problem_word(await alice.append(group.group_id, padded)) == "malformed"  # it was looked at
    assert problem_word(await alice.append(group.group_id, padded + b"\0")) == "too-large"


@pytest.mark.parametrize("length", [NONCE_LENGTHS[0] - 1, NONCE_LENGTHS[0], NONCE_LENGTHS[-1], NONCE_LENGTHS[-1] + 1])
async def test_a_nonce_has_so_many_characters(world, length):
    alice = await world.device(ALICE)
    answer = await alice.http.send(alice.session_request(nonce=secrets.token_hex(length)[:length]))
    assert answer.status_code == (201 if length in NONCE_LENGTHS else 401)


async def test_each_field_of_a_contact_request_s_signature_has_its_limit(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    assert (await bob.choose("ask")).status_code == 200
    shortest = len(alice.ask_request(BOB, label="k").headers["signature-input"])
    for excess, status in ((1, 400), (0, 201)):
        label = "k" * (1 + wire.SIGNATURE_FIELD_LIMIT - shortest + excess)
        request = alice.ask_request(BOB, label=label)
        assert len(request.headers["signature-input"]) == wire.SIGNATURE_FIELD_LIMIT + excess
        assert (await alice.http.send(request)).status_code == status


def test_an_hourly_limit_remembers_so_many_keys_and_refuses_new_ones_beyond():
    limit = HourlyLimit(2, "REQUESTS", "requests")
    for key in range(BUCKETS_LIMIT):
        limit.spend(str(key), 0)
    with pytest.raises(RefusedError) as caught:
        limit.spend("one more", 0)
    assert caught.value.word == "overloaded"
    limit.spend("0", 0)  # who is known goes on
    limit.spend("one more", HOUR)  # the others are whole again, and forgotten


async def test_so_many_requests_wait_for_a_lane():
    engine = SqliteEngine(None)
    engine.start(lambda change: None)
    waiting = [engine.write(lambda tx: 1) for _ in range(QUEUE_ITEMS)]
    with pytest.raises(RefusedError) as caught:
        engine.write(lambda tx: 1)
    assert caught.value.word == "overloaded"
    assert await asyncio.gather(*waiting) == [1] * QUEUE_ITEMS
    assert await engine.write(lambda tx: 2) == 2
    await engine.stop()


@pytest.mark.parametrize(("part", "together"), [("handshakes", HANDSHAKES), ("bodies", LARGE_BODIES)])
async def test_turns_of_all_numbers_are_as_many_as_they_say(world, problem_word, part, together):
    alice = await world.device(ALICE)
    group = await alice.create()
    service = world.app.state.service
    turns = service.groups._turns if part == "handshakes" else service.large_bodies
    with ExitStack() as others:
        for number in range(together - 1):
            others.enter_context(turns.of(f"another {number}"))
        pending = group.commit(alice.now, path=True)
        assert (await alice.commit(group, pending)).status_code == 201
        group.apply(pending.secrets)
        others.enter_context(turns.of("one more"))
        refused = await alice.commit(group, group.commit(alice.now, path=True))
        assert problem_word(refused) == "overloaded"


async def test_pieces_and_downloads_of_all_numbers_have_so_many_turns(world, problem_word):
    alice = await world.device(ALICE)
    octets = b"as much as fits into a piece"
    name = await stored(alice, octets)
    upload = await begun(alice, octets[1:])
    blobs = world.app.state.service.blobs
    for turns, together, ask in (
        (blobs.downloads, DOWNLOADS, lambda: read(alice, name)),
        (blobs.uploads, UPLOADS, lambda: put(alice, upload, 0, octets[1:])),
    ):
        with ExitStack() as others:
            for number in range(together - 1):
                others.enter_context(turns.of(f"another {number}"))
            assert (await ask()).status_code in (200, 204)
            others.enter_context(turns.of("one more"))
            assert problem_word(await ask()) == "overloaded"
    assert name == name_of(octets)


async def test_a_number_has_so_many_batches_in_memory_and_others_do_not_wait_for_them(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    hers, his = await alice.create(), await bob.create()
    line = world.app.state.service.readings.of(ALICE)
    for _ in range(READINGS_PER_NUMBER - 1):
        await line.acquire()
    assert (await alice.read(hers.group_id)).entries == []
    await line.acquire()
    waiting = [asyncio.create_task(alice.read_answer(hers.group_id))]
    for path in ("/v1/inbox", "/v1/groups", "/v1/contact-mode", "/v1/contact-requests"):
        waiting.append(asyncio.create_task(alice.call("GET", path)))
    assert (await bob.read(his.group_id)).entries == []
    assert not any(each.done() for each in waiting)
    line.release()
    answers = await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert {answer.status_code for answer in answers} == {200}


async def test_a_line_lets_nobody_in_before_the_first_who_waits():
    lines, order = Lines(1), []

    async def work(name: str) -> None:
        async with lines.of("key"):
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(*(work(name) for name in "abc"))
    assert order == ["a", "b", "c"]
    assert not lines._lines  # nobody is remembered who is not at work


async def test_so_many_tokens_are_remembered_and_the_others_are_read_again(world, monkeypatch):
    monkeypatch.setattr(sessions, "KNOWN_LIMIT", 2)
    devices = [await world.device(number) for number in (ALICE, BOB, CAROL)]
    for _ in range(2):
        for device in devices:
            assert (await device.call("GET", "/v1/groups")).status_code == 200
            assert len(world.app.state.service.sessions._known) <= 2


async def test_a_token_has_so_many_octets(world, problem_word):
    alice = await world.device(ALICE)
    for length in (sessions.TOKEN_LIMIT, sessions.TOKEN_LIMIT + 1):
        alice.token = alice.token.ljust(length - len("Bearer "), "A")
        assert problem_word(await alice.call("GET", "/v1/groups")) == "session-expired"
    known = world.app.state.service.sessions._known
    assert not [token for token in known if len(token) >= sessions.TOKEN_LIMIT]


async def test_so_many_issuers_and_certificates_are_remembered(world, monkeypatch):
    monkeypatch.setattr(revocations, "ISSUERS_LIMIT", 0)
    monkeypatch.setattr(revocations, "CERTIFICATES_NOTED", 2)
    for number in (ALICE, BOB, CAROL):
        assert (await world.device(number)).token
    lists = world.app.state.service.lists
    assert not lists._issuers
    assert len(lists._noted) == 1
    monkeypatch.setattr(revocations, "ISSUERS_LIMIT", 1)
    await world.device(ALICE)
    path = set(lists._issuers)
    assert len(path) == 2  # there was room for one more, and it has its root with it


def test_a_rollback_names_so_many_reports():
    report = Reported(b"device", 1, 1, bytes(32), b"signature")
    for count, fits in ((REPORTS_LIMIT, True), (REPORTS_LIMIT + 1, False)):
        body = msgspec.msgpack.encode(Rollback(1, 1, count, [report] * count))
        with suppress(msgspec.ValidationError) if not fits else ExitStack():
            assert len(msgspec.msgpack.decode(body, type=Rollback).reports) == count
            assert fits


async def test_places_in_a_log_are_within_what_the_store_can_count(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    for place, word in ((LARGEST, "unknown-commit"), (LARGEST + 1, "malformed")):
        body = msgspec.json.encode({"seq": place, "commit": bytes(32), "signature": bytes(70)})
        answer = await alice.call("POST", f"{path_of(group.group_id)}/rejections", body)
        assert problem_word(answer) == word
    for after, status in ((LARGEST_CURSOR, 200), (LARGEST_CURSOR + 1, 400)):
        assert (await alice.read_answer(group.group_id, after)).status_code == status


async def test_an_epoch_is_one_that_the_store_can_count(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create(b"group")
    message = padded_message(b"group", 200)
    assert message.count(b"group" + bytes(8)) == 1
    for epoch, word in ((EPOCH_LIMIT, "stale-epoch"), (EPOCH_LIMIT + 1, "malformed")):
        named = message.replace(b"group" + bytes(8), b"group" + epoch.to_bytes(8))
        assert problem_word(await alice.append(group.group_id, named)) == word


@pytest.mark.parametrize("excess", [0, 1])
async def test_a_head_has_so_many_octets(excess):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(application, port=0, http=BoundedConnection, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    head = b"GET / HTTP/1.1\r\nhost: x\r\nx: "
    writer.write(head.ljust(HEAD_LIMIT + excess, b"y"))
    with suppress(ConnectionResetError):
        if not excess:
            async with asyncio.timeout(5):
                while (await _received(server)) < HEAD_LIMIT:
                    await asyncio.sleep(0.005)
            writer.write(b"\r\n\r\n")
    try:
        line = await asyncio.wait_for(reader.readline(), 5)
    except ConnectionResetError:
        line = b""
    assert line.startswith(b"HTTP/1.1 204") is not bool(excess)
    writer.close()
    server.should_exit = True
    await task


async def _received(server: uvicorn.Server) -> int:
    return max((each._head for each in server.server_state.connections), default=0)


@pytest.mark.parametrize(
    ("seconds", "fits"), [(RETENTION_LEAST, 1), (RETENTION_MOST, 1), (RETENTION_LEAST - 1, 0), (RETENTION_MOST + 1, 0)]
)
def test_a_retention_is_within_its_bounds(seconds: int, fits: int):
    with ExitStack() if fits else pytest.raises(StartError):
        Policy(retention=seconds).check()


async def test_a_mode_with_so_many_grants_costs_one_decision_and_with_one_more_two(world, problem_word):
    bob = await world.device(BOB)
    many = [f"+1202555{digits:04}" for digits in range(1000, 1000 + wire.GRANTS_PER_DECISION)]
    world.app.state.service.decisions.spend(BOB, bob.now, wire.CONTACT_DECISIONS_PER_HOUR - 1)
    assert problem_word(await bob.choose("ask", *many)) == "rate-limited"
    assert (await bob.choose("ask", *many[1:])).status_code == 200


async def test_a_contact_request_waits_to_the_second(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    await bob.choose("ask")
    assert (await alice.ask(BOB)).status_code == 201
    for seconds, waiting in ((wire.CONTACT_REQUEST_LIFETIME - 1, 1), (1, 0)):
        world.clock.now += seconds
        await bob.open_session()
        assert len((await bob.contact_requests()).asked) == waiting


async def test_a_last_resort_package_is_old_to_the_second(world):
    bob = await world.device(BOB)
    await bob.publish(0, last_resort=True)
    for seconds, rotate in ((LAST_RESORT_AGE - 1, False), (1, True)):
        world.clock.now += seconds
        await bob.open_session()
        assert (await bob.call("GET", "/v1/key-packages")).json()["rotate"] is rotate


async def test_whose_commit_was_taken_back_makes_none_to_the_second(world):
    members = await Members.of(world, ALICE, BOB)
    alice, bob = members.devices
    await members.counted(bob, await members.commit())
    pending = members.groups[0].commit(alice.now, path=True)
    for seconds, status in ((ROLLBACK_PENALTY - 1, 403), (1, 201)):
        world.clock.now += seconds
        await alice.open_session()
        assert (await alice.commit(members.groups[0], pending)).status_code == status


@pytest.mark.parametrize("late", [0, 1])
async def test_a_member_is_lapsed_to_the_second(world, late):
    at = await table(world)
    world.clock.now += 7 * 86_400 + MEMBER_GRACE + EVICTION_MARGIN + late
    await at.alice.open_session()
    assert await at.run() == late


async def test_who_is_refused_for_want_of_room_and_asks_nothing_is_cut(world, monkeypatch):
    monkeypatch.setattr(connections, "REFUSED_TIME", 0.2)
    async with bounded(world.app, limit=1) as url:
        parts = urlsplit(url)
        first, second = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(2)]
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                assert await second[0].read(1) == b""
        first[1].write(b"GET /v1/health HTTP/1.1\r\nhost: delivery.example\r\n\r\n")
        assert (await first[0].readline()).startswith(b"HTTP/1.1 204")
        for _, writer in (first, second):
            writer.close()
