"""Two replicas of the service on one PostgreSQL database, each behind a server of its own: one service to clients."""

import asyncio
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from mls_rs import Group

from delivery_service import wire
from delivery_service.app import create_app
from delivery_service.errors import StartError
from delivery_service.limits import HOUR
from delivery_service.storage.database import Database
from tests.delivery_service.conftest import HOST, YEAR, Clock, Device, Roots, make_roots, word
from tests.delivery_service.test_event_stream import events, serving, text_id

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
ROUNDS = 8


@dataclass
class Replicas:
    """Both replicas: their services, a client of each, and devices, which are told which one to ask."""

    first: httpx.AsyncClient
    second: httpx.AsyncClient
    services: list
    clock: Clock
    roots: Roots

    async def device(self, number: str, packages: int = 0, at: httpx.AsyncClient | None = None) -> Device:
        device = Device(self.roots, number, at or self.first, self.clock, YEAR)
        await device.open_session()
        if packages:
            assert (await device.publish(packages)).status_code == 200
        return device


def replica(database: str, folder: Path, clock: Clock, roots: Roots):
    return create_app(folder, roots.anchors, host=HOST, clock=clock, database=Database(database, one_copy=True))


@pytest.fixture
async def replicas(database: str, tmp_path: Path) -> AsyncIterator[Replicas]:
    clock, roots, folders = Clock(), make_roots("Test root"), [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    async with AsyncExitStack() as stack:
        clients, services = [], []
        for folder in folders:
            app = replica(database, folder, clock, roots)
            url = await stack.enter_async_context(serving(app))
            if not services:
                shutil.copy(folder / "franking.key", folders[1])
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30)))
            services.append(app.state.service)
        yield Replicas(*clients, services, clock, roots)


@dataclass
class Pair:
    """Alice at the first replica and Bob at the second, in one group."""

    alice: Device
    bob: Device
    of_alice: Group
    of_bob: Group
    seq: int

    def catch_up(self, device: Device, group: Group, entries: list[wire.Entry]) -> None:
        for entry in entries:
            if entry.seq > self.seq:
                group.process(entry.body, device.now)


async def pair(replicas: Replicas) -> Pair:
    alice, bob = await replicas.device(ALICE), await replicas.device(BOB, packages=2, at=replicas.second)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, seq = await bob.join()
    return Pair(alice, bob, group, joined, seq)


async def test_a_session_of_one_is_a_session_of_the_other(replicas):
    alice = await replicas.device(ALICE)
    group = await alice.create()
    alice.http = replicas.second
    said = await alice.say(group, b"hello")
    assert (said.seq, said.epoch) == (1, 0)
    assert [entry.seq for entry in (await alice.read(group.group_id)).entries] == [1]


async def test_a_repeat_at_the_other_replica_gets_the_first_answer(replicas):
    alice = await replicas.device(ALICE)
    group, key = await alice.create(), secrets.token_hex(16)
    message = group.encrypt(b"once")
    first = await alice.append(group.group_id, message, key)
    alice.http = replicas.second
    again = await alice.append(group.group_id, message, key)
    assert (first.status_code, again.content) == (201, first.content)
    assert len((await alice.read(group.group_id)).entries) == 1


async def test_of_two_commits_at_two_replicas_exactly_one_wins(replicas):
    talk = await pair(replicas)
    group_id, winners = talk.of_alice.group_id, Counter[str]()
    for _ in range(ROUNDS):
        mine, theirs = (group.commit(talk.alice.now, path=True) for group in (talk.of_alice, talk.of_bob))
        answers = await asyncio.gather(talk.alice.commit(talk.of_alice, mine), talk.bob.commit(talk.of_bob, theirs))
        assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
        loser = max(answers, key=lambda answer: answer.status_code)
        assert word(loser) == "stale-epoch"
        entry = (await talk.bob.read(group_id, talk.seq)).entries[-1]
        if answers[0].status_code == 201:
            talk.of_alice.apply(mine.secrets)
            talk.of_bob.process(entry.body, talk.bob.now)
        else:
            talk.of_bob.apply(theirs.secrets)
            talk.of_alice.process(entry.body, talk.alice.now)
        winners["alice" if answers[0].status_code == 201 else "bob"] += 1
        assert talk.of_alice.epoch_authenticator() == talk.of_bob.epoch_authenticator()
    assert winners.total() == ROUNDS


async def test_proposals_at_both_replicas_are_kept_by_both_observers(replicas):
    talk = await pair(replicas)
    group_id = talk.of_alice.group_id
    for _ in range(ROUNDS):
        mine, theirs = talk.of_alice.propose_update(talk.alice.now), talk.of_bob.propose_update(talk.bob.now)
        answers = await asyncio.gather(
            talk.alice.append(group_id, mine), talk.bob.append(group_id, theirs), talk.alice.append(group_id, mine)
        )
        assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
        entries = (await talk.bob.read(group_id, talk.seq)).entries
        for entry in entries:
            if entry.body != theirs:
                talk.of_bob.process(entry.body, talk.bob.now)
        talk.seq = entries[-1].seq
        pending = talk.of_bob.commit(talk.bob.now)
        assert (await talk.bob.commit(talk.of_bob, pending)).status_code == 201
        talk.of_bob.apply(pending.secrets)
        for entry in [*entries, *(await talk.alice.read(group_id, talk.seq)).entries]:
            if entry.body != mine:
                talk.of_alice.process(entry.body, talk.alice.now)
        talk.seq += 1
        assert talk.of_alice.epoch_authenticator() == talk.of_bob.epoch_authenticator()


