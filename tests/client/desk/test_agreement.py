"""What a person sees and can do when the service lies about a chat: marks, words about members, and a new beginning."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from client.defence.lies import MARKS, Lie
from client.defence.words_about_log import PATIENCE
from client.desk.desk import Desk, open_desk
from client.errors import ChatError, ClientError
from identity.number import TelephoneNumber
from lab.lying import LyingTransport, everything, nothing
from tests.client.conftest import PASSPHRASE

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


@dataclass
class Table:
    """Alice and Carol see the truth, Bob what `liar` lets him see."""

    alice: Desk
    bob: Desk
    carol: Desk
    liar: LyingTransport
    group: str = ""

    async def sync(self) -> None:
        for desk in 2 * (self.alice, self.bob, self.carol):  # who posts last is read in the second round
            await desk.device.sync()


@pytest.fixture
async def table(world) -> AsyncIterator[Table]:
    liar = LyingTransport(world.network)
    async with AsyncExitStack() as stack:
        desks = []
        for number, transport in ((ALICE, world.network), (BOB, liar), (CAROL, world.network)):
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=transport, jitter=0, follow=False
            )
            desks.append(await stack.enter_async_context(opening))
            await desks[-1].people.know(ALICE.e164)
            await desks[-1].device.sync()
        yield Table(*desks, liar)


async def gather(table: Table) -> None:
    table.group = (await table.alice.chats.create("Climbing", [BOB.e164, CAROL.e164])).group
    await table.sync()


async def fork(table: Table) -> None:
    """Bob is not shown one message of Alice's; when he writes, Alice learns of it."""
    await gather(table)
    hidden: list[bytes] = []
    table.liar.hide = lambda entry: entry.body in hidden or not (hidden or hidden.append(entry.body))
    await table.alice.messages.send(table.group, "only for Carol")
    await table.sync()
    await table.carol.messages.send(table.group, "for both")
    await table.sync()
    with pytest.raises(ChatError, match="different histories"):
        await table.bob.messages.send(table.group, "an answer")
    await table.bob.messages.send(table.group, "an answer")
    await table.sync()


async def test_agreement_is_told_member_by_member(table: Table) -> None:
    await gather(table)
    await table.bob.messages.send(table.group, "here")
    await table.sync()
    bob, carol = await table.alice.chats.agreement(table.group)
    assert (bob.number, bob.agrees) == (BOB.e164, True)
    assert re.fullmatch(r"✓ agrees up to entry \d+ of epoch \d+", bob.words)
    assert (carol.number, carol.agrees, carol.words) == (CAROL.e164, None, "not heard from yet")


async def test_a_fork_marks_the_chat_for_both_and_names_the_member(table: Table) -> None:
    await fork(table)
    for desk in (table.alice, table.bob, table.carol):
        assert (await desk.chats.get(table.group)).trouble == MARKS[Lie.FORKED]
    (bob, _) = await table.alice.chats.agreement(table.group)
    assert (bob.agrees, bob.words.startswith("✗ was shown another history")) == (False, True)
    findings = [each for each in await table.alice.device.doctor() if each.subject == "log"]
    assert [each.right for each in findings] == [False]
    assert "Climbing" in findings[0].words
    assert "ringtrue begin-again" in findings[0].words


async def test_sending_into_a_forked_chat_asks_once(table: Table) -> None:
    await fork(table)
    with pytest.raises(ChatError) as refused:
        await table.alice.messages.send(table.group, "all the same")
    assert refused.value.code == "forked"
    assert "send it again" in refused.value.hint
    assert (await table.alice.messages.send(table.group, "all the same")).text == "all the same"
    assert (await table.alice.chats.get(table.group)).trouble == MARKS[Lie.FORKED]  # the mark stays


async def test_a_new_chat_with_the_same_people_names_the_old_one(table: Table) -> None:
    await fork(table)
    table.liar.hide = nothing
    new = await table.alice.chats.begin_again(table.group)
    assert new.group != table.group
    assert new.trouble == ""
    assert {member.number for member in await table.alice.chats.members(new.group)} == {
        number.e164 for number in (ALICE, BOB, CAROL)
    }
    notices = [row.text for row in await table.alice.messages.page(new.group) if row.kind == "notice"]
    assert "This chat takes the place of Climbing, of which the service showed members different histories." in notices
    await table.sync()
    await table.alice.messages.send(new.group, "again, then")
    await table.sync()
    assert (await table.bob.messages.page(new.group))[-1].text == "again, then"


async def test_a_withheld_invitation_shows_and_is_mended_by_adding_again(world, table: Table) -> None:
    table.liar.keep_welcomes = everything
    table.group = (await table.alice.chats.create("Climbing", [BOB.e164, CAROL.e164])).group
    await table.sync()
    await table.carol.messages.send(table.group, "I am in")
    await table.sync()
    waited = {member.number: member for member in await table.alice.chats.members(table.group)}
    assert (waited[BOB.e164].awaited, waited[BOB.e164].log) == (True, "not heard from yet")
    assert not waited[CAROL.e164].awaited
    world.clock.now += PATIENCE
    await table.alice.device.sync()
    (bob,) = [member for member in await table.alice.chats.members(table.group) if member.number == BOB.e164]
    assert bob.overdue
    assert "may not have been delivered; add them again" in bob.log
    table.liar.keep_welcomes = nothing
    await table.alice.chats.add_again(table.group, BOB.e164)
    await table.sync()
    await table.bob.messages.send(table.group, "in at last")
    await table.sync()
    assert not any(member.awaited for member in await table.alice.chats.members(table.group))


async def test_who_cannot_be_added_again_is_not_removed(table: Table) -> None:
    await gather(table)
    await table.bob.people.block(ALICE.e164)
    await table.bob.people.mode("contacts")
    with pytest.raises(ClientError) as refused:
        await table.alice.chats.add_again(table.group, BOB.e164)
    assert refused.value.code == "contacts-only"
    assert BOB.e164 in {member.number for member in await table.alice.chats.members(table.group)}


async def test_an_honest_service_leaves_no_finding(table: Table) -> None:
    await gather(table)
    (finding,) = [each for each in await table.bob.device.doctor() if each.subject == "log"]
    assert finding.right
    assert (await table.bob.chats.get(table.group)).trouble == ""
