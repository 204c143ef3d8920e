"""People talk: real clients, the real authority and the real delivery service."""

from contextlib import AsyncExitStack

import pytest

from client.errors import ChatError, ClientError, GroupRefusedError, NotFoundError
from client.events import ChatJoined, ChatNamed, Gap, MembersChanged, MessageDelivered, MessageReceived
from client.invitations import check_key_package
from client.records.chats import Standing
from identity.binding import Verdict
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


async def test_two_people_exchange_verified_messages(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    message = await alice.send(chat.group_id, "hello")
    assert message.state == "delivered"
    events = await bob.receive()
    assert [type(event) for event in events] == [ChatJoined, ChatNamed, MessageReceived]
    received = events[-1].message
    assert (received.text, received.sender, received.chat) == ("hello", ALICE, "dinner")
    assert received.verification.verdict is Verdict.VERIFIED
    assert received.verification.number == ALICE
    answer = await bob.send(chat.group_id, "hello yourself")
    assert answer.state == "delivered"
    (event,) = await alice.receive()
    assert event.message.text == "hello yourself"
    assert event.message.verification.verdict is Verdict.VERIFIED


async def test_three_people_and_changes_of_membership(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("three", [BOB])
    await bob.receive()
    await bob.add(chat.group_id, [CAROL])
    events = await alice.receive()
    assert [(event.committer, event.added) for event in events] == [(BOB, (CAROL,))]
    joined = (await carol.receive())[0]
    assert isinstance(joined, ChatJoined)
    assert joined.members == (ALICE, BOB, CAROL)
    await carol.send(chat.group_id, "all three")
    for other in (alice, bob):
        (received,) = (event for event in await other.receive() if isinstance(event, MessageReceived))
        assert received.message.verification.verdict is Verdict.VERIFIED

    await alice.remove(chat.group_id, [BOB])
    (changed,) = (event for event in await bob.receive() if isinstance(event, MembersChanged))
    assert changed.removed_self
    assert (await bob.find_chat(chat.group_id.hex())).standing is Standing.REMOVED
    await carol.send(chat.group_id, "without Bob")
    assert await bob.receive() == []
    assert [event.message.text for event in await alice.receive() if isinstance(event, MessageReceived)] == [
        "without Bob"
    ]


async def test_leaving_closes_the_chat_once_another_member_committed_it(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("leaving", [BOB, CAROL])
    await bob.receive()
    await carol.receive()
    await bob.leave(chat.group_id)
    assert (await bob.find_chat(chat.group_id.hex())).standing is Standing.LEAVING
    with pytest.raises(ChatError):
        await bob.send(chat.group_id, "too late")
    await alice.receive()
    await carol.receive()
    await bob.receive()
    assert (await bob.find_chat(chat.group_id.hex())).standing is Standing.LEFT
    assert await alice.members(chat.group_id) == [ALICE, CAROL]
    assert await carol.members(chat.group_id) == [ALICE, CAROL]
    assert (await bob.history(chat.group_id))[-1].text == "You left."
    for other in (alice, carol):
        assert (await other.history(chat.group_id))[-1].text == "+1 202-555-0143 left."
    await alice.send(chat.group_id, "he has left")
    assert await bob.receive() == []


async def test_a_removed_member_can_come_back(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("again", [BOB])
    await bob.receive()
    await alice.remove(chat.group_id, [BOB])
    await bob.receive()
    await alice.add(chat.group_id, [BOB])
    assert isinstance((await bob.receive())[0], ChatJoined)
    await bob.send(chat.group_id, "back")
    (received,) = await alice.receive()
    assert received.message.text == "back"


async def test_offline_messages_wait_unencrypted_and_are_sent_in_order(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("offline", [BOB])
    await bob.receive()
    world.network.down.add("delivery.test")
    first = await bob.send(chat.group_id, "one")
    second = await bob.send(chat.group_id, "two")
    assert (first.state, second.state) == ("sending", "queued")
    world.network.down.clear()
    await alice.refresh(chat.group_id)  # the group moves on: what Bob encrypted is stale
    world.clock.now += 3600
    events = await bob.receive()
    assert [event.message for event in events if isinstance(event, MessageDelivered)] == [first.id, second.id]
    received = [event.message for event in await alice.receive()]
    assert [message.text for message in received] == ["one", "two"]
    assert {message.verification.verdict for message in received} == {Verdict.VERIFIED}


async def test_certificates_are_renewed_early_and_a_group_gets_the_new_one_before_a_message(
    world, stack: AsyncExitStack
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("renewal", [BOB])
    await bob.receive()
    old = alice.account.chain
    world.clock.now += 5 * 86400
    await alice.receive()
    assert alice.account.chain != old
    assert not [event for event in await bob.receive() if isinstance(event, MembersChanged)]
    world.clock.now += 4 * 86400
    await alice.receive()
    await alice.send(chat.group_id, "after the old certificate ended")
    events = await bob.receive()
    assert [event.renewed for event in events if isinstance(event, MembersChanged)] == [(ALICE,)]
    (message,) = (event.message for event in events if isinstance(event, MessageReceived))
    assert message.verification.verdict is Verdict.VERIFIED


async def test_a_restart_goes_on_where_it_was(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("restart", [BOB])
    await bob.receive()
    await alice.send(chat.group_id, "before")
    await stack.aclose()
    async with world.open(BOB) as bob, world.open(ALICE) as alice:
        await bob.receive()
        await bob.send(chat.group_id, "after")
        await alice.receive()
        texts = [message.text for message in await alice.history(chat.group_id) if message.kind == "received"]
        assert texts == ["after"]
        assert [message.text for message in await bob.history(chat.group_id) if message.text == "before"] == ["before"]


async def test_a_store_restored_from_an_old_copy_uses_no_message_key_again(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("copies", [BOB])
    await bob.receive()
    await alice.receive()
    await stack.aclose()
    copied = {path: path.read_bytes() for path in world.home(BOB).iterdir()}
    async with world.open(BOB) as bob:
        await bob.send(chat.group_id, "sent after the copy was made")
    for path, octets in copied.items():
        path.write_bytes(octets)
    async with world.open(BOB) as bob, world.open(ALICE) as alice:
        message = await bob.send(chat.group_id, "sent by the old copy")
        assert message.state == "delivered"
        events = await alice.receive()
        assert not [event for event in events if isinstance(event, Gap)]
        # The old copy saw in the log that it is old, and took new keys before it sent anything.
        assert [type(event) for event in events] == [MessageReceived, MembersChanged, MessageReceived]
        assert [row.kind for row in await bob.history(chat.group_id)].count("gap") == 1


async def test_inviting_by_a_key_package_of_somebody_else_is_refused(world, stack: AsyncExitStack) -> None:
    alice, bob, _ = await world.people(stack, ALICE, BOB, CAROL)
    carols = await bob.delivery.claim_key_packages(CAROL)
    with pytest.raises(GroupRefusedError, match="handed out a key package of"):
        await alice.worker.run(check_key_package, alice.steps.groups, carols[0], BOB, int(world.clock()))


async def test_nobody_can_be_added_twice_or_removed_without_being_there(world, stack: AsyncExitStack) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("once", [BOB])
    with pytest.raises(ChatError):
        await alice.add(chat.group_id, [BOB])
    with pytest.raises(ChatError):
        await alice.remove(chat.group_id, [CAROL])
    with pytest.raises(NotFoundError):
        await alice.add(chat.group_id, [CAROL])


async def test_an_account_whose_certificate_ended_long_ago_enrols_again_and_keeps_its_chats(
    world, stack: AsyncExitStack
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("long ago", [BOB])
    await bob.receive()
    for _ in range(16):  # to the end of RENEWAL_GRACE
        world.clock.now += 3 * 86_400
        await alice.receive()
    with pytest.raises(ClientError):
        await bob.receive()
    await stack.aclose()
    before = bob.account
    after = await world.enrol(BOB)
    assert (after.chain != before.chain, after.scalar()) == (True, before.scalar())
    async with world.open(BOB) as bob, world.open(ALICE) as alice:
        await bob.receive()
        await bob.send(chat.group_id, "here again")
        events = await alice.receive()
        assert not [event for event in events if isinstance(event, Gap)]
        (message,) = (event.message for event in events if isinstance(event, MessageReceived))
        assert message.verification.verdict is Verdict.VERIFIED


async def test_a_message_is_signed_with_the_certificate_that_the_group_knows(world, stack: AsyncExitStack) -> None:
    """Between a renewal and the commit that brings it to a group, the group's members know the old certificate."""
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("renewal", [BOB])
    await bob.receive()
    world.clock.now += 5 * 86400
    await alice._upkeep.run(now=True)

    def drop_rotation() -> None:
        for intent in alice.steps.intents.of(chat.group_id):
            alice.steps.intents.settle(intent.id)

    await alice.worker.run(drop_rotation)
    await alice.send(chat.group_id, "not rotated yet")
    (message,) = (event.message for event in await bob.receive() if isinstance(event, MessageReceived))
    assert message.verification.verdict is Verdict.VERIFIED


async def test_a_joined_chat_is_named_by_the_number_of_who_added_until_its_name_is_known(
    world, stack: AsyncExitStack
) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("Club", [BOB])
    joined, named, *_ = await bob.receive()
    assert (joined.name, named.name) == ("+1 202-555-0142", "Club")
    other = await bob.create_chat("other", [CAROL])
    await carol.receive()
    await carol.create_chat("club", [BOB])
    names = [event.name for event in await bob.receive() if isinstance(event, ChatNamed)]
    assert names == ["club 2"], "the case of letters must not decide between two chats"
    assert (await bob.find_chat("CLUB")).group_id == chat.group_id != other.group_id


async def test_two_who_leave_at_once_both_get_out(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("both", [BOB])
    await bob.receive()
    await alice.receive()
    for session in (alice, bob):
        await session.worker.run(session.steps.committer.leave, chat.group_id)
    for _ in range(3):
        await alice.receive()
        await bob.receive()
    for session in (alice, bob):
        assert (await session.find_chat("both")).standing is Standing.LEFT
        assert await session.worker.run(session.steps.intents.of, chat.group_id) == []
    notices = {row.text for session in (alice, bob) for row in await session.history(chat.group_id)}
    assert "You left." in notices
    assert not [text for text in notices if "removed" in text]


async def test_two_of_three_who_leave_at_once_both_get_out(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("three", [BOB, CAROL])
    for session in (bob, carol, alice):
        await session.receive()
    for session in (alice, bob):
        await session.worker.run(session.steps.committer.leave, chat.group_id)
    for _ in range(3):
        await alice.receive()
        await bob.receive()
    await carol.receive()
    for session in (alice, bob):
        await session.receive()
        assert (await session.find_chat("three")).standing is Standing.LEFT
    assert await carol.members(chat.group_id) == [CAROL]
    told = [row.text for row in await carol.history(chat.group_id) if row.kind == "notice"]
    assert sorted(told[1:]) == ["+1 202-555-0142 left.", "+1 202-555-0143 left."]
