"""What a device with a good certificate may not do to the service or to others."""

import asyncio
import re
import secrets
from contextlib import ExitStack
from importlib.resources import files

import msgspec
import pytest
from mls_rs import Credential, Engine

from delivery_service import wire
from delivery_service.credentials import Credentials
from delivery_service.errors import RefusedError
from delivery_service.groups import HANDSHAKES_PER_NUMBER
from delivery_service.limits import Turns
from delivery_service.storage.key_packages import State
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewCommit, NewEntry, NewKeyPackage
from delivery_service.wakeups import WATCHERS_PER_DEVICE, Wakeups

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"

INDEXES = "SELECT count(*) FROM sqlite_schema WHERE name = 'log_proposals'"
# Every step after the first schema, backwards.
LATER = "".join(
    part.read_text()
    for part in files("delivery_service.storage").joinpath("schema").iterdir()
    if int(part.name.partition("_")[0]) > 2
)
UNDONE = [
    *(f"DROP TABLE {table}" for table in dict.fromkeys(re.findall(r"CREATE TABLE (\w+)", LATER))),
    *(
        f"ALTER TABLE {table} DROP COLUMN {column}"
        for table, column in re.findall(r"TABLE (\w+) ADD COLUMN (\w+)", LATER)
    ),
]
BACK = ";".join([*UNDONE, "DROP INDEX log_proposals", "PRAGMA user_version = 1"])


def limited(answer, name: str) -> None:
    """The answer is a problem that names the limit, its size and when to come again."""
    assert answer.status_code == 429, answer.text
    problem = answer.json()
    assert (problem["limit_name"], problem["limit"]) == (name, getattr(wire, name))
    assert int(answer.headers["retry-after"]) == problem["retry_after"] > 0


async def test_a_number_opens_so_many_sessions_an_hour(world, monkeypatch):
    alice = await world.device(ALICE)
    service = world.app.state.service
    service.sessions_limit.spend(ALICE, alice.now, wire.SESSIONS_PER_HOUR - 2)
    assert (await alice.http.send(alice.session_request())).status_code == 201
    limited(await alice.http.send(alice.session_request()), "SESSIONS_PER_HOUR")
    await world.device(BOB)


async def test_a_number_uploads_so_often_an_hour(world):
    alice = await world.device(ALICE)
    world.app.state.service.uploads.spend(ALICE, alice.now, wire.UPLOADS_PER_HOUR - 1)
    assert (await alice.publish()).status_code == 200
    limited(await alice.publish(), "UPLOADS_PER_HOUR")


async def test_a_number_founds_so_many_groups_an_hour(world):
    alice = await world.device(ALICE)
    world.app.state.service.foundings.spend(ALICE, alice.now, wire.GROUPS_PER_HOUR - 1)
    await alice.create()
    group = alice.engine.create(b"one more", alice.now)
    limited(await alice.post("/v1/groups", group.group_info(), wire.MLS_TYPE), "GROUPS_PER_HOUR")


