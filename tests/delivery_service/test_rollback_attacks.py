"""What somebody could make of taking commits back: new names, replays, ears at the door of a group that was left."""

import asyncio

import pytest

from tests.delivery_service.conftest import Device
from tests.delivery_service.test_rollback import ALICE, BOB, CAROL, DAVE, Members

pytestmark = pytest.mark.parametrize("world", ["folder", "postgresql"], indirect=True)


async def renamed(members: Members, device: Device, to: Device) -> None:
    """The first member's leaf takes the key of another device of its number."""
    group = members.groups[0]
    pending = group.commit(device.now, path=True, identity=to.engine)
    answer = await device.commit(group, pending)
    assert answer.status_code == 201, answer.text
    group.apply(pending.secrets)


async def test_a_device_that_changed_its_key_twice_is_one_member_again(world, problem_word):
    """Else the key in between would be a member whom nobody has added, and whose reports count."""
    members = await Members.of(world, ALICE, BOB, CAROL)
    alice, bob, carol = members.devices
    second, third = await world.device(ALICE), await world.device(ALICE)
    await renamed(members, alice, second)
    await renamed(members, second, third)
    entry = (await members.read(bob)).entries[-2]
    await members.counted(bob, entry)
    assert (await members.counted(carol, entry)).rollback
    for ghost in (second, third):
        answer = await ghost.append(members.group_id, members.groups[0].encrypt(b"from nobody"))
        assert problem_word(answer) == "not-a-member"
    assert problem_word(await alice.append(members.group_id, members.groups[0].encrypt(b"ahead"))) == "stale-epoch"
    entry = await members.commit(maker=1)
    assert (await members.counted(carol, entry)).of == 2


async def test_a_device_that_took_its_first_key_again_is_a_member_as_before(world, problem_word):
    members = await Members.of(world, ALICE, BOB, CAROL)
    alice, bob, carol = members.devices
    second = await world.device(ALICE)
    await renamed(members, alice, second)
    await renamed(members, second, alice)
    entry = (await members.read(bob)).entries[-2]
    await members.counted(bob, entry)
    assert (await members.counted(carol, entry)).rollback
    message = members.groups[0].encrypt(b"x")
    assert problem_word(await second.append(members.group_id, message)) == "not-a-member"
    assert problem_word(await alice.append(members.group_id, message)) == "stale-epoch"
    assert (await members.read(alice)).entries[-1].kind == "rollback"


async def test_who_was_removed_does_not_hear_how_much_is_written_since(world):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    _, bob, _, dave = members.devices
    entry = await members.commit(remove=[members.groups[3].own_index])
    members.groups[1].process(entry.body, bob.now)
    for _ in range(3):
        await bob.say(members.groups[1], b"without Dave")
    batch = await members.read(dave)
    assert (batch.head, batch.settled) == (entry.seq, entry.seq)


async def test_a_commit_that_was_not_settled_stays_so_for_who_was_removed_by_it(world):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    entry = await members.commit(remove=[members.groups[3].own_index])
    assert (await members.read(members.devices[3])).settled == entry.seq - 1


@pytest.mark.parametrize("first", ["report", "message"])
async def test_a_commit_is_settled_or_taken_back_and_never_both(world, problem_word, first: str):
    """The last report that it takes and the first message after the commit arrive together."""
    for turn in range(3):
        people = [f"+{12_025_550_140 + 4 * turn + person}" for person in range(4)]  # nobody with a device from before
        members = await Members.of(world, *people)
        _, bob, carol, dave = members.devices
        entry = await members.commit()
        await members.counted(carol, entry)
        members.groups[1].process(entry.body, bob.now)
        message = members.groups[1].encrypt(b"in the new epoch")
        report, said = members.report(dave, entry), bob.append(members.group_id, message)
        if first == "report":
            reported, appended = await asyncio.gather(report, said)
        else:
            appended, reported = await asyncio.gather(said, report)
        kinds = [each.kind for each in (await members.read(dave, entry.seq)).entries]
        if reported.status_code == 201:
            assert reported.json()["rollback"]
            assert (kinds, problem_word(appended)) == (["rollback"], "stale-epoch")
        else:
            assert (appended.status_code, problem_word(reported)) == (201, "settled")
            assert kinds == ["application"]


async def test_a_stranger_hears_nothing_of_what_was_taken_back(world, problem_word):
    members = await Members.of(world, ALICE, BOB)
    entry = await members.commit()
    await members.counted(members.devices[1], entry)
    answer = await members.report(await world.device(CAROL), entry)
    assert (answer.status_code, problem_word(answer)) == (409, "settled")
