"""A handshake that reaches two replicas at once, or is overtaken by another replica's while it is judged."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from mls_rs import Observer, Pending

from delivery_service.groups import Groups
from delivery_service.observers import Observers
from delivery_service.storage.values import NewEntry
from delivery_service.wire import MSGPACK_TYPE, Appended, CommitBundle
from tests.delivery_service.conftest import path_of

ALICE, BOB = "+12025550142", "+12025550143"


class LateObservers(Observers):
    """Observers of a replica at which something else happens before it looks at a group, or after."""

    meanwhile: Callable[[], Awaitable[object]]
    has_looked: bool

    async def take_for(self, handshake: NewEntry) -> Appended | tuple[int, Observer]:
        if not self.has_looked:
            await self.meanwhile()
        found = await super().take_for(handshake)
        if self.has_looked:
            await self.meanwhile()
        return found


def two_replicas(world, has_looked: bool) -> tuple[LateObservers, Groups]:
    """Makes the world's service one that is late, and another one over the same store."""
    service = world.app.state.service
    late, other = (kind(service.store, service.credentials, service.sender) for kind in (LateObservers, Observers))
    service.groups, late.has_looked = Groups(service.store, late, service.franking), has_looked
    return late, Groups(service.store, other, service.franking)


def octets(pending: Pending) -> bytes:
    return msgspec.msgpack.encode(CommitBundle(pending.commit, list(pending.welcomes), pending.group_info))


async def at(other: Groups, world, device, group_id: bytes, body: bytes, key: str) -> Appended:
    session = world.app.state.service.sessions.check(f"Bearer {device.token}".encode(), device.now)
    bundle, digest = msgspec.msgpack.decode(body, type=CommitBundle), hashlib.sha256(body).digest()
    return await other.commit(session, group_id, bundle, digest, bytes.fromhex(key), device.now * 1000)


@pytest.mark.parametrize("has_looked", [False, True])
async def test_a_commit_that_reaches_two_replicas_at_once_gets_the_same_answer_from_both(world, has_looked) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    late, other = two_replicas(world, has_looked)
    body, key = octets(group.commit(alice.now, path=True)), secrets.token_hex(16)
    answers = []

    async def reach_the_other() -> None:
        if not answers:
            answers.append(await at(other, world, alice, group.group_id, body, key))

    late.meanwhile = reach_the_other
    answer = await alice.post(f"{path_of(group.group_id)}/commits", body, MSGPACK_TYPE, key)
    assert answer.status_code == 201, answer.text
    assert [msgspec.json.decode(answer.content, type=Appended)] == answers
    assert (await alice.read(group.group_id)).head == 1


@pytest.mark.parametrize("has_looked", [False, True])
async def test_a_commit_that_loses_to_another_replicas_hears_that_it_was_late(world, problem_word, has_looked) -> None:
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, _ = await bob.join()
    late, other = two_replicas(world, has_looked)
    first, second = octets(joined.commit(bob.now, path=True)), octets(group.commit(alice.now, path=True))
    won = []

    async def lose() -> None:
        if not won:
            won.append(await at(other, world, bob, group.group_id, first, secrets.token_hex(16)))

    late.meanwhile = lose
    answer = await alice.post(f"{path_of(group.group_id)}/commits", second, MSGPACK_TYPE)
    assert (answer.status_code, problem_word(answer)) == (409, "stale-epoch")
    assert (await alice.read(group.group_id)).head == won[0].seq
