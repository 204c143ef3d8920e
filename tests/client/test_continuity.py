"""A number that changes hands: the new holder is a new person under it, and the old one stays who they were."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mls_rs import Member

from client.credentials.enrolment import EnrolmentClient
from client.desk.desk import Desk
from client.errors import ChatError, NewKeyError, ServiceError
from client.events import Gap, MessageReceived
from client.records.intents import AddMembers
from client.records.outbox import new_idempotency_key
from client.services.delivery import DeliveryClient
from client.session import Session
from client.steps.device import number_of
from client.storage.home import Home
from delivery_service.wire import CommitBundle, Entry
from identity.base64url import decode_base64url
from identity.number import TelephoneNumber
from lab.mallory import Credentials, raw_engine

from .conftest import ALICE, AUTHORITY, BOB, CAROL, DELIVERY, World


def desk_of(session: Session, world: World) -> Desk:
    return Desk(session, Home(Path(world.folder)), world.clock)


async def recycled(world: World, stack: AsyncExitStack) -> tuple[Session, Session, Session]:
    """Alice and Bob have talked; then Bob's number is somebody else's, who is enrolled with it."""
    alice, bob = await world.people(stack, ALICE, BOB)
    await desk_of(alice, world).chats.direct(BOB.e164)
    await desk_of(alice, world).people.name(BOB.e164, "Bob")
    await bob.receive()
    for request in await desk_of(bob, world).people.requests():
        await desk_of(bob, world).people.accept(request.group)
    world.clock.now += 86_400
    other = await stack.enter_async_context(world.holder(BOB, "the new holder"))
    return alice, bob, other


async def test_the_new_holder_of_a_number_is_a_request_at_its_contact(world, stack):
    alice, _, other = await recycled(world, stack)
    chat = await other.create_chat(None, [ALICE])
    await other.send(chat.group_id, "hello, it is me")
    await alice.receive()
    desk = desk_of(alice, world)

    (request,) = await desk.people.requests()
    assert request.new_key
    assert request.number == BOB.e164
    assert request.why == (
        f"The number of Bob, {BOB}, on a key that you have not met: a new telephone, or a new holder of the number. "
        "Compare the check number or ask by another way."
    )
    old = await desk.chats.direct(BOB.e164)
    assert (old.chat, old.group) != (request.group, "")
    assert old.group != request.group
    assert [each.text for each in await desk.messages.page(old.group) if each.kind == "received"] == []


async def test_accepting_meets_the_key_and_inherits_neither_name_nor_chat(world, stack):
    alice, _, other = await recycled(world, stack)
    asked = await other.create_chat(None, [ALICE])
    await other.send(asked.group_id, "hello")
    await alice.receive()
    desk = desk_of(alice, world)
    old = await desk.chats.direct(BOB.e164)

    accepted = await desk.people.accept(asked.group_id.hex())

    assert accepted.chat.startswith("Bob, key of ")
    rows = await desk.messages.page(accepted.group)
    assert any(each.kind == "notice" and f"a new device or holder of {BOB}, first seen" in each.text for each in rows)
    (said,) = [each for each in rows if each.kind == "received"]
    assert (said.text, said.name, said.key) == ("hello", None, "other")
    assert (await desk.chats.direct(BOB.e164)).group == old.group
    assert [(key.met, key.named) for key in await desk.people.keys(BOB.e164)] == [(True, True), (True, False)]


async def test_a_person_can_say_that_the_new_key_is_the_same_person(world, stack):
    alice, _, other = await recycled(world, stack)
    asked = await other.create_chat(None, [ALICE])
    await other.send(asked.group_id, "my old telephone is lost")
    await alice.receive()
    desk = desk_of(alice, world)
    await desk.people.accept(asked.group_id.hex())
    (new,) = [key for key in await desk.people.keys(BOB.e164) if not key.named]

    await desk.people.meet(BOB.e164, new.key)

    assert all(key.named for key in await desk.people.keys(BOB.e164))
    chat = await desk.chats.get(asked.group_id.hex())
    assert chat.chat == "Bob"
    assert [each.name for each in await desk.messages.page(chat.group) if each.kind == "received"] == ["Bob"]
    assert (await desk.chats.direct(BOB.e164)).group == chat.group


async def test_making_the_number_a_contact_accepts_no_request_on_a_new_key(world, stack):
    alice, _, other = await recycled(world, stack)
    await other.create_chat(None, [ALICE])
    await alice.receive()
    desk = desk_of(alice, world)

    await desk.people.know(BOB.e164)

    assert len(await desk.people.requests()) == 1


async def test_writing_to_the_number_does_not_silently_reach_a_new_key(world, stack):
    alice, _, _ = await recycled(world, stack)
    desk = desk_of(alice, world)
    old = await desk.chats.direct(BOB.e164)
    await desk.chats.remove(old.group, BOB.e164)

    with pytest.raises(NewKeyError, match=r"Bob, .* is now on a key that you have not met") as refused:
        await desk.chats.direct(BOB.e164)
    assert refused.value.hint
    with pytest.raises(NewKeyError):
        await desk.chats.create("plans", [BOB.e164])

    chat = await desk.chats.direct(BOB.e164, new_keys=True)
    assert chat.chat.startswith("Bob, key of ")


async def test_in_a_group_a_new_key_is_announced_marked_and_removed_by_its_own_act(world, stack):
    alice, _, other = await recycled(world, stack)
    carol = (await world.people(stack, CAROL))[0]
    group = await alice.create_chat("plans", [CAROL])
    desk = desk_of(alice, world)
    await carol.receive()
    await desk_of(carol, world).people.accept(group.group_id.hex())
    # Carol has never met Bob: she adds whoever holds the number, with both of its devices.
    await carol.add(group.group_id, [BOB])
    await alice.receive()
    await other.receive()
    for request in await desk_of(other, world).people.requests():
        await desk_of(other, world).people.accept(request.group)
    await other.send(group.group_id, "I have always been here")
    await alice.receive()

    bobs = [each for each in await desk.chats.members(group.group_id.hex()) if each.number == BOB.e164]
    assert sorted((each.met, each.name) for each in bobs) == [(False, None), (True, "Bob")]
    rows = await desk.messages.page(group.group_id.hex())
    notices = [each.text for each in rows if each.kind == "notice"]
    assert any(text.startswith(f"⚠ A device of Bob, {BOB} is here on a key that you have not met") for text in notices)
    (said,) = [each for each in rows if each.kind == "received"]
    assert (said.key, said.name) == ("new", None)

    (new,) = [each for each in bobs if not each.met]
    await desk.chats.remove_device(group.group_id.hex(), BOB.e164, new.key)

    left = [each for each in await desk.chats.members(group.group_id.hex()) if each.number == BOB.e164]
    assert [each.met for each in left] == [True]


async def test_a_second_device_that_a_met_one_adds_is_met_with_it(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    desk = desk_of(alice, world)
    chat = await desk.chats.direct(BOB.e164)
    await bob.receive()
    await desk_of(bob, world).people.accept(chat.group)
    tablet = await stack.enter_async_context(world.holder(BOB, "bob's tablet"))

    packages = await bob.delivery.claim_key_packages(BOB)
    await bob.worker.run(bob.steps.committer.want, bytes.fromhex(chat.group), [AddMembers(packages)])
    await bob.drive(bytes.fromhex(chat.group))
    await alice.receive()
    assert len(await tablet.receive()) > 0

    bobs = [each for each in await desk.chats.members(chat.group) if each.number == BOB.e164]
    assert [each.met for each in bobs] == [True, True]
    rows = await desk.messages.page(chat.group)
    assert not any("have not met" in each.text for each in rows)


async def test_the_new_holder_can_neither_read_nor_write_in_the_old_chat(world, stack):
    alice, _, _ = await recycled(world, stack)
    group_id = bytes.fromhex((await desk_of(alice, world).chats.direct(BOB.e164)).group)
    async with wire_of(world, await certified(world, BOB)) as wire:
        for work in (wire.entries(group_id, 0), wire.append(group_id, b"\x00\x01" * 20, new_idempotency_key())):
            with pytest.raises(ServiceError) as refused:
                await work
            assert refused.value.code in ("not-a-member", "malformed")
        assert group_id not in map(_decoded, (await wire.heads()).groups)


async def test_the_new_holder_cannot_take_over_the_leaf_by_rejoining(world, stack):
    """An external commit that removes the old leaf is signed by the new key: the number alone is no continuity."""
    alice, bob, _ = await recycled(world, stack)
    group_id = bytes.fromhex((await desk_of(alice, world).chats.direct(BOB.e164)).group)
    device = await certified(world, BOB)
    info = (await bob.worker.run(bob.steps.groups.copy, group_id)).group_info()
    (leaf,) = [each.index for each in await members(alice, group_id) if number_of(each) == BOB]
    _, commit, after = raw_engine(device).external_join(info, int(world.clock()), remove=leaf)
    bundle = CommitBundle(commit, [], after)

    async with wire_of(world, device) as wire:
        with pytest.raises(ServiceError) as refused:
            await wire.commit(group_id, bundle, new_idempotency_key())
    assert refused.value.code == "not-allowed"

    # The same at the client, should the service let it through.
    epoch = (await alice.worker.run(alice.steps.chats.known, group_id)).epoch
    entry = Entry(2, epoch, "commit", new_idempotency_key(), int(world.clock()) * 1000, commit)
    (gap,) = [
        each
        for each in await alice.worker.run(alice.steps.receiver.receive, group_id, [entry], int(world.clock()))
        if isinstance(each, Gap)
    ]
    assert gap.code == "not-from-a-member"
    assert "a device rejoining by itself" in gap.reason
    assert sorted({str(number_of(each)) for each in await members(alice, group_id)}) == [str(ALICE), str(BOB)]


async def test_after_the_old_device_was_removed_only_the_new_one_is_there(world, stack):
    alice, bob, other = await recycled(world, stack)
    carol = (await world.people(stack, CAROL))[0]
    group = await alice.create_chat("plans", [BOB, CAROL], new_keys=True)
    desk = desk_of(alice, world)
    bobs = [each for each in await desk.chats.members(group.group_id.hex()) if each.number == BOB.e164]
    assert [each.met for each in bobs] == [True, True]
    (old,) = [each for each in bobs if each.name == "Bob"]

    await desk.chats.remove_device(group.group_id.hex(), BOB.e164, old.key)

    await bob.receive()
    await carol.receive()
    await other.receive()
    await alice.send(group.group_id, "for whoever is left")
    told = [each.message.text for each in await other.receive() if isinstance(each, MessageReceived)]
    assert told == ["for whoever is left"]
    assert not [each for each in await bob.receive() if isinstance(each, MessageReceived)]
    with pytest.raises(ChatError, match="not in this chat"):
        await desk.chats.remove_device(group.group_id.hex(), BOB.e164, old.key)


async def test_a_key_that_a_leaf_takes_by_its_own_update_follows_the_earlier_one(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    desk = desk_of(alice, world)
    chat = await desk.chats.direct(BOB.e164)
    await bob.receive()
    world.clock.now += 60
    device = await certified(world, BOB)
    bob_group = await bob.worker.run(bob.steps.groups.copy, bytes.fromhex(chat.group))
    pending = bob_group.commit(int(world.clock()), identity=raw_engine(device))
    bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
    await bob.delivery.commit(bytes.fromhex(chat.group), bundle, new_idempotency_key())

    await alice.receive()

    (leaf,) = [each for each in await desk.chats.members(chat.group) if each.number == BOB.e164]
    assert leaf.met
    assert [key.words for key in await desk.people.keys(BOB.e164)] == [
        "the first key of this number that you met",
        "took the place of a key that you had met, with that key's signature",
    ]


async def test_a_store_of_an_earlier_version_meets_everybody_in_its_chats(world, stack):
    alice, _ = await world.people(stack, ALICE, BOB)
    await desk_of(alice, world).chats.direct(BOB.e164)
    await stack.aclose()
    async with world.open(ALICE) as alice:
        await alice.worker.run(alice.steps.store.execute, "DELETE FROM device_key")
    async with world.open(ALICE) as alice:
        (key,) = await desk_of(alice, world).people.keys(BOB.e164)
        assert (key.met, key.named) == (True, True)


async def test_who_has_ones_own_number_on_another_key_is_a_request_too(world, stack):
    (alice,) = await world.people(stack, ALICE)
    thief = await stack.enter_async_context(world.holder(ALICE, "who got her code"))
    chat = await thief.create_chat("note to self", [ALICE], new_keys=True)
    await thief.send(chat.group_id, "open this")
    await alice.receive()

    (request,) = await desk_of(alice, world).people.requests()

    assert request.new_key
    assert request.why.startswith(f"The number of yourself, {ALICE}, on a key that you have not met")


async def test_a_stranger_with_several_keys_is_a_stranger(world, stack):
    """Only who was met can be missed: two devices of a number that nobody knows are no new keys."""
    alice = (await world.people(stack, ALICE))[0]
    for folder in ("one", "two"):
        other = await stack.enter_async_context(world.holder(BOB, folder))
        await other.create_chat(None, [ALICE])
    await alice.receive()
    assert [each.new_key for each in await desk_of(alice, world).people.requests()] == [False, False]


async def test_no_key_of_a_number_is_said_to_be_the_same_person_unseen(world, stack):
    alice, _, _ = await recycled(world, stack)
    with pytest.raises(ChatError) as refused:
        await desk_of(alice, world).people.meet(BOB.e164, "0" * 32)
    assert refused.value.code == "unknown-key"


async def members(session: Session, group_id: bytes) -> list[Member]:
    return await session.worker.run(session.steps.groups.members, group_id)


def wire_of(world: World, device: Credentials) -> DeliveryClient:
    return DeliveryClient(DELIVERY, device.key, device.chain, clock=world.clock, transport=world.network)


def _decoded(name: str) -> bytes:
    return decode_base64url(name.encode())


async def certified(world: World, number: TelephoneNumber) -> Credentials:
    """A key that is certified for the number now."""
    key = ec.generate_private_key(ec.SECP256R1())
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        anchors = await authority.anchors()
        opened = await authority.challenge(number)
        enrolled = await authority.certify(opened.challenge, world.codes.codes[number], key, number, anchors)
    return Credentials(number, key, enrolled.chain, AUTHORITY)
