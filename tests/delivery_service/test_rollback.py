"""Who may have a commit taken back, when, and what is as before then: one test for each rule."""

import hashlib

import msgspec
import pytest
from mls_rs import Group

from delivery_service.wire import JSON_TYPE, Entry, EntryBatch
from delivery_service.wire.rollback import ROLLBACK_PENALTY, ROLLBACK_WINDOW, RejectionCounted, Rollback
from identity.groups.rejected_commit import RejectedCommit
from tests.delivery_service.conftest import Device, path_of

# What is written in SQL is to mean the same on both engines.
pytestmark = pytest.mark.parametrize("world", ["folder", "postgresql"], indirect=True)

ALICE, BOB, CAROL, DAVE, EVE = (f"+1202555014{n}" for n in (2, 3, 4, 5, 6))


class Members:
    """Devices in one group; the first has founded it and added the others, of whom the last has settled that."""

    def __init__(self, devices: list[Device], groups: list[Group]) -> None:
        self.devices = devices
        self.groups = groups
        self.group_id = groups[0].group_id

    @classmethod
    async def of(cls, world, *numbers: str) -> "Members":
        founder, *others = [await world.device(number, packages=3) for number in numbers]
        group = await founder.create()
        await founder.add(group, *numbers[1:])
        joined = [(await other.join())[0] for other in others]
        await others[-1].say(joined[-1], b"settles it")
        return cls([founder, *others], [group, *joined])

    async def commit(self, maker: int = 0, **changes) -> Entry:
        """A commit as the log has it; nobody's state follows it."""
        device, group = self.devices[maker], self.groups[maker]
        answer = await device.commit(group, group.commit(device.now, path=True, **changes))
        assert answer.status_code == 201, answer.text
        seq = answer.json()["seq"]
        return next(each for each in (await self.read(device)).entries if each.seq == seq)

    async def read(self, device: Device, after: int = 0) -> EntryBatch:
        return await device.read(self.group_id, after)

    async def report(self, device: Device, entry: Entry, **changes):
        """Report an entry; `changes` say what is different about the report."""
        digest = changes.get("digest", hashlib.sha256(entry.body).digest())
        named = RejectedCommit(self.group_id, entry.epoch, entry.seq, digest)
        body = {
            "seq": entry.seq,
            "commit": digest,
            "signature": named.sign(changes.get("key", device.key)),
        }
        path = f"{path_of(self.group_id)}/rejections"
        return await device.call("POST", path, msgspec.json.encode(body | changes.get("body", {})), JSON_TYPE)

    async def counted(self, device: Device, entry: Entry) -> RejectionCounted:
        answer = await self.report(device, entry)
        assert answer.status_code == 201, answer.text
        return msgspec.json.decode(answer.content, type=RejectionCounted)


async def test_rule_1_a_commit_that_another_device_went_on_from_stands(world, problem_word):
    members = await Members.of(world, ALICE, BOB, CAROL)
    _, bob, carol = members.devices
    entry = await members.commit()
    assert (await members.read(bob)).settled == entry.seq - 1
    members.groups[1].process(entry.body, bob.now)
    await bob.say(members.groups[1], b"in the new epoch")
    assert (await members.read(bob)).settled == entry.seq + 1
    answer = await members.report(carol, entry)
    assert (answer.status_code, problem_word(answer)) == (409, "settled")


async def test_rule_1_its_own_maker_settles_nothing(world):
    members = await Members.of(world, ALICE, BOB, CAROL)
    alice, bob, carol = members.devices
    pending = members.groups[0].commit(alice.now, path=True)
    seq = (await alice.commit(members.groups[0], pending)).json()["seq"]
    members.groups[0].apply(pending.secrets)
    await alice.say(members.groups[0], b"to nobody")
    entry = next(each for each in (await members.read(bob)).entries if each.seq == seq)
    await members.counted(bob, entry)
    assert (await members.counted(carol, entry)).rollback == seq + 2


async def test_rule_2_a_commit_stands_when_its_time_is_over(world, problem_word):
    members = await Members.of(world, ALICE, BOB, CAROL)
    _, bob, carol = members.devices
    entry = await members.commit()
    world.clock.now += ROLLBACK_WINDOW
    await bob.open_session()
    assert (await members.counted(bob, entry)).reports == 1
    world.clock.now += 1
    await carol.open_session()
    assert problem_word(await members.report(carol, entry)) == "settled"


async def test_rule_2_a_commit_long_after_the_first_begins_anew(world, problem_word):
    members = await Members.of(world, ALICE, BOB, CAROL)
    alice, bob, carol = members.devices
    pending = members.groups[0].commit(alice.now, path=True)
    first = (await alice.commit(members.groups[0], pending)).json()["seq"]
    members.groups[0].apply(pending.secrets)
    world.clock.now += ROLLBACK_WINDOW + 1
    for device in members.devices:
        await device.open_session()
    second = await members.commit()
    assert (await members.read(bob)).settled == second.seq - 1
    entry = next(each for each in (await members.read(bob)).entries if each.seq == first)
    assert problem_word(await members.report(bob, entry)) == "settled"
    await members.counted(bob, second)
    assert (await members.counted(carol, second)).rollback


@pytest.mark.parametrize("changes", [{"digest": b"x" * 32}, {"body": {"seq": 1}}, {"body": {"seq": 99}}])
async def test_rule_3_a_report_names_exactly_this_commit(world, problem_word, changes):
    members = await Members.of(world, ALICE, BOB)
    entry = await members.commit()
    answer = await members.report(members.devices[1], entry, **changes)
    assert problem_word(answer) in ("unknown-commit", "invalid-signature")
    assert (await members.read(members.devices[1])).head == entry.seq


