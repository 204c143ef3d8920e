"""Roles: only admins change who is in a chat and who its admins are."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from client.errors import ChatError, GroupRefusedError
from client.events import Gap, IntentSettled
from client.records.chats import Standing
from client.records.intents import SetAdmins
from tests.client.roles_scene import ALICE, BOB, CAROL, DAVE, Party


async def test_only_admins_change_membership_and_roles(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    await world.people(stack, DAVE)
    alice, bob, carol = party.sessions
    for act in (
        lambda: bob.add(party.group_id, [DAVE]),
        lambda: bob.remove(party.group_id, [CAROL]),
        lambda: bob.set_admin(party.group_id, BOB, admin=True),
    ):
        with pytest.raises(GroupRefusedError, match="no admin of this chat") as caught:
            await act()
        assert caught.value.code == "not-an-admin"
    await alice.add(party.group_id, [DAVE])
    await alice.remove(party.group_id, [CAROL])
    await bob.refresh(party.group_id)
    await party.all_receive()
    assert await bob.members(party.group_id) == await alice.members(party.group_id) == [ALICE, BOB, DAVE]
    assert (await carol.find_chat(party.group_id.hex())).standing is Standing.REMOVED


async def test_a_refused_change_is_never_posted(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    bob = party.sessions[1]
    posted = world.network.statuses.total()
    with pytest.raises(GroupRefusedError):
        await bob.remove(party.group_id, [CAROL])
    assert world.network.statuses.total() - posted == 1, "the log was read, and nothing else was asked"
    assert 403 not in world.network.statuses


async def test_founders_name_the_first_admins_and_everybody_agrees(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, admins=[BOB])
    for session in party.sessions:
        assert await party.admins(session) == {ALICE, BOB}
    _, bob, carol = party.sessions
    await bob.remove(party.group_id, [CAROL])
    await party.all_receive()
    assert (await carol.find_chat(party.group_id.hex())).standing is Standing.REMOVED


async def test_a_chat_without_roles_stays_one(world, stack: AsyncExitStack) -> None:
    alice, _, _ = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("plain", [BOB])
    party = Party(world, [alice], chat.group_id)
    assert await party.admins(alice) is None
    with pytest.raises(ChatError) as caught:
        await alice.set_admin(party.group_id, ALICE, admin=True)
    assert caught.value.code == "no-roles"
    with pytest.raises(GroupRefusedError, match="began without admins"):
        await alice._change(chat.group_id, [SetAdmins([ALICE.e164])])


async def test_a_change_of_roles_is_told_in_words(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, _ = party.sessions
    await alice.set_admin(party.group_id, BOB, admin=True)
    await party.all_receive()
    await bob.set_admin(party.group_id, ALICE, admin=False)
    await party.all_receive()
    for session in party.sessions:
        notices = [row.text for row in await session.history(party.group_id) if row.kind == "notice"]
        assert f"{ALICE} made {BOB} an admin." in notices
        assert f"{BOB} ended the admin role of {ALICE}." in notices
        assert await party.admins(session) == {BOB}


async def test_what_cannot_be_wanted_says_why(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice = party.sessions[0]
    for number, admin, code in (
        (DAVE, True, "unknown-member"),
        (ALICE, True, "unchanged"),
        (BOB, False, "unchanged"),
        (ALICE, False, "last-admin"),
    ):
        with pytest.raises(ChatError) as caught:
            await alice.set_admin(party.group_id, number, admin=admin)
        assert caught.value.code == code
    with pytest.raises(GroupRefusedError, match="no member yet"):
        await alice._change(party.group_id, [SetAdmins([ALICE.e164, DAVE.e164])])


async def test_the_only_admin_leaves_only_after_making_another(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice, bob = party.sessions
    with pytest.raises(ChatError, match="make somebody else an admin first") as caught:
        await alice.leave(party.group_id)
    assert caught.value.code == "last-admin"
    assert (await alice.find_chat(party.group_id.hex())).standing is Standing.ACTIVE
    await alice.set_admin(party.group_id, BOB, admin=True)
    await party.all_receive()
    await alice.leave(party.group_id)
    await party.all_receive()
    assert (await alice.find_chat(party.group_id.hex())).standing is Standing.LEFT
    await bob.leave(party.group_id)
    assert (await bob.find_chat(party.group_id.hex())).standing is Standing.LEFT, "alone, the only admin may leave"


async def test_of_two_admins_who_leave_at_once_one_stays(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    alice, bob, carol = party.sessions
    with alice.listening() as alices, bob.listening() as bobs:
        await asyncio.gather(alice.leave(party.group_id), bob.leave(party.group_id), return_exceptions=True)
        await party.all_receive()
        told = [queue.get_nowait() for queue in (alices, bobs) for _ in range(queue.qsize())]
    standings = {(await session.find_chat(party.group_id.hex())).standing for session in (alice, bob)}
    assert standings == {Standing.ACTIVE, Standing.LEFT}
    assert [event.outcome for event in told if isinstance(event, IntentSettled)].count("refused") <= 1
    staying = alice if (await alice.find_chat(party.group_id.hex())).standing is Standing.ACTIVE else bob
    assert await party.admins(carol) == await party.admins(staying) == {staying.account.number}
    assert (await staying.send(party.group_id, "I stay")).state == "delivered"
    assert (await carol.send(party.group_id, "good")).state == "delivered"


async def test_a_proposal_to_leave_that_came_too_late_keeps_nobody_else_from_it(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    alice, bob, carol = party.sessions
    await bob.worker.run(bob.steps.committer.leave, party.group_id)
    await bob.worker.run(bob.steps.committer.prepare, party.group_id, int(world.clock()))  # made, and not yet posted
    await alice.leave(party.group_id)
    with bob.listening() as events:
        await party.all_receive()
        told = [events.get_nowait() for _ in range(events.qsize())]
    assert next(event.outcome for event in told if isinstance(event, IntentSettled)) == "refused"
    assert world.network.statuses[403] == 1
    assert not [event for event in told if isinstance(event, Gap)]
    assert (await alice.find_chat(party.group_id.hex())).standing is Standing.LEFT
    assert (await bob.find_chat(party.group_id.hex())).standing is Standing.ACTIVE
    assert await carol.members(party.group_id) == await bob.members(party.group_id) == [BOB, CAROL]
    assert (await bob.send(party.group_id, "I stay")).state == "delivered"
    await carol.receive()
    assert (await carol.history(party.group_id))[-1].text == "I stay"


async def test_two_admins_who_each_make_another_do_not_undo_each_other(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE, admins=[ALICE, BOB])
    alice, bob, _, _ = party.sessions
    await asyncio.gather(
        alice.set_admin(party.group_id, CAROL, admin=True), bob.set_admin(party.group_id, DAVE, admin=True)
    )
    await party.all_receive()
    for session in party.sessions:
        assert await party.admins(session) == {ALICE, BOB, CAROL, DAVE}


@pytest.mark.parametrize("by_leaving", [True, False])
async def test_an_admin_who_comes_in_again_is_none(world, stack: AsyncExitStack, by_leaving: bool) -> None:
    """Numbers are recycled: who has been an admin is none by that."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    alice, bob, _ = party.sessions
    await (bob.leave(party.group_id) if by_leaving else alice.remove(party.group_id, [BOB]))
    await party.all_receive()
    assert await party.admins(alice) == {ALICE}
    await alice.add(party.group_id, [BOB])
    await party.all_receive()
    for session in party.sessions:
        assert await party.admins(session) == {ALICE}
    with pytest.raises(GroupRefusedError, match="no admin of this chat"):
        await bob.remove(party.group_id, [CAROL])
