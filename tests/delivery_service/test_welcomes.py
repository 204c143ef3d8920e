"""A Welcome exists only together with its commit: of one that lost, or was refused, there is none on any path."""

import asyncio

import msgspec
import pytest

from delivery_service.service import Service
from delivery_service.wire import CommitBundle
from tests.delivery_service.conftest import path_of

ALICE, BOB, CAROL, DAVE = (f"+1202555014{n}" for n in (2, 3, 4, 5))


async def group_of_two(world):
    """Alice and Bob in one group, and Carol with key packages that both have claimed."""
    alice, bob, carol = await world.device(ALICE), await world.device(BOB, packages=1), await world.device(CAROL)
    await carol.publish(4)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, _ = await bob.join()
    return alice, bob, carol, group, joined


async def nothing_waits(world, device) -> bool:
    """Not in the inbox, not in the heads, not in the store."""
    service: Service = world.app.state.service
    stored = await service.engine.read(lambda tx: tx.value("SELECT count(*) FROM welcomes"))
    of_device = await service.engine.read(
        lambda tx: tx.value("SELECT count(*) FROM inbox WHERE device = :device", device=device.identity)
    )
    batch = await device.inbox()
    heads = (await device.call("GET", "/v1/groups")).json()
    return (batch.items, batch.head, heads["inbox"], of_device) == ([], 0, 0, 0) and stored <= 1  # Bob's own


async def test_a_losing_commits_welcome_reaches_nobody(world, problem_word):
    alice, bob, carol, group, joined = await group_of_two(world)
    winning = group.commit(alice.now, path=True)
    losing = joined.commit(bob.now, add=await bob.claim(CAROL))
    assert (await alice.commit(group, winning)).status_code == 201
    assert problem_word(await bob.commit(joined, losing)) == "stale-epoch"
    assert await nothing_waits(world, carol)


async def test_of_two_commits_at_once_that_add_the_same_device_one_welcome_exists(world, problem_word):
    alice, bob, carol, group, joined = await group_of_two(world)
    pending = group.commit(alice.now, add=await alice.claim(CAROL)), joined.commit(bob.now, add=await bob.claim(CAROL))
    answers = await asyncio.gather(alice.commit(group, pending[0]), bob.commit(joined, pending[1]))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    won = pending[[answer.status_code for answer in answers].index(201)]
    (item,) = (await carol.inbox()).items
    assert item.welcome == won.welcomes[0]
    entries = (await alice.read(group.group_id)).entries
    assert [entry.body for entry in entries if entry.seq == item.seq] == [won.commit]


@pytest.mark.parametrize("kind", ["another tree", "no welcome", "a foreign welcome", "an unclaimed key package"])
async def test_a_refused_commits_welcome_reaches_nobody(world, problem_word, kind):
    alice, _, carol, group, _ = await group_of_two(world)
    claimed = await alice.claim(CAROL)
    pending = group.commit(alice.now, add=claimed)
    group_info, welcomes = pending.group_info, list(pending.welcomes)
    other = group.commit(alice.now, path=True)
    match kind:
        case "another tree":
            group_info = other.group_info
        case "no welcome":
            welcomes = []
        case "a foreign welcome":
            await world.device(DAVE, packages=1)
            welcomes = list(group.commit(alice.now, add=await alice.claim(DAVE)).welcomes)
        case "an unclaimed key package":
            (package,) = carol.key_packages(1)
            pending = group.commit(alice.now, add=[package])
            group_info, welcomes = pending.group_info, list(pending.welcomes)
    body = msgspec.msgpack.encode(CommitBundle(pending.commit, welcomes, group_info))
    answer = await alice.post(f"{path_of(group.group_id)}/commits", body, "application/msgpack")
    assert problem_word(answer) == "invalid-handshake"
    assert await nothing_waits(world, carol)
    assert (await alice.commit(group, other)).status_code == 201  # the group goes on


async def test_a_repeat_of_an_accepted_commit_delivers_no_second_welcome(world):
    alice, _, carol, group, _ = await group_of_two(world)
    pending = group.commit(alice.now, add=await alice.claim(CAROL))
    for _ in range(3):
        assert (await alice.commit(group, pending, key="ab" * 16)).status_code == 201
    assert len((await carol.inbox()).items) == 1
