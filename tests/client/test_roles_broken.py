"""One hostile client for each rule of EpochRoles.check_commit, and a service that lets everything pass."""

from contextlib import AsyncExitStack

import mls_rs
import pytest

from client.events import MembersChanged, WelcomeRefused
from delivery_service.wire import WelcomeItem
from identity.groups.roles import ROLES_EXTENSION
from identity.number import TelephoneNumber
from tests.client.roles_scene import ALICE, BOB, CAROL, DAVE, Party, claimed, listing
from tests.client.test_lying_service import Liar


@pytest.fixture
def liar(world) -> Liar:
    liar = Liar(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = liar
    return liar


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