async def test_a_key_package_is_handed_out_by_one_of_them(replicas):
    await replicas.device(BOB, packages=ROUNDS)
    first, second = await replicas.device(ALICE), await replicas.device(CAROL, at=replicas.second)
    claims = await asyncio.gather(*(device.claim(BOB) for device in (first, second) for _ in range(ROUNDS // 2)))
    handed = [package for claimed in claims for package in claimed]
    assert len(handed) == len(set(handed)) == ROUNDS


async def test_a_signature_opens_one_session_at_one_of_them(replicas):
    alice = await replicas.device(ALICE)
    request = alice.session_request()
    answers = [(await client.send(request)).status_code for client in (replicas.first, replicas.first)]
    assert answers[0] == 201
    assert answers[1] == 401


async def test_a_stream_and_a_wait_at_one_hear_of_an_entry_at_the_other(replicas):
    talk = await pair(replicas)
    group_id = talk.of_alice.group_id
    head = (await talk.bob.read(group_id)).head
    async with aclosing(events(talk.bob)) as stream, asyncio.timeout(60):
        await anext(stream)
        waiting = asyncio.create_task(talk.bob.read(group_id, head, wait=30))
        said = await talk.alice.say(talk.of_alice, b"hello")
        while text_id(group_id) not in (event := await anext(stream))["groups"]:
            pass
        assert event["groups"][text_id(group_id)] == said.seq
        assert [entry.seq for entry in (await waiting).entries] == [said.seq]


async def test_a_stream_at_one_hears_of_an_invitation_at_the_other(replicas):
    alice, bob = await replicas.device(ALICE), await replicas.device(BOB, packages=1, at=replicas.second)
    async with aclosing(events(bob)) as stream, asyncio.timeout(60):
        assert (await anext(stream))["inbox"] == 0
        group = await alice.create()
        await alice.add(group, BOB)
        while not (event := await anext(stream)).get("inbox"):
            pass
        assert text_id(group.group_id) in event["groups"]


async def test_a_limit_that_is_used_up_at_one_is_used_up_at_the_other(replicas):
    first, second = (service.allowances for service in replicas.services)
    alice = await replicas.device(ALICE)
    replicas.services[0].foundings.spend(ALICE, alice.now, wire.GROUPS_PER_HOUR - 2)
    await first.tell()
    await second.hear(HOUR)
    alice.http = replicas.second
    await alice.create()
    await alice.create()
    group = alice.engine.create(b"one more", alice.now)
    refused = await alice.post("/v1/groups", group.group_info(), wire.MLS_TYPE)
    assert (word(refused), refused.json()["limit_name"]) == ("rate-limited", "GROUPS_PER_HOUR")
    await second.tell()
    await first.hear(HOUR)
    alice.http = replicas.first
    assert (await alice.post("/v1/groups", group.group_info(), wire.MLS_TYPE)).status_code == 429


async def test_what_both_allowed_at_once_is_paid_back(replicas):
    first, second = replicas.services
    now = replicas.clock.now
    for service in replicas.services:
        service.foundings.spend(ALICE, now, wire.GROUPS_PER_HOUR)
        await service.allowances.tell()
    await first.allowances.hear(HOUR)
    await second.allowances.hear(HOUR)
    for service in replicas.services:
        assert not service.foundings.has_left(ALICE, now + HOUR)
        assert service.foundings.has_left(ALICE, now + HOUR + 2 * HOUR / wire.GROUPS_PER_HOUR)


async def test_a_replica_without_the_services_key_does_not_start(replicas, database, tmp_path):
    folder = tmp_path / "third"
    folder.mkdir()
    app = replica(database, folder, replicas.clock, replicas.roots)
    with pytest.raises(StartError, match=r"copy franking\.key from another replica"):
        async with app.router.lifespan_context(app):
            pass
    assert not (folder / "franking.key").exists()


async def test_a_replica_with_another_key_does_not_start(replicas, database, tmp_path):
    folder, other = tmp_path / "third", tmp_path / "other"
    async with (app := create_app(other, replicas.roots.anchors, host=HOST)).router.lifespan_context(app):
        pass
    folder.mkdir()
    shutil.copy(other / "franking.key", folder)
    app = replica(database, folder, replicas.clock, replicas.roots)
    with pytest.raises(StartError, match="is not the one that the service has"):
        async with app.router.lifespan_context(app):
            pass


async def test_one_of_them_keeps_the_retention(replicas):
    keepers = [service.notices.keeping for service in replicas.services]
    async with asyncio.timeout(60):
        waits = [asyncio.create_task(keeping.wait()) for keeping in keepers]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    assert [keeping.is_set() for keeping in keepers].count(True) == 1


async def test_messages_of_both_get_one_order(replicas):
    talk = await pair(replicas)
    group_id = talk.of_alice.group_id
    said = await asyncio.gather(
        *(talk.alice.say(talk.of_alice, b"a%d" % number) for number in range(50)),
        *(talk.bob.say(talk.of_bob, b"b%d" % number) for number in range(50)),
    )
    assert sorted(answer.seq for answer in said) == list(range(talk.seq + 1, talk.seq + 101))
    views = [await device.read(group_id, talk.seq) for device in (talk.alice, talk.bob)]
    assert msgspec.msgpack.encode(views[0]) == msgspec.msgpack.encode(views[1])
