"""A group ends once: one successor takes its place, or it is deleted; and what a device or a number has deleted."""

import secrets

import msgspec
import pytest
from mls_rs import Group

from delivery_service.storage.operation import note_restored
from delivery_service.wire import JSON_TYPE, MLS_TYPE
from delivery_service.wire.ending import DELETION_NOTICE, DataDeleted, GroupEnd
from identity.groups.group_ending import GroupEnding
from identity.groups.roles import with_admins
from identity.number import TelephoneNumber
from tests.delivery_service.conftest import Device, path_of
from tests.delivery_service.test_roles import device as device_of

# What is written in SQL is to mean the same on both engines.
pytestmark = pytest.mark.parametrize("world", ["folder", "postgresql"], indirect=True)

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


async def end(device: Device, group_id: bytes, successor: bytes = b"", key=None):
    signature = GroupEnding(group_id, successor).sign(key or device.key)
    body = msgspec.json.encode({"successor": successor, "signature": signature})
    return await device.call("POST", f"{path_of(group_id)}/endings", body, JSON_TYPE)


async def founded(device: Device, admins: tuple[str, ...] = ()) -> Group:
    extensions = with_admins((), map(TelephoneNumber.parse, admins)) if admins else []
    group = device.engine.create(secrets.token_bytes(16), device.now, context_extensions=extensions)
    assert (await device.post("/v1/groups", group.group_info(), MLS_TYPE)).status_code == 201
    return group


async def couple(world, admins: tuple[str, ...] = ()) -> tuple[Device, Device, Group, Group]:
    alice, bob = await device_of(world, ALICE), await device_of(world, BOB)
    group = await founded(alice, admins)
    await alice.add(group, BOB)
    return alice, bob, group, (await bob.join())[0]


async def test_exactly_one_successor_wins_and_the_old_group_names_it(world, problem_word):
    alice, bob, group, _ = await couple(world)
    first, second = await alice.create(), await bob.create()
    assert (await end(alice, group.group_id, first.group_id)).status_code == 201
    lost = await end(bob, group.group_id, second.group_id)
    assert (lost.status_code, problem_word(lost)) == (410, "group-ended")
    repeat = await end(alice, group.group_id, first.group_id)
    entry = (await bob.read(group.group_id)).entries[-1]
    assert (entry.kind, repeat.json()["seq"]) == ("successor", entry.seq)
    said = msgspec.msgpack.decode(entry.body, type=GroupEnd)
    assert (said.device, said.successor) == (alice.identity, first.group_id)
    statement = GroupEnding(group.group_id, first.group_id)
    assert statement.is_signed(said.signature, group.member(group.own_index).signature_key)


async def test_nothing_is_appended_to_a_group_that_has_ended(world, problem_word):
    alice, bob, group, joined = await couple(world)
    await end(alice, group.group_id, (await alice.create()).group_id)
    assert problem_word(await bob.append(group.group_id, joined.encrypt(b"late"))) == "group-ended"
    assert problem_word(await bob.commit(joined, joined.commit(bob.now, path=True))) == "group-ended"
    assert problem_word(await bob.append(group.group_id, joined.propose_update(bob.now))) == "group-ended"


async def test_a_successor_is_new_empty_and_the_founders_own(world, problem_word):
    alice, bob, group, _ = await couple(world)
    carol = await world.device(CAROL, packages=1)
    used, foreign = await alice.create(), await bob.create()
    await alice.add(used, CAROL)
    for successor in (used.group_id, foreign.group_id):
        assert problem_word(await end(alice, group.group_id, successor)) == "not-allowed"
    assert problem_word(await end(alice, group.group_id, b"nowhere")) == "unknown-group"
    assert problem_word(await end(carol, group.group_id, (await carol.create()).group_id)) == "not-a-member"


async def test_with_roles_an_admin_ends_a_group_and_a_signature_is_needed(world, problem_word):
    alice, bob, group, _ = await couple(world, (ALICE,))
    assert problem_word(await end(bob, group.group_id, (await bob.create()).group_id)) == "not-allowed"
    assert problem_word(await end(bob, group.group_id)) == "not-allowed"
    assert problem_word(await end(alice, group.group_id, key=bob.key)) == "invalid-signature"
    assert (await end(alice, group.group_id)).status_code == 201


