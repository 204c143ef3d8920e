"""Chats are begun anew by those who may, once, and everybody's client moves over; chats and data are deleted."""

import asyncio
import json
from contextlib import AsyncExitStack

import msgspec
import pytest

from client.defence.admission import Consent
from client.errors import ChatError, ServiceError
from client.events import ChatMoved, Gap
from client.records.chats import Standing
from client.session import Session
from delivery_service.wire import Entry
from delivery_service.wire.ending import GroupEnd
from identity.groups.group_ending import GroupEnding
from tests.client.rollback_scene import ALICE, BOB, CAROL, DAVE, Party, stored


async def trio(world, stack: AsyncExitStack, admins=(ALICE,)) -> tuple[list[Session], bytes]:
    sessions = await world.people(stack, ALICE, BOB, CAROL)
    chat = await sessions[0].create_chat("team", [BOB, CAROL], admins=admins)
    for session in (*sessions[1:], *sessions):
        await session.receive()
        await session.worker.run(session.steps.chats.set_consent, chat.group_id, Consent.INBOX)
    return sessions, chat.group_id


async def successor(session: Session, name: str = "team") -> bytes:
    chat = await session.find_chat(name)
    assert chat.standing is Standing.ACTIVE
    return chat.group_id


async def talks(sessions: list[Session], group_id: bytes) -> None:
    for speaker in sessions:
        assert (await speaker.send(group_id, f"by {speaker.account.number}")).state == "delivered"
    for session in sessions:
        await session.receive()
        texts = [row.text for row in await session.history(group_id)]
        assert all(f"by {speaker.account.number}" in texts for speaker in sessions)


async def test_a_chat_goes_on_in_its_successor_with_people_roles_name_and_choices(world, stack) -> None:
    sessions, old = await trio(world, stack, admins=(ALICE, BOB))
    alice, bob, carol = sessions
    await carol.worker.run(carol.steps.chats.pin, old, True)
    new = (await alice.reset(old)).group_id
    for session in (bob, carol):
        (moved,) = [event for event in await session.receive() if isinstance(event, ChatMoved)]
        assert (moved.group_id, moved.successor, moved.name) == (old, new, "team")
    await alice.receive()
    for session in sessions:
        assert await successor(session) == new
        assert (await session.find_chat("team (before)")).standing is Standing.ENDED
        assert (await session.find_chat("team")).consent is Consent.INBOX
        assert await session.worker.run(session.steps.groups.admins, new) == {ALICE, BOB}
        assert any("begun anew" in row.text or "began this chat anew" in row.text for row in await session.history(old))
        assert any("takes the place" in row.text for row in await session.history(new))
    assert [(await carol.find_chat(name)).pinned for name in ("team", "team (before)")] == [True, False]
    await talks(sessions, new)
    with pytest.raises(ChatError):
        await bob.send(old, "too late")


async def test_of_two_who_begin_a_chat_anew_at_once_one_wins_and_the_other_moves_too(world, stack) -> None:
    sessions, old = await trio(world, stack, admins=())
    results = await asyncio.gather(sessions[0].reset(old), sessions[1].reset(old), return_exceptions=True)
    lost = [each for each in results if isinstance(each, ChatError)]
    assert [error.code for error in lost] == ["group-ended"]
    for _ in range(2):
        for session in sessions:
            await session.receive()
    (new,) = {await successor(session) for session in sessions}
    await talks(sessions, new)


async def test_whom_a_successor_brings_in_who_was_not_there_is_named(world, stack) -> None:
    """Who begins a chat anew decides who is in it; nobody is told that it is the same people if it is not."""
    (alice, bob, _), old = await trio(world, stack)
    await world.people(stack, DAVE)
    await alice.worker.run(alice.steps.endings.begin_reset, old, alice.now())
    numbers = json.dumps([BOB.e164, DAVE.e164])
    await alice.worker.run(alice.steps.store.execute, "UPDATE ending_due SET numbers = ?", numbers)
    new = (await alice.reset(old)).group_id
    await bob.receive()
    assert await successor(bob) == new
    (words,) = [row.text for row in await bob.history(new) if "takes the place" in row.text]
    assert words.endswith("Who was not in that one: +1 202-555-0145.")


async def test_only_an_admin_begins_a_chat_with_roles_anew(world, stack) -> None:
    (_, bob, _), old = await trio(world, stack)
    with pytest.raises(ChatError) as refused:
        await bob.reset(old)
    assert refused.value.code == "not-an-admin"
    assert stored(bob, "ending_due") == 0


