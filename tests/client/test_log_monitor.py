"""A log of certificates that lies is caught, one check for each lie; what it shows in order raises no false alarm."""

import json
import random
from base64 import b64encode
from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette

from client.credentials import log_watch
from client.credentials.log_monitor import WEEK, LogLiesError
from client.defence.watch import INTERVAL
from client.events import Trouble
from client.session import Session
from identity.authority.log.endpoints import log_routes
from identity.authority.log.folder import open_log
from identity.authority.log.wire import MAXIMUM_MERGE_DELAY, LoggedEntry
from identity.certificate_fields import load_certificate
from identity.issuing import issue_device_certificate
from identity.transparency.entries import Entry, EntryKind, precertificate_entry
from identity.transparency.heads import TreeHead
from identity.transparency.merkle import Frontier, leaf_hash
from identity.transparency.timestamps import SignedTimestamp, sign_timestamp

from .conftest import ALICE, AUTHORITY, BOB, CAROL, World
from .log_scene import (
    DAY,
    Meddler,
    authority_keys,
    certify_another,
    forked,
    hide_holdings,
    lie_of,
    log_key,
    looked,
    poisoned,
    response,
    seen,
)


async def test_an_honest_log_is_read_to_its_end_and_found_in_order(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    assert await looked(alice, world) == []
    log = seen(alice)
    assert log.head.size == log.frontier.size == 3  # the issuer and two devices
    assert log.frontier.root == log.head.root
    assert log.looked_at == int(world.clock())
    assert alice.steps.log_monitor.seen.unkept(log.key.log_id) == []
    for day in range(1, 20):
        world.clock.now += DAY
        await bob.maintain()
        assert await looked(alice, world) == [], f"day {day}"
    assert seen(alice).head.size > 3
    assert seen(alice).frontier.size == seen(alice).head.size


async def test_1_a_head_that_the_log_has_not_signed(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    keys = authority_keys(world)
    other = open_log(world.folder / "other", "another key", lambda: keys.roots)
    stack.callback(other.close)
    Meddler(world).log_is(other)
    alarm = await lie_of(alice, world)
    assert alarm.words == (
        "The log of certificates “Ringtrue development log” shows a tree that it has not signed (check 1)."
    )


async def test_2_a_head_of_another_day(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    meddler = Meddler(world)
    async with httpx.AsyncClient(transport=world.network, base_url=AUTHORITY) as http:
        old = (await http.get("/stict/v1/get-sth")).content

    async def kept(request: httpx.Request) -> httpx.Response:
        return response(old)

    meddler.answers["/stict/v1/get-sth"] = kept
    world.clock.now += DAY
    assert await looked(alice, world) == []
    world.clock.now += MAXIMUM_MERGE_DELAY + 60
    assert "(check 2)" in (await lie_of(alice, world)).words
    world.clock.now += INTERVAL
    assert len(await looked(alice, world)) == 1
    world.clock.now += WEEK
    assert len([each for each in await looked(alice, world) if each.kind == "log"]) == 2


async def test_3_a_tree_that_has_shrunk(world, stack):
    (alice, _) = await world.people(stack, ALICE, BOB)
    await looked(alice, world)
    Meddler(world).log_is(forked(world, stack, 1))
    alarm = await lie_of(alice, world)
    assert "had 3 entries and now shows 1: it has taken some back (check 3)" in alarm.words
    assert seen(alice).head.size == 3


async def test_4_two_trees_of_one_size(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    Meddler(world).log_is(forked(world, stack, 2))
    assert "shows another tree of 2 entries than before (check 4)" in (await lie_of(alice, world)).words


async def test_4_a_tree_that_does_not_go_on_from_the_one_before(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    Meddler(world).log_is(forked(world, stack, 7))
    assert "does not go on from the one before (check 4)" in (await lie_of(alice, world)).words
    assert seen(alice).head.size == 2
    world.clock.now += INTERVAL
    assert len(await looked(alice, world)) == 1


async def test_5_entries_that_are_not_those_of_the_tree(world, stack):
    (alice,) = await world.people(stack, ALICE)
    meddler = Meddler(world)
    hide_holdings(meddler)
    await looked(alice, world)
    await certify_another(world)
    harmless = forked(world, stack, 1).entries(0, 0)[0]

    async def concealing(request: httpx.Request) -> httpx.Response:
        told = json.loads(await (await meddler.honest(request)).aread())
        told["entries"][-1]["leaf_input"] = b64encode(harmless.leaf_input).decode()
        return response(json.dumps(told).encode())

    meddler.answers["/stict/v1/get-entries"] = concealing
    assert "shows entries that are not those of its tree (check 5)" in (await lie_of(alice, world)).words

    del meddler.answers["/stict/v1/get-entries"]
    world.clock.now += INTERVAL
    assert sorted(each.kind for each in await looked(alice, world)) == ["certificate", "log"]


def own_chain(alice: Session, world: World, promise: Callable[[Entry], SignedTimestamp]) -> tuple[bytes, ...]:
    """A chain for Alice's key by her authority, with a promise that is not in its log."""
    keys = authority_keys(world)
    leaf = issue_device_certificate(
        keys.issuer_key,
        keys.issuer,
        alice.account.key.public_key(),
        ALICE,
        int(world.clock()),
        log=lambda precertificate: [promise(precertificate_entry(precertificate, keys.issuer))],
    )
    return leaf.public_bytes(Encoding.DER), keys.issuer.public_bytes(Encoding.DER)


async def test_6_a_timestamp_that_the_log_has_not_given(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    log_id, now = seen(alice).key.log_id, int(world.clock())
    chain = own_chain(alice, world, lambda _: SignedTimestamp(log_id, now * 1000, b"not by the log"))
    alice.steps.groups.use_account(alice.account.with_chain(chain))
    assert (
        "named by this device's certificate, and has not signed for it (check 6)" in (await lie_of(alice, world)).words
    )


async def test_7_a_promise_that_is_not_kept_within_the_merge_delay(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    key, now = log_key(world), int(world.clock())
    chain = own_chain(alice, world, lambda entry: sign_timestamp(key, entry, now * 1000))
    alice.steps.groups.use_account(alice.account.with_chain(chain))
    assert await looked(alice, world) == []
    world.clock.now += MAXIMUM_MERGE_DELAY - 60
    assert await looked(alice, world) == []
    world.clock.now += 3600
    alarm = await lie_of(alice, world)
    assert "has promised to hold this device's certificate, and does not (check 7)" in alarm.words


async def test_7_an_inclusion_proof_that_proves_something_else(world, stack):
    meddler = Meddler(world)

    async def any_proof(request: httpx.Request) -> httpx.Response:
        return response(b'{"leaf_index": 0, "audit_path": []}')

    meddler.answers["/stict/v1/get-proof-by-hash"] = any_proof
    (alice,) = await world.people(stack, ALICE)
    assert await looked(alice, world) == []
    world.clock.now += 2 * MAXIMUM_MERGE_DELAY
    assert "(check 7)" in (await lie_of(alice, world)).words


async def test_another_log_is_told_and_watched_too(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    keys = authority_keys(world)
    other = open_log(world.folder / "other", "a second log", lambda: keys.roots)
    stack.callback(other.close)
    meddler = Meddler(world)

    async def both(request: httpx.Request) -> httpx.Response:
        told = json.loads(await (await meddler.honest(request)).aread())
        spki = b64encode(other.log.spki).decode()
        told["logs"].append({"name": "a second\x1b[31m log", "key": spki, "url": "https://log.test"})
        return response(json.dumps(told).encode())

    meddler.answers["/v1/logs"] = both
    world.network.services["log.test"] = httpx.ASGITransport(Starlette(routes=log_routes(other, world.clock)))
    alarm = await lie_of(alice, world)
    assert alarm.words == "Your authority names another log of certificates than before, “a second31m log”."
    assert [each.looked_at for each in alice.steps.log_monitor.seen.all()] == [int(world.clock())] * 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[]",
        b'{"tree_size": -1}',
        b"\xff",
        b'{"tree_size":1,"timestamp":1,"sha256_root_hash":"","tree_head_signature":""}',
    ],
)
async def test_what_is_no_answer_is_trouble_and_no_alarm(world, stack, answer):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)

    async def garbage(request: httpx.Request) -> httpx.Response:
        return response(answer)

    Meddler(world).answers["/stict/v1/get-sth"] = garbage
    world.clock.now += INTERVAL
    with alice.listening() as events:
        assert await looked(alice, world) == []
        told = [events.get_nowait() for _ in range(events.qsize())]
    assert [each.code for each in told if isinstance(each, Trouble)] == ["unexpected-answer"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", json.dumps({"type": "x:not-found", "title": "no", "status": 404}).encode()]
)
async def test_an_authority_without_logs_is_no_trouble(world, stack, body):
    meddler = Meddler(world)

    async def unknown(request: httpx.Request) -> httpx.Response:
        return response(body, 404)

    meddler.answers["/v1/logs"] = unknown
    (alice,) = await world.people(stack, ALICE)
    with alice.listening() as events:
        assert await looked(alice, world) == []
        assert [events.get_nowait() for _ in range(events.qsize())] == []


async def test_a_long_log_is_read_over_several_looks(world, stack, monkeypatch):
    monkeypatch.setattr(log_watch, "ENTRIES_PER_LOOK", 2)
    (alice, _, _) = await world.people(stack, ALICE, BOB, CAROL)
    hide_holdings(Meddler(world))
    await certify_another(world)
    sizes = []
    for _ in range(3):
        world.clock.now += INTERVAL
        alarms = await looked(alice, world)
        sizes.append((seen(alice).frontier.size, len(alarms)))
    assert [size for size, _ in sizes] == sorted(size for size, _ in sizes)
    assert sizes[-1] == (5, 1)
    assert sizes[0][0] < 5


async def test_any_octets_in_a_signed_tree_are_read_or_passed_over(world, stack):
    """The log signs whatever it likes: nothing in it is a foreign exception."""
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    monitor, log, key = alice.steps.log_monitor, seen(alice), log_key(world)
    chance = random.Random(7)
    honest = poisoned(authority_keys(world), 5, world)
    entry = precertificate_entry(load_certificate(honest[0]), load_certificate(honest[1]))
    leaves = [chance.randbytes(chance.randrange(200)) for _ in range(100)]
    for _ in range(400):
        octets = bytearray(entry.leaf_input(1))
        octets[chance.randrange(len(octets))] = chance.randrange(256)
        leaves.append(bytes(octets))
    leaves += [Entry(kind, chance.randbytes(60), bytes(32 * kind)).leaf_input(1) for kind in EntryKind]
    frontier = log.frontier.extended(map(leaf_hash, leaves))
    head = TreeHead(frontier.size, int(world.clock()) * 1000, frontier.root)
    assert head.is_by(log.key, head.sign(key))
    assert not monitor.read(log.key.log_id, head, [LoggedEntry(leaf, b"") for leaf in leaves], int(world.clock()))
    assert seen(alice).frontier == frontier
    with pytest.raises(LogLiesError):
        monitor.read(log.key.log_id, TreeHead(frontier.size + 1, 1, head.root), [LoggedEntry(b"x", b"")], 1)
    assert seen(alice).frontier == Frontier()
