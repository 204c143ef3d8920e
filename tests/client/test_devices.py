"""Several devices of one number: each is in every chat, what one sends is the person's own, and one can be removed."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client.desk.desk import Desk
from client.errors import ChatError, GroupRefusedError
from client.events import MessageReceived
from client.session import Session
from client.storage.home import Home
from identity.certificates import public_point
from identity.device import spki_hash

from .conftest import ALICE, BOB, CAROL, World


def desk_of(session: Session, world: World) -> Desk:
    return Desk(session, Home(Path(world.folder)), world.clock)


async def own_device(world: World, stack: AsyncExitStack, first: Session, folder: str = "tablet") -> Session:
    """A second device of a person, linked: each knows the other's key, and it is to come into every chat."""
    second = await stack.enter_async_context(world.holder(first.account.number, folder))
    now = int(world.clock())
    identity = await first.worker.run(first.steps.siblings.grant, key_of(second), folder, now)
    await second.worker.run(second.steps.continuity.link_own, first.steps.continuity.own, now)
    await first.worker.run(first.steps.siblings.ready, identity, now)
    await first.devices.extend()
    await second.receive()
    return second


def key_of(session: Session) -> str:
    return spki_hash(public_point(session.account.key.public_key()))


async def texts(session: Session, group_id: bytes) -> list[tuple[str, str, str | None]]:
    rows = await session.history(group_id)
    return [(row.kind, row.text, row.state) for row in rows if row.kind in ("sent", "received")]


async def notices(session: Session, group_id: bytes) -> list[str]:
    return [row.text for row in await session.history(group_id) if row.kind == "notice"]


async def accepted(world: World, session: Session, group_id: bytes) -> None:
    await session.receive()
    await desk_of(session, world).people.accept(group_id.hex())


async def test_a_linked_device_comes_into_every_chat_and_contacts_see_one_quiet_line(world, stack):
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    plans, direct = await alice.create_chat("plans", [BOB, CAROL]), await alice.create_chat(None, [BOB])
    for session, chats in ((bob, (plans, direct)), (carol, (plans,))):
        for chat in chats:
            await accepted(world, session, chat.group_id)
    before = await notices(bob, direct.group_id)

    tablet = await own_device(world, stack, alice)

    assert {chat.group_id for chat in await tablet.chats()} == {plans.group_id, direct.group_id}
    assert (await tablet.find_chat(str(BOB))).group_id == direct.group_id
    await bob.receive()
    assert await notices(bob, direct.group_id) == [*before, f"{ALICE} added another device."]
    keys = await desk_of(bob, world).people.keys(ALICE.e164)
    assert [(key.met, key.named) for key in keys] == [(True, True)] * 2
    assert await alice.worker.run(alice.steps.siblings.missing) == []


async def test_what_one_device_sends_is_ones_own_on_the_other(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat(None, [BOB])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)

    sent = await tablet.send(chat.group_id, "from the tablet")
    await alice.receive()
    await bob.receive()

    assert await texts(alice, chat.group_id) == [("sent", "from the tablet", None)]
    assert await texts(bob, chat.group_id) == [("received", "from the tablet", None)]
    (row,) = [each for each in await desk_of(alice, world).messages.page(chat.group_id.hex()) if each.kind == "sent"]
    assert (row.state, row.proof, row.key) == ("elsewhere", None, "")
    view = await desk_of(alice, world).chats.get(chat.group_id.hex())
    assert view.unread == 0
    inspected = await desk_of(alice, world).messages.inspect(row.row)
    assert inspected.sentence.startswith("Whoever wrote this had the key")
    assert sent.message_id == row.id


async def test_replies_edits_reactions_and_withdrawals_go_between_ones_devices(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat(None, [BOB])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)
    phone, other = desk_of(alice, world), desk_of(tablet, world)
    group = chat.group_id.hex()
    first = await tablet.send(chat.group_id, "at seven")
    await alice.receive()
    mine = (await phone.messages.find(first.message_id)).row

    await phone.messages.edit(mine, "at eight")
    await alice.sync()
    await tablet.receive()
    edited = await other.messages.find(first.message_id)
    assert (edited.text, edited.own, edited.proof) == ("at eight", True, None)

    reply = await other.messages.send(group, "or nine", reply_to=first.id)
    await tablet.sync()
    await alice.receive()
    assert (await phone.messages.find(reply.id)).reply.text == "at eight"

    await phone.messages.react(mine, "👍")
    await alice.sync()
    await tablet.receive()
    assert [each.own for each in (await other.messages.find(first.message_id)).reactions] == [True]

    await other.messages.delete(first.id)
    await tablet.sync()
    await alice.receive()
    assert (await phone.messages.find(first.message_id)).withdrawn
    await bob.receive()
    assert (await desk_of(bob, world).messages.find(first.message_id)).withdrawn