async def test_rule_4_neither_the_maker_nor_who_was_removed_or_added_nor_a_stranger_reports(world, problem_word):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = members.devices
    eve, frank = await world.device(EVE, packages=1), await world.device("+12025550147")
    packages = await alice.claim(EVE)
    entry = await members.commit(add=packages, remove=[members.groups[3].own_index])
    for device in (alice, dave, eve, frank):
        answer = await members.report(device, entry)
        assert (answer.status_code, problem_word(answer)) == (403, "not-allowed")
    counted = await members.counted(bob, entry)
    assert (counted.reports, counted.of) == (1, 2)
    assert (await members.counted(carol, entry)).rollback == entry.seq + 1


async def test_rule_5_a_report_is_signed_by_its_device(world, problem_word):
    members = await Members.of(world, ALICE, BOB)
    alice, bob = members.devices
    entry = await members.commit()
    for changes in ({"key": alice.key}, {"body": {"signature": b""}}, {"body": {"signature": b"x" * 71}}):
        answer = await members.report(bob, entry, **changes)
        assert (answer.status_code, problem_word(answer)) == (401, "invalid-signature")


async def test_rule_6_a_repeat_counts_once(world):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    entry = await members.commit()
    for _ in range(3):
        counted = await members.counted(members.devices[1], entry)
        assert (counted.reports, counted.of, counted.rollback) == (1, 3, 0)


async def test_a_report_that_comes_too_late_or_again_gets_the_answer_of_the_last_one(world):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    entry = await members.commit()
    await members.counted(members.devices[1], entry)
    last = await members.counted(members.devices[2], entry)
    assert (last.reports, last.of, last.rollback) == (2, 3, entry.seq + 1)
    assert [await members.counted(device, entry) for device in members.devices[2:]] == [last, last]


async def test_rule_7_more_than_half_of_the_others_take_a_commit_back(world):
    two = await Members.of(world, ALICE, BOB)
    assert (await two.counted(two.devices[1], await two.commit())).rollback
    three = await Members.of(world, ALICE, BOB, CAROL)
    entry = await three.commit()
    assert not (await three.counted(three.devices[1], entry)).rollback  # one of two is not more than half
    assert (await three.counted(three.devices[2], entry)).rollback


async def test_the_entry_says_who_reported_and_everything_is_as_it_was(world):
    members = await Members.of(world, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = members.devices
    eve = await world.device(EVE, packages=1)
    packages = await alice.claim(EVE)
    entry = await members.commit(add=packages, remove=[members.groups[3].own_index])
    assert len((await eve.inbox()).items) == 1
    await members.counted(bob, entry)
    await members.counted(carol, entry)
    for device in (alice, bob, carol, dave):
        last = (await members.read(device)).entries[-1]
        said = msgspec.msgpack.decode(last.body, type=Rollback)
        assert (last.kind, last.seq, said.seq, said.epoch, said.of) == (
            "rollback", entry.seq + 1, entry.seq, entry.epoch, 2,
        )  # fmt: skip
        assert {report.device for report in said.reports} == {bob.identity, carol.identity}
    assert [each.kind for each in (await members.read(eve, entry.seq)).entries] == ["rollback"]
    assert (await eve.inbox()).items == []
    await dave.say(members.groups[3], b"a member as before")
    world.clock.now += ROLLBACK_PENALTY
    for device in (alice, eve):
        await device.open_session()
    again = await alice.commit(members.groups[0], members.groups[0].commit(alice.now, add=packages))
    assert again.status_code == 201, again.text  # the key package is unused as before
    assert [item.seq for item in (await eve.inbox()).items] == [last.seq + 2]


async def test_who_made_it_commits_nothing_for_a_while_and_others_do(world, problem_word):
    members = await Members.of(world, ALICE, BOB)
    alice, bob = members.devices
    await members.counted(bob, await members.commit())
    pending = members.groups[0].commit(alice.now, path=True)
    refused = await alice.commit(members.groups[0], pending)
    assert (problem_word(refused), refused.json()["limit_name"]) == ("not-allowed", "ROLLBACK_PENALTY")
    world.clock.now += ROLLBACK_PENALTY
    await alice.open_session()
    assert (await alice.commit(members.groups[0], pending)).status_code == 201


async def test_a_repeat_of_what_was_taken_back_gets_its_first_answer_and_changes_nothing(world):
    members = await Members.of(world, ALICE, BOB)
    alice, bob = members.devices
    pending, key = members.groups[0].commit(alice.now, path=True), "ab" * 16
    first = await alice.commit(members.groups[0], pending, key)
    entry = (await members.read(bob)).entries[-1]
    await members.counted(bob, entry)
    assert (await alice.commit(members.groups[0], pending, key)).content == first.content
    assert (await members.read(bob)).head == entry.seq + 1


async def test_an_unknown_group_and_nonsense_are_refused(world, problem_word):
    members = await Members.of(world, ALICE, BOB)
    entry = await members.commit()
    members.group_id = b"nowhere"
    assert problem_word(await members.report(members.devices[1], entry)) == "unknown-group"
    path = f"{path_of(members.groups[0].group_id)}/rejections"
    for body in (b"", b"{}", b'{"seq":-1,"commit":"","signature":""}', b'{"seq":' + b"9" * 40 + b"}"):
        assert problem_word(await members.devices[1].call("POST", path, body, JSON_TYPE)) == "malformed"