@pytest.mark.parametrize("kind", ["successor", "closing"])
@pytest.mark.parametrize("forger", ["nobody", "member without the role", "somebody else for an admin"])
async def test_an_ending_that_nobody_entitled_has_signed_is_not_followed(world, stack, kind: str, forger: str) -> None:
    """The service, or a member who is no admin, cannot lead people into a chat of theirs."""
    (alice, bob, carol), old = await trio(world, stack)
    named = b"elsewhere" if kind == "successor" else b""
    signer = {"nobody": None, "member without the role": bob, "somebody else for an admin": bob}[forger]
    signature = b"" if signer is None else GroupEnding(old, named).sign(signer.account.key)
    device = bob.steps.continuity.own if forger == "member without the role" else alice.steps.continuity.own
    chat = await carol.find_chat("team")
    body = msgspec.msgpack.encode(GroupEnd(device, named, 0, signature))
    entry = Entry(chat.cursor + 1, chat.epoch, kind, "0" * 32, world.clock.now * 1000, body)
    events = await carol.worker.run(carol.steps.receiver.receive, old, [entry], carol.now())
    assert [event.code for event in events if isinstance(event, Gap)] == ["unproven-end"]
    assert (await carol.find_chat("team")).standing is Standing.ACTIVE


async def test_an_invitation_by_another_than_the_successors_founder_moves_nothing(world, stack) -> None:
    (alice, bob, carol), old = await trio(world, stack)
    entry = GroupEnd(alice.steps.continuity.own, b"", 0, b"")
    await carol.worker.run(
        carol.steps.store.execute, "INSERT INTO group_ending VALUES (?, ?, ?)", old, b"other", entry.device
    )
    other = await bob.create_chat("a trap", [CAROL])
    await carol.worker.run(
        carol.steps.store.execute, "UPDATE group_ending SET successor = ? WHERE group_id = ?", other.group_id, old
    )
    events = await carol.receive()
    assert not [event for event in events if isinstance(event, ChatMoved)]
    assert (await carol.find_chat("team")).group_id == old


async def test_a_group_in_which_nobody_can_commit_is_begun_anew(world, stack) -> None:
    """A poisoned commit that an accomplice has settled: nobody can go on, and the chat can."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await party.poison(alice)
    waits = await dave.send(party.group_id, "goes nowhere")
    assert waits.state == "queued"
    new = (await bob.reset(party.group_id)).group_id
    for session in (carol, dave, carol, dave):
        await session.receive()
    for session in (carol, dave):
        await session.worker.run(session.steps.chats.set_consent, new, Consent.INBOX)
    await talks([bob, carol, dave], new)


async def test_a_reset_that_was_interrupted_goes_on_with_the_next_session(world, stack) -> None:
    for number in (ALICE, BOB):
        await world.enrol(number)
    async with world.open(ALICE) as alice, world.open(BOB) as bob:
        await bob.receive()
        await alice.receive()
        old = (await alice.create_chat("team", [BOB], admins=(ALICE,))).group_id
        await bob.receive()
        await bob.worker.run(bob.steps.chats.set_consent, old, Consent.INBOX)
        new = await alice.worker.run(alice.steps.endings.begin_reset, old, alice.now())
    async with world.open(ALICE) as alice:  # begun, and nothing of it posted
        world.network.down.add("delivery.test")
        with pytest.raises(Exception, match=r"network is down|reached"):
            await alice.receive()
        world.network.down.clear()
    async with world.open(ALICE) as alice, world.open(BOB) as bob:
        await alice.receive()
        assert stored(alice, "ending_due") == 0
        await bob.receive()
        await bob.receive()
        assert await successor(alice) == await successor(bob) == new
        await talks([alice, bob], new)


async def test_a_chat_that_its_admin_deletes_says_so_and_keeps_what_is_here(world, stack) -> None:
    sessions, old = await trio(world, stack)
    alice, bob, _ = sessions
    await bob.send(old, "kept on devices")
    with pytest.raises(ChatError):
        await bob.delete_chat(old)
    await alice.receive()
    await alice.delete_chat(old)
    for session in sessions:
        await session.receive()
        chat = await session.find_chat("team")
        assert chat.standing is Standing.ENDED
        texts = [row.text for row in await session.history(old)]
        assert "kept on devices" in texts
        assert any("deleted this chat at the service" in text for text in texts)
        with pytest.raises(ChatError, match="'team' has ended") as refused:
            await session.send(old, "too late")
        assert refused.value.code == "not-a-member"


async def test_the_last_who_leaves_has_the_chat_deleted_at_the_service(world, stack) -> None:
    (alice,) = await world.people(stack, ALICE)
    old = (await alice.create_chat("notes", [], admins=())).group_id
    await alice.leave(old)
    assert stored(alice, "ending_due") == 0
    batch = await alice.delivery.entries(old, 0)
    assert [entry.kind for entry in batch.entries] == ["closing"]


async def test_a_device_deletes_what_the_service_keeps_and_publishes_anew_when_it_is_used(world, stack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    deleted = await bob.delete_service_data(number=True)
    assert deleted.key_packages > 1
    with pytest.raises(ServiceError):
        await alice.create_chat("too early", [BOB])
    await bob.maintain()
    await alice.create_chat("hello", [BOB])