async def test_a_chat_that_one_device_begins_has_the_other_in_it(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    tablet = await own_device(world, stack, alice)

    chat = await tablet.create_chat("from the tablet", [BOB])

    await alice.receive()
    assert (await alice.find_chat(chat.group_id.hex())).group_id == chat.group_id
    assert [str(number) for number in await tablet.members(chat.group_id)] == [str(ALICE), str(ALICE), str(BOB)]
    await bob.receive()
    await bob.send(chat.group_id, "to both of you")
    for session in (alice, tablet):
        assert [each.message.text for each in await session.receive() if isinstance(each, MessageReceived)]


async def test_where_there_are_admins_anybody_adds_and_removes_devices_of_their_own(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("club", [BOB], admins=[ALICE])
    await accepted(world, bob, chat.group_id)

    tablet = await own_device(world, stack, bob)

    assert len(await bob.members(chat.group_id)) == 3
    await tablet.send(chat.group_id, "I am no admin")
    await alice.receive()
    assert ("received", "I am no admin", None) in await texts(alice, chat.group_id)
    await world.people(stack, CAROL)
    with pytest.raises(GroupRefusedError, match="no admin of this chat"):
        await tablet.add(chat.group_id, [CAROL])
    await bob.devices.remove(own_key(tablet))
    await alice.receive()
    assert len(await alice.members(chat.group_id)) == 2
    assert (await notices(alice, chat.group_id))[-1] == f"{BOB} removed another device."


def own_key(session: Session) -> str:
    return session.steps.continuity.own.partition(b"/")[2].decode()


async def test_the_members_of_a_chat_tell_this_device_from_ones_others(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    tablet = await own_device(world, stack, alice)
    for session, other in ((alice, tablet), (tablet, alice)):
        members = await desk_of(session, world).chats.members(chat.group_id.hex())
        assert [(each.you, each.state, each.met) for each in members if each.number == ALICE.e164] == [
            (True, "valid", True)
        ] * 2
        assert [each.key for each in members if each.other_device] == [own_key(other)]


async def test_a_person_leaves_with_all_their_devices(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)

    await tablet.leave(chat.group_id)

    await bob.receive()
    assert await bob.members(chat.group_id) == [BOB]
    for session, standing in ((alice, "removed"), (tablet, "left")):
        await session.receive()
        assert (await session.find_chat(chat.group_id.hex())).standing == standing


async def test_the_only_admin_keeps_every_device_until_there_is_another_one(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("club", [BOB], admins=[ALICE])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)
    with pytest.raises(ChatError) as refused:
        await tablet.leave(chat.group_id)
    assert refused.value.code == "last-admin"
    assert len(await tablet.members(chat.group_id)) == 3


async def test_a_request_that_one_device_accepts_brings_the_other_in(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await bob.create_chat("hello", [ALICE])
    await alice.receive()
    tablet = await own_device(world, stack, alice)
    assert await tablet.chats() == []

    await desk_of(alice, world).people.accept(chat.group_id.hex())
    await alice.sync()

    await tablet.receive()
    assert [each.group_id for each in await tablet.chats()] == [chat.group_id]


async def test_a_device_that_was_invited_with_the_other_is_not_said_to_be_missing(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await own_device(world, stack, alice)
    chat = await bob.create_chat("hello", [ALICE])
    await alice.receive()

    await desk_of(alice, world).people.accept(chat.group_id.hex())

    (tablet,) = [each for each in await desk_of(alice, world).devices.all() if not each.this]
    assert (tablet.chats, tablet.left_out) == (["hello"], [])


async def test_a_removed_device_hears_nothing_more(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    chats = [await alice.create_chat("one", [BOB]), await alice.create_chat("two", [BOB])]
    tablet = await own_device(world, stack, alice)
    assert len(await tablet.chats()) == 2

    await alice.devices.remove(own_key(tablet)[:8])

    for chat in chats:
        assert [str(number) for number in await alice.members(chat.group_id)] == [str(ALICE), str(BOB)]
        await alice.send(chat.group_id, "without the tablet")
    heard = [each.message.text for each in await tablet.receive() if isinstance(each, MessageReceived)]
    assert heard == []
    assert (await notices(tablet, chats[0].group_id))[-1] == f"{ALICE} removed this device."


async def test_no_device_removes_itself_or_what_it_does_not_know(world, stack):
    (alice,) = await world.people(stack, ALICE)
    for key, code in ((own_key(alice), "this-device"), ("ffff", "unknown-device"), ("", "unknown-device")):
        with pytest.raises(ChatError) as refused:
            await alice.devices.remove(key)
        assert refused.value.code == code
        assert refused.value.hint


async def test_a_linked_device_raises_no_alarm_and_a_strange_one_still_does(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    await own_device(world, stack, alice)
    await alice.maintain()
    assert await alice.worker.run(alice.steps.alarms.waiting) == 0
    assert len(await alice.devices.all(ask=True)) == 2

    await stack.enter_async_context(world.holder(ALICE, "a thief of the code"))

    await alice.maintain()
    assert [each.kind for each in await desk_of(alice, world).device.alarms()] == ["certificate"]


async def test_a_removed_device_alarms_only_when_it_is_certified_again(world, stack):
    (alice,) = await world.people(stack, ALICE)
    tablet = await own_device(world, stack, alice)
    await alice.devices.remove(own_key(tablet))
    await alice.maintain()
    assert await desk_of(alice, world).device.alarms() == []


async def test_a_crash_between_two_chats_leaves_none_out(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    for name in ("one", "two", "three"):
        await alice.create_chat(name, [BOB])
    tablet = await stack.enter_async_context(world.holder(ALICE, "tablet"))
    identity = await alice.worker.run(alice.steps.siblings.grant, key_of(tablet), "tablet", int(world.clock()))
    await alice.worker.run(alice.steps.siblings.ready, identity, int(world.clock()))
    world.network.down.add("delivery.test")
    await alice.devices.extend()
    assert len(await alice.worker.run(alice.steps.siblings.missing)) == 3
    world.network.down.clear()
    world.clock.now += 61

    await alice.sync()

    assert await alice.worker.run(alice.steps.siblings.missing) == []
    await tablet.worker.run(tablet.steps.continuity.link_own, alice.steps.continuity.own, int(world.clock()))
    await tablet.receive()
    assert len(await tablet.chats()) == 3


async def test_a_device_that_was_granted_and_is_late_comes_in_by_itself(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    await alice.create_chat("one", [BOB])
    tablet = await stack.enter_async_context(world.holder(ALICE, "tablet"))
    identity = await alice.worker.run(alice.steps.siblings.grant, key_of(tablet), "tablet", int(world.clock()))
    (granted,) = [each for each in await desk_of(alice, world).devices.all() if not each.this]
    assert granted.words == "linked with this one, and not ready yet"

    world.clock.now += 3601
    await alice.sync()

    assert await alice.worker.run(alice.steps.siblings.granted) == []
    assert await alice.worker.run(alice.steps.siblings.chats_of, identity)


async def test_a_grant_that_is_taken_back_leaves_no_certificate_and_no_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    tablet = await stack.enter_async_context(world.holder(ALICE, "tablet"))
    identity = await alice.worker.run(alice.steps.siblings.grant, key_of(tablet), "tablet", int(world.clock()))

    await alice.devices.take_back(identity)

    assert len(await alice.devices.held()) == 1
    await alice.maintain()
    assert await desk_of(alice, world).device.alarms() == []
    assert [each.this for each in await alice.devices.all(ask=True)] == [True]


async def test_the_list_says_of_each_device_in_which_state_it_is_and_where(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    await alice.create_chat("one", [BOB])
    tablet = await own_device(world, stack, alice)

    this, other = await desk_of(alice, world).devices.all(ask=True)

    assert (this.this, this.state, this.words, this.chats) == (True, "valid", "this device", ["one"])
    assert (other.this, other.state, other.name, other.chats) == (False, "valid", "tablet", ["one"])
    assert other.key == own_key(tablet)
    world.clock.now += 8 * 86_400
    await alice.maintain()
    _, other = await desk_of(alice, world).devices.all()
    assert other.state == "expired"
