"""The main path: found a group, invite by key package and Welcome, talk, read, and leave."""

import asyncio

from mls_rs import Application, Commit, Group

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


async def test_two_people_meet_and_talk(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    added = await alice.add(group, BOB)
    assert (added.seq, added.epoch) == (1, 0)

    joined, cursor = await bob.join()
    assert (joined.group_id, joined.epoch, cursor) == (group.group_id, 1, 1)
    sent = await alice.say(group, b"Watson, come here.")
    assert (sent.seq, sent.epoch) == (2, 1)

    batch = await bob.read(group.group_id, cursor)
    assert [(entry.seq, entry.epoch, entry.kind) for entry in batch.entries] == [(2, 1, "application")]
    assert (batch.head, batch.more) == (2, False)
    assert batch.entries[0].at_ms == world.clock.now * 1000
    received = joined.process(batch.entries[0].body, bob.now)
    assert isinstance(received, Application)
    assert received.data == b"Watson, come here."
    await bob.say(joined, b"Coming.")
    assert [entry.seq for entry in (await alice.read(group.group_id, 0)).entries] == [1, 2, 3]


async def test_welcomes_exist_only_with_their_commit(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    packages = await alice.claim(BOB)
    late = group.commit(alice.now, add=packages)
    winner = group.commit(alice.now, path=True)
    assert (await alice.commit(group, winner)).status_code == 201
    assert (await alice.commit(group, late)).status_code == 409
    assert (await bob.inbox()).items == []
    assert (await bob.call("GET", "/v1/groups")).json() == {"groups": {}, "inbox": 0}

    group.apply(winner.secrets)
    again = group.commit(alice.now, add=packages)
    assert (await alice.commit(group, again)).status_code == 201
    assert len((await bob.inbox()).items) == 1


async def test_of_two_simultaneous_commits_one_wins(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, cursor = await bob.join()
    ours, theirs = group.commit(alice.now, path=True), joined.commit(bob.now, path=True)
    first, second = await alice.commit(group, ours), await bob.commit(joined, theirs)
    assert (first.status_code, second.status_code) == (201, 409)
    problem = second.json()
    assert (problem["type"], problem["epoch"], problem["head"]) == ("urn:ringtrue:delivery:stale-epoch", 2, 2)

    (entry,) = (await bob.read(group.group_id, cursor)).entries
    assert isinstance(joined.process(entry.body, bob.now), Commit)
    group.apply(ours.secrets)
    assert group.epoch_authenticator() == joined.epoch_authenticator()


async def test_a_removed_member_reads_its_removal_and_nothing_after(world):
    alice, bob, carol = await world.device(ALICE), await world.device(BOB, 1), await world.device(CAROL, 1)
    group = await alice.create()
    await alice.add(group, BOB, CAROL)
    joined, cursor = await bob.join()
    pending = group.commit(alice.now, remove=[index_of(group, bob.identity)])
    assert (await alice.commit(group, pending)).status_code == 201
    group.apply(pending.secrets)
    await alice.say(group, b"Bob is gone.")

    batch = await bob.read(group.group_id, cursor, wait=5)
    assert [entry.kind for entry in batch.entries] == ["commit"]
    assert (batch.head, batch.more) == (2, False)
    event = joined.process(batch.entries[0].body, bob.now)
    assert isinstance(event, Commit)
    assert event.removed_self
    assert (await bob.read(group.group_id, 2)).entries == []
    refused = await bob.append(group.group_id, group.encrypt(b"still here"))
    assert refused.json()["type"] == "urn:ringtrue:delivery:not-a-member"
    assert len((await carol.read(group.group_id, 1)).entries) == 2


async def test_a_returning_member_reads_both_memberships(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=2)
    group = await alice.create()
    await alice.add(group, BOB)
    await alice.say(group, b"one")  # 2
    pending = group.commit(alice.now, remove=[index_of(group, bob.identity)])
    assert (await alice.commit(group, pending)).status_code == 201  # 3
    group.apply(pending.secrets)
    await alice.say(group, b"in his absence")  # 4
    await alice.add(group, BOB)  # 5
    await alice.say(group, b"two")  # 6
    batch = await bob.read(group.group_id, 0)
    assert [entry.seq for entry in batch.entries] == [2, 3, 6]
    assert [item.seq for item in (await bob.inbox()).items] == [1, 5]


async def test_proposals_are_judged_cached_and_committed(world):
    alice, bob, _ = await world.device(ALICE), await world.device(BOB, 1), await world.device(CAROL, 1)
    group = await alice.create()
    await alice.add(group, BOB, CAROL)
    joined, cursor = await bob.join()
    leaving = joined.leave()
    assert (await bob.append(group.group_id, leaving)).status_code == 201
    world.app.state.service.observers._kept.clear()  # the proposal must be in the stored snapshot
    for entry in (await alice.read(group.group_id, cursor)).entries:
        group.process(entry.body, alice.now)
    pending = group.commit(alice.now)
    assert (await alice.commit(group, pending)).status_code == 201
    heads = (await bob.call("GET", "/v1/groups")).json()["groups"]
    assert list(heads.values()) == [3]
    assert (await bob.read(group.group_id, 3)).head == 3


async def test_a_renewed_certificate_keeps_its_place_in_the_group(world):
    alice = await world.device(ALICE)
    group = await alice.create()
    renewed = world.roots.chain(alice.key, ALICE, alice.now + 60, 86_400)
    old = alice.engine
    world.clock.now += 60
    alice.use(renewed, world.roots.anchors)
    pending = group.commit(alice.now, identity=alice.engine)
    assert old.signature_key == alice.engine.signature_key
    assert (await alice.commit(group, pending)).status_code == 201
    group.apply(pending.secrets)
    await alice.open_session()
    await alice.say(group, b"still me")
    assert (await alice.read(group.group_id)).head == 2


async def test_welcomes_are_deleted_once_acknowledged(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=2)
    for _ in range(2):
        await alice.add(await alice.create(), BOB)
    assert [item.position for item in (await bob.inbox()).items] == [1, 2]
    acknowledged = await bob.call("POST", "/v1/inbox/ack", b'{"position": 1}')
    assert acknowledged.status_code == 204
    batch = await bob.inbox()
    assert ([item.position for item in batch.items], batch.head) == ([2], 2)
    assert (await bob.inbox(after=2)).items == []


async def test_a_long_poll_ends_with_the_entry_it_waits_for(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    welcome = asyncio.create_task(bob.inbox(wait=20))
    group = await alice.create()
    await asyncio.sleep(0.05)
    await alice.add(group, BOB)
    assert len((await welcome).items) == 1
    waiting = asyncio.create_task(bob.read(group.group_id, after=1, wait=20))
    await asyncio.sleep(0.05)
    await alice.say(group, b"hello")
    assert [entry.seq for entry in (await waiting).entries] == [2]


def index_of(group: Group, identity: bytes) -> int:
    return next(member.index for member in group.members() if member.identity == identity)