async def test_a_number_sends_so_many_octets_an_hour(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    group, other = await alice.create(), await bob.create()
    message = group.encrypt(b"as much as is left")
    world.app.state.service.octets.spend(ALICE, alice.now, wire.OCTETS_PER_HOUR - len(message))
    assert (await alice.append(group.group_id, message)).status_code == 201
    limited(await alice.append(group.group_id, group.encrypt(b"")), "OCTETS_PER_HOUR")
    limited(await alice.commit(group, group.commit(alice.now, path=True)), "OCTETS_PER_HOUR")
    assert (await bob.append(other.group_id, other.encrypt(b"hello"))).status_code == 201


async def test_an_epoch_takes_so_many_proposals_until_a_commit_clears_them(world, problem_word, monkeypatch):
    monkeypatch.setattr("delivery_service.storage.groups.PROPOSALS_PER_EPOCH", 3)
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, seq = await bob.join()
    proposals = [joined.propose_update(bob.now) for _ in range(4)]
    for proposal in proposals[:3]:
        assert (await bob.append(group.group_id, proposal)).status_code == 201
    answer = await bob.append(group.group_id, proposals[3])
    assert problem_word(answer) == "not-allowed"
    assert answer.json()["limit_name"] == "PROPOSALS_PER_EPOCH"
    pending = group.commit(alice.now, path=True)
    assert (await alice.commit(group, pending)).status_code == 201
    for entry in (await bob.read(group.group_id, seq)).entries[-1:]:
        joined.process(entry.body, bob.now)
    assert (await bob.append(group.group_id, joined.propose_update(bob.now))).status_code == 201


async def test_claims_beyond_the_targets_limit_spare_its_one_time_packages(world):
    bob = await world.device(BOB)
    await bob.publish(2, last_resort=True)
    alice, carol = await world.device(ALICE), await world.device(CAROL)
    world.app.state.service.claims_of_target.spend(BOB, bob.now, wire.CLAIMS_PER_TARGET_HOUR - 1)
    assert (await alice.claim_answer(BOB)).status_code == 200
    (last,), (again,) = await carol.claim(BOB), await alice.claim(BOB)
    assert last == again
    stock = {"available": 1, "low_water": 10, "last_resort": True, "rotate": True}
    assert (await bob.call("GET", "/v1/key-packages")).json() == stock


async def test_an_inbox_holds_so_many_welcomes(world, problem_word, monkeypatch):
    monkeypatch.setattr("delivery_service.storage.groups.INBOX_LIMIT", 2)
    alice, bob = await world.device(ALICE), await world.device(BOB)
    await bob.publish(0, last_resort=True)
    (package,) = await alice.claim(BOB)
    for expected in (201, 201, 403):
        group = await alice.create()
        answer = await alice.commit(group, group.commit(alice.now, add=[package]))
        assert answer.status_code == expected, answer.text
    assert (problem_word(answer), answer.json()["limit_name"]) == ("not-allowed", "INBOX_LIMIT")
    head = (await bob.inbox()).head
    assert (await bob.call("POST", "/v1/inbox/ack", msgspec.json.encode({"position": head}))).status_code == 204
    assert (await alice.commit(group, group.commit(alice.now, add=[package]))).status_code == 201


async def test_one_number_fills_nobody_s_inbox(world, problem_word, monkeypatch):
    """Neither with new groups nor by adding and removing the same device, and its own devices are no strangers."""
    monkeypatch.setattr("delivery_service.storage.groups.INBOX_PER_NUMBER", 2)
    mallory, bob = await world.device(ALICE), await world.device(BOB)
    await bob.publish(0, last_resort=True)
    (package,) = await mallory.claim(BOB)
    group = await mallory.create()
    for expected in (201, 201, 403):
        pending = group.commit(mallory.now, add=[package])
        answer = await mallory.commit(group, pending)
        assert answer.status_code == expected, answer.text
        if expected == 201:
            group.apply(pending.secrets)
            removing = group.commit(mallory.now, remove=[1])
            assert (await mallory.commit(group, removing)).status_code == 201
            group.apply(removing.secrets)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("not-allowed", "INBOX_PER_NUMBER")
    for friend in (await world.device(CAROL), await world.device(BOB)):
        for _ in range(2 if friend.number == CAROL else 3):
            (package,) = await friend.claim(BOB)
            group = await friend.create()
            assert (await friend.commit(group, group.commit(friend.now, add=[package]))).status_code == 201
    assert len((await bob.inbox()).items) == 7


async def test_lapsed_packages_do_not_pile_up(tmp_path, make_world):
    engine = SqliteEngine(tmp_path)
    engine.start(lambda change: None)
    store = Store(engine)
    for now in range(3):
        package = NewKeyPackage(secrets.token_bytes(16), now, b"lapses at once")
        await store.add_key_packages(b"device", "+1", [package], None, now)
    kept = await engine.read(lambda tx: tx.rows("SELECT state FROM key_packages"))
    assert kept == [(State.ONE_TIME,)]
    await engine.stop()


async def test_a_rotation_back_to_an_earlier_key_keeps_the_place(world):
    service = world.app.state.service
    alice = await world.device(ALICE)
    group = await alice.create()

    def renamed(epoch: int, before: bytes, after: bytes) -> NewCommit:
        key = secrets.token_bytes(16)
        entry = NewEntry(group.group_id, before, "commit", epoch, key, bytes(32), 0, b"commit", b"observer", epoch)
        return NewCommit(entry, (), frozenset(), frozenset(), ((before, after),))

    await service.store.commit(renamed(0, alice.identity, b"other"))
    await service.store.commit(renamed(1, b"other", alice.identity))
    assert [entry.seq for entry in (await service.store.read(group.group_id, alice.identity, 0)).entries] == [1, 2]


@pytest.mark.parametrize(
    "host", ["delivery.example/x", "delivery.example?x", "x@delivery.example", "delivery.example#"]
)
async def test_a_host_field_is_a_host_and_nothing_more(world, problem_word, host):
    alice = await world.device(ALICE)
    request = alice.session_request()
    request.headers["host"] = host
    assert problem_word(await alice.http.send(request)) == "invalid-signature"


async def test_addresses_are_exact(world):
    answer = await world.http.get("/v1/status/")
    assert (answer.status_code, answer.headers["content-type"]) == (404, wire.PROBLEM_TYPE)


def test_turns_are_limited_for_each_and_for_all():
    turns = Turns(each=2, together=3)
    with turns.of("a"), turns.of("a"):
        with pytest.raises(RefusedError) as caught, turns.of("a"):
            pass
        assert caught.value.word == "overloaded"
        with turns.of("b"), pytest.raises(RefusedError), turns.of("c"):
            pass
        with turns.of("c"):
            pass
    with turns.of("a"):
        pass


async def test_a_number_has_so_many_handshakes_waiting_whatever_devices_it_has(world, problem_word):
    devices = [await world.device(ALICE) for _ in range(HANDSHAKES_PER_NUMBER + 2)]
    groups = [await device.create() for device in devices]
    answers = await asyncio.gather(
        *(
            device.append(group.group_id, group.propose_update(device.now))
            for device, group in zip(devices, groups, strict=True)
        )
    )
    refused = [answer for answer in answers if answer.status_code != 201]
    assert [problem_word(answer) for answer in refused] == ["overloaded"] * 2
    assert refused[0].headers["retry-after"] == "1"
    groups[0].forget_proposals()
    pending = groups[-1].commit(devices[-1].now, path=True)
    assert (await devices[-1].commit(groups[-1], pending)).status_code == 201


async def test_large_bodies_of_a_number_take_turns(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    service = world.app.state.service
    with ExitStack() as others:
        for _ in range(4):
            others.enter_context(service.large_bodies.of(ALICE))
        assert problem_word(await alice.publish()) == "overloaded"
        assert (await bob.publish()).status_code == 200
    assert (await alice.publish()).status_code == 200


def test_the_longest_wait_of_a_device_ends_when_it_begins_too_many():
    wakeups = Wakeups()
    with ExitStack() as waits:
        watchers = [waits.enter_context(wakeups.watch(b"device")) for _ in range(WATCHERS_PER_DEVICE + 2)]
        waits.enter_context(wakeups.watch(b"another"))
        assert [watcher.closed for watcher in watchers] == [True] * 2 + [False] * WATCHERS_PER_DEVICE


async def test_a_database_of_the_first_schema_is_brought_up_to_date(tmp_path):
    for turn in range(2):
        engine = SqliteEngine(tmp_path)
        engine.start(lambda change: None)
        assert await engine.write(lambda tx: tx.value(INDEXES)) == 1
        if not turn:
            await engine.write(lambda tx: tx.run(BACK))
        await engine.stop()


async def test_a_secret_that_only_some_members_hold_cannot_enter_a_group(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    scalar = bytearray(alice.key.private_numbers().private_value.to_bytes(32, "big"))
    credentials, chain = Credentials(world.roots.anchors), Credential.x509(alice.chain)
    psks = {b"id": bytearray(b"known to Alice alone")}
    alice.engine = Engine(2, chain, scalar, credentials.validate, credentials.succeed, psks=psks)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, _ = await bob.join()
    assert problem_word(await alice.append(group.group_id, group.propose_psk(b"id"))) == "not-allowed"
    group.forget_proposals()
    assert problem_word(await alice.commit(group, group.commit(alice.now, psks=[b"id"]))) == "not-allowed"
    assert (await bob.commit(joined, joined.commit(bob.now, path=True))).status_code == 201


async def test_a_repeated_signature_costs_its_signer_nothing(world, problem_word):
    alice = await world.device(ALICE)
    world.app.state.service.sessions_limit.spend(ALICE, alice.now, wire.SESSIONS_PER_HOUR - 3)
    request = alice.session_request()
    assert (await alice.http.send(request)).status_code == 201
    assert [problem_word(await alice.http.send(request)) for _ in range(3)] == ["invalid-signature"] * 3
    assert (await alice.http.send(alice.session_request())).status_code == 201