async def test_a_restored_service_says_of_nothing_that_it_is_lost_from_a_group_that_had_ended(world):
    alice, bob, group, _ = await couple(world)
    seq = (await end(alice, group.group_id, (await alice.create()).group_id)).json()["seq"]
    await world.app.state.service.engine.write(note_restored)
    answer = await bob.read_answer(group.group_id, seq)
    assert answer.status_code == 200, answer.text
    batch = await bob.read(group.group_id)
    assert (batch.entries[-1].seq, batch.head, batch.more) == (seq, seq, False)


async def test_without_roles_only_the_last_number_closes_a_group(world, problem_word):
    alice, _, group, _ = await couple(world)
    assert problem_word(await end(alice, group.group_id)) == "not-allowed"
    alone = await alice.create()
    assert (await end(alice, alone.group_id)).json()["deletes_at"] == alice.now


async def test_a_closed_group_vanishes_after_the_notice_and_its_id_is_not_taken_again(world, problem_word):
    alice, bob, group, joined = await couple(world, (ALICE,))
    await bob.say(joined, b"kept until then")
    ended = (await end(alice, group.group_id)).json()
    assert ended["deletes_at"] == alice.now + DELETION_NOTICE
    service = world.app.state.service
    await service.endings.delete_ended(ended["deletes_at"] - 1)
    assert len((await bob.read(group.group_id)).entries) == 2
    await service.endings.delete_ended(ended["deletes_at"])
    answer = await bob.read_answer(group.group_id)
    assert (answer.status_code, problem_word(answer)) == (403, "not-a-member")
    assert (await bob.call("GET", "/v1/groups")).json()["groups"] == {}
    info = alice.engine.create(group.group_id, alice.now).group_info()
    assert problem_word(await alice.post("/v1/groups", info, MLS_TYPE)) == "group-exists"
    left = await service.engine.read(rows_left, group.group_id)
    assert left == 0


def rows_left(tx, group_id: bytes) -> int:
    number = tx.value("SELECT number FROM groups WHERE group_id = :group_id", group_id=group_id)
    tables = ("log", "observers", "memberships", "unsettled", "rejections", "rollbacks")
    return sum(tx.value(f"SELECT count(*) FROM {table} WHERE group_number = :n", n=number) for table in tables)


async def deleted(device: Device, what: str) -> DataDeleted:
    answer = await device.call("POST", "/v1/data-deletions", msgspec.json.encode({"what": what}))
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=DataDeleted)


async def test_a_device_deletes_what_is_kept_for_it_and_nothing_of_others(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=3)
    group = await alice.create()
    await alice.add(group, BOB)
    await alice.publish(1)
    assert await deleted(bob, "device") == DataDeleted(2, 1, 0, 0)
    assert (await bob.inbox()).items == []
    assert (await bob.call("GET", "/v1/key-packages")).json()["available"] == 0
    assert (await alice.call("GET", "/v1/key-packages")).json()["available"] == 1
    assert await deleted(bob, "device") == DataDeleted(0, 0, 0, 0)
    for _ in range(3):
        await bob.open_session()
    assert await deleted(bob, "device") == DataDeleted(0, 0, 3, 0)
    assert [each["number"] for each in (await bob.call("GET", "/v1/openings")).json()["openings"]] == [4]


async def test_a_number_deletes_its_contact_data_and_keeps_its_quota_spent(world):
    alice, bob = await world.device(ALICE, packages=1), await world.device(BOB, packages=1)
    await bob.choose("ask", CAROL)
    assert (await alice.ask(BOB)).status_code == 201
    assert (await deleted(alice, "number")).contacts == 0
    assert (await alice.ask(BOB)).json()["type"].endswith("already-asked")
    assert (await deleted(bob, "device")).contacts == 0
    assert (await deleted(bob, "number")).contacts == 3  # the mode, the grant and the request
    assert (await bob.contact_requests()).asked == []
    assert (await bob.call("GET", "/v1/contact-mode")).json()["mode"] == "open"


async def test_nonsense_is_refused(world, problem_word):
    alice, _, group, _ = await couple(world)
    for body in (b"", b"{}", b'{"successor":"AA"}', b'{"signature":"' + b"A" * 400 + b'"}'):
        answer = await alice.call("POST", f"{path_of(group.group_id)}/endings", body, JSON_TYPE)
        assert problem_word(answer) == "malformed"
    assert problem_word(await alice.call("POST", "/v1/data-deletions", b'{"what":"all"}')) == "malformed"
