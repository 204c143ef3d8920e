"""Roles: only admins change who is in a chat and who its admins are; every client sees to it by itself."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import mls_rs
import msgspec
import pytest

from client.chats import Standing
from client.errors import ChatError, GroupRefusedError
from client.events import Gap, IntentSettled, MembersChanged, MessageReceived, WelcomeRefused
from client.intents import AddMembers, SetAdmins
from client.invitations import claim
from client.session import Session
from delivery_service.wire import Entry, WelcomeItem
from identity.number import TelephoneNumber
from identity.roles import ROLES_EXTENSION, with_admins
from tests.client.test_lying_service import Liar

ALICE, BOB, CAROL, DAVE = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4, 5))


@pytest.fixture
def liar(world) -> Liar:
    liar = Liar(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = liar
    return liar


class Party:
    """People in one chat with roles, the first of them its founder, each with a real session."""

    def __init__(self, world, sessions: Sequence[Session], group_id: bytes) -> None:
        self.world = world
        self.sessions = sessions
        self.group_id = group_id

    @classmethod
    async def of(
        cls, world, stack: AsyncExitStack, *numbers: TelephoneNumber, admins: Sequence[TelephoneNumber] = (ALICE,)
    ) -> "Party":
        sessions = await world.people(stack, *numbers)
        founder, now = sessions[0], int(world.clock())
        packages = [package for number in numbers[1:] for package in await claimed(founder, number, now)]
        create = founder.steps.committer.create
        group_id, intents = await founder.worker.run(create, "roles", [AddMembers(packages)], now, admins)
        await founder._carry_out(group_id, intents)
        party = cls(world, sessions, group_id)
        await party.all_receive()
        return party

    async def all_receive(self) -> None:
        for session in (*self.sessions, *self.sessions):
            await session.receive()

    async def admins(self, session: Session) -> set[TelephoneNumber] | None:
        admins = await session.worker.run(session.steps.groups.admins, self.group_id)
        return None if admins is None else set(admins)

    async def set_admin(self, session: Session, number: TelephoneNumber, *, admin: bool) -> None:
        def want() -> list[int]:
            return session.steps.committer.want_admin(self.group_id, number, admin=admin)

        await session._carry_out(self.group_id, await session.worker.run(want))

    async def forged(self, session: Session, make: Callable[[mls_rs.Group, int], bytes]) -> bytes:
        """What a program that does not judge its own handshakes would post."""

        def forge() -> bytes:
            with session.steps.groups.step(self.group_id) as step:
                return make(step.group, int(self.world.clock()))

        return await session.worker.run(forge)

    async def committed(self, session: Session, **changes: object) -> bytes:
        return await self.forged(session, lambda group, now: group.commit(now, **changes).commit)

    async def leaf(self, number: TelephoneNumber) -> int:
        members = await self.sessions[0].worker.run(self.sessions[0].steps.groups.members, self.group_id)
        return next(member.index for member in members if member.identity.startswith(number.e164.encode()))

    async def refuses(self, liar: Liar, victim: Session, intrusion: bytes, code: str) -> None:
        """A service that lets everything pass hands the intrusion out: it is a gap, and the chat goes on without it."""
        before = await self.admins(victim), await victim.members(self.group_id)
        speaker = next(session for session in self.sessions if session is not victim)
        await speaker.send(self.group_id, "still here")

        def intrude(entries: list[Entry]) -> list[Entry]:
            first = entries[0]
            made_up = msgspec.structs.replace(first, kind="commit", idempotency_key="0" * 32, body=intrusion)
            return [made_up, *(msgspec.structs.replace(entry, seq=entry.seq + 1) for entry in entries)]

        liar.lie = intrude
        events = await victim.receive()
        liar.lie = None
        assert [event.code for event in events if isinstance(event, Gap)] == [code]
        assert [event.message.text for event in events if isinstance(event, MessageReceived)] == ["still here"]
        assert not [event for event in events if isinstance(event, MembersChanged)]
        assert (await self.admins(victim), await victim.members(self.group_id)) == before


async def claimed(session: Session, number: TelephoneNumber, now: int) -> list[bytes]:
    return await claim(session.delivery, session.steps.groups, session.worker, number, now)


def listing(*admins: TelephoneNumber) -> list[tuple[int, bytes]]:
    return with_admins([], admins)


# ---- what people do ------------------------------------------------------------------------------------------


async def test_only_admins_change_membership_and_roles(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    await world.people(stack, DAVE)
    alice, bob, carol = party.sessions
    for act in (
        lambda: bob.add(party.group_id, [DAVE]),
        lambda: bob.remove(party.group_id, [CAROL]),
        lambda: party.set_admin(bob, BOB, admin=True),
    ):
        with pytest.raises(GroupRefusedError, match="no admin of this chat"):
            await act()
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
        await party.set_admin(alice, ALICE, admin=True)
    assert caught.value.code == "no-roles"
    with pytest.raises(GroupRefusedError, match="began without admins"):
        await alice._change(chat.group_id, [SetAdmins([ALICE.e164])])


async def test_a_change_of_roles_is_told_in_words(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, _ = party.sessions
    await party.set_admin(alice, BOB, admin=True)
    await party.all_receive()
    await party.set_admin(bob, ALICE, admin=False)
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
            await party.set_admin(alice, number, admin=admin)
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
    await party.set_admin(alice, BOB, admin=True)
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
    await asyncio.gather(party.set_admin(alice, CAROL, admin=True), party.set_admin(bob, DAVE, admin=True))
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


# ---- one hostile client for each rule (identity.roles.EpochRoles.check_commit) -----------------------------------


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xa1\x66admins\x80", b"\xa1\x66admins\x81\x6c+12025550142 "])
async def test_rule_1_a_list_of_another_form_is_refused(world, liar, stack: AsyncExitStack, content: bytes) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice, bob = party.sessions
    commit = await party.committed(alice, context_extensions=[(ROLES_EXTENSION, content)])
    await party.refuses(liar, bob, commit, "malformed-roles")


async def test_rule_2_roles_do_not_end(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice, bob = party.sessions
    await party.refuses(liar, bob, await party.committed(alice, context_extensions=[]), "roles-fixed")


async def test_rule_2_nobody_takes_a_chat_without_roles_over(world, liar, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plain", [BOB])
    await bob.receive()
    party = Party(world, [alice, bob], chat.group_id)
    await alice.receive()
    await party.refuses(liar, bob, await party.committed(alice, context_extensions=listing(ALICE)), "roles-fixed")


@pytest.mark.parametrize("kind", ["add", "remove", "context"])
@pytest.mark.parametrize("proposer", [ALICE, BOB])
async def test_rule_3_a_standing_proposal_is_about_oneself(
    world, liar, stack: AsyncExitStack, kind: str, proposer: TelephoneNumber
) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    await world.people(stack, DAVE)
    hostile = party.sessions[[ALICE, BOB].index(proposer)]
    leaf = await party.leaf(CAROL)
    (package,) = await claimed(hostile, DAVE, int(world.clock()))

    def propose(group: mls_rs.Group, now: int) -> bytes:
        match kind:
            case "add":
                proposal = group.propose_add(package, now)
            case "remove":
                proposal = group.propose_remove(leaf)
            case _:
                proposal = group.propose_context_extensions(listing(ALICE, BOB))
        group.forget_proposals()
        return proposal

    await party.refuses(liar, party.sessions[2], await party.forged(hostile, propose), "standing-change")
    events = await party.sessions[2].receive()
    assert not [event for event in events if isinstance(event, MembersChanged)], "nobody commits it for them"


@pytest.mark.parametrize("kind", ["add", "remove", "remove the reader", "context"])
async def test_rule_4_a_commit_of_a_member_without_a_role_changes_nothing(
    world, liar, stack: AsyncExitStack, kind: str
) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    await world.people(stack, DAVE)
    _, bob, carol = party.sessions
    changes = {
        "add": {"add": await claimed(bob, DAVE, int(world.clock()))},
        "remove": {"remove": [await party.leaf(ALICE)]},
        "remove the reader": {"remove": [await party.leaf(CAROL)]},
        "context": {"context_extensions": listing(ALICE, BOB)},
    }
    await party.refuses(liar, carol, await party.committed(bob, **changes[kind]), "not-an-admin")


async def test_rule_4_who_adds_stays_an_admin(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, admins=[ALICE, BOB])
    await world.people(stack, DAVE)
    alice, bob = party.sessions
    packages = await claimed(alice, DAVE, int(world.clock()))
    commit = await party.committed(alice, add=packages, context_extensions=listing(BOB))
    await party.refuses(liar, bob, commit, "not-an-admin")


async def test_rule_5_nobody_is_made_an_admin_from_outside(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice, bob = party.sessions
    commit = await party.committed(alice, context_extensions=listing(ALICE, DAVE))
    await party.refuses(liar, bob, commit, "not-a-member")


async def test_rule_5_nobody_comes_in_as_an_admin(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    await world.people(stack, DAVE)
    alice, bob = party.sessions
    packages = await claimed(alice, DAVE, int(world.clock()))
    commit = await party.committed(alice, add=packages, context_extensions=listing(ALICE, DAVE))
    await party.refuses(liar, bob, commit, "not-a-member")


async def test_rule_6_a_commit_leaves_an_admin(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    alice, _, carol = party.sessions
    commit = await party.committed(alice, remove=[await party.leaf(BOB)], context_extensions=listing(BOB))
    await party.refuses(liar, carol, commit, "last-admin")


async def test_rule_6_the_only_admin_cannot_propose_to_leave(world, liar, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    alice, bob = party.sessions

    def leave(group: mls_rs.Group, _: int) -> bytes:
        proposal = group.leave()
        group.forget_proposals()
        return proposal

    await party.refuses(liar, bob, await party.forged(alice, leave), "last-admin")


async def test_an_invitation_by_a_member_without_a_role_is_refused(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB)
    (dave,) = await world.people(stack, DAVE)
    bob, now = party.sessions[1], int(world.clock())
    packages = await claimed(bob, DAVE, now)
    welcome = await party.forged(bob, lambda group, now: group.commit(now, add=packages).welcomes[0])
    item = WelcomeItem(1, party.group_id, 3, now * 1000, welcome)
    (event,) = await dave.worker.run(dave.steps.joiner.join, item, now)
    assert isinstance(event, WelcomeRefused)
    assert event.code == "not-an-admin"
    assert await dave.worker.run(dave.steps.chats.get, party.group_id) is None
