"""Members whose certificates have ended: who may still join, what they may do, and what is said (RFC 9420 §5.3)."""

from contextlib import AsyncExitStack

import mls_rs
import pytest

from client.desk.desk import open_desk
from client.desk.views import CertificateState
from client.errors import CertificateEndedError, GroupRefusedError, ServiceError
from client.events import ChatJoined, Gap, MembersChanged, MessageReceived, WelcomeRefused
from client.records.intents import AddMembers
from client.records.outbox import OutboxState, new_idempotency_key
from client.session import Session
from delivery_service.wire import CommitBundle, Entry
from identity.binding import Verdict
from identity.device import MEMBER_GRACE
from identity.groups.roles import ROLES_EXTENSION
from identity.number import TelephoneNumber
from lab.mallory import believe_anything
from tests.client.conftest import PASSPHRASE

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
DAY = 86_400
LIFE = 7  # days


async def awake(world, days: int, *sessions: Session) -> None:
    """Days pass, in which these people look in every day."""
    for _ in range(days):
        world.clock.now += DAY
        for session in sessions:
            await session.receive()


async def sleeping(world, stack: AsyncExitStack, days: int) -> tuple[Session, Session, bytes]:
    """Alice has a chat with Bob, who then sleeps for so many days."""
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("sleepers", [BOB])
    await bob.receive()
    await awake(world, days, alice)
    return alice, bob, chat.group_id


async def lax_copy(session: Session, group_id: bytes) -> mls_rs.Group:
    """The session's group in the hands of an engine without rules, with the credential that stands in the group."""
    group = await session.worker.run(session.steps.groups.copy, group_id)
    credential = group.member(group.own_index).credential
    account = session.account
    engine = mls_rs.Engine(
        2, credential, account.scalar(), believe_anything, lambda *_: None, extension_types=[ROLES_EXTENSION]
    )
    row = session.steps.store.row("SELECT state, tree FROM chat WHERE group_id = ?", group_id)
    assert row is not None
    return engine.load(*row)


def bundle(pending: mls_rs.Pending) -> CommitBundle:
    return CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)


async def states(world, number: TelephoneNumber, group_id: bytes) -> dict[str, CertificateState]:
    """What a screen shows of each member."""
    opening = open_desk(
        world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
    )
    async with opening as desk:
        return {member.number: member.state for member in await desk.chats.members(group_id.hex())}


async def test_who_joins_finds_an_expired_member_and_hears_it_again_when_it_is_back(
    world, stack: AsyncExitStack
) -> None:
    alice, bob, group_id = await sleeping(world, stack, LIFE + 2)
    (carol,) = await world.people(stack, CAROL)
    await alice.add(group_id, [CAROL])
    joined = (await carol.receive())[0]
    assert isinstance(joined, ChatJoined)
    assert BOB in joined.members

    await bob.receive()  # awake: renews
    await bob.send(group_id, "good morning")  # and puts the new certificate into the group first
    events = await carol.receive()
    assert [event.renewed for event in events if isinstance(event, MembersChanged)] == [(BOB,)]
    (received,) = (event.message for event in events if isinstance(event, MessageReceived))
    assert received.verification.verdict is Verdict.VERIFIED


async def test_an_expired_member_is_shown_as_expired_until_it_renews(world, stack: AsyncExitStack) -> None:
    async with AsyncExitStack() as first:
        alice, bob, group_id = await sleeping(world, first, 0)
        await bob.send(group_id, "here")
        await alice.receive()
    assert await states(world, ALICE, group_id) == {ALICE.e164: "valid", BOB.e164: "valid"}
    world.clock.now += (LIFE + 2) * DAY
    async with world.open(ALICE) as alice:
        await alice.receive()
        await alice.send(group_id, "are you there?")
    assert await states(world, ALICE, group_id) == {ALICE.e164: "valid", BOB.e164: "expired"}
    async with world.open(BOB) as bob:
        await bob.receive()
        await bob.send(group_id, "yes")
    async with world.open(ALICE) as alice:
        await alice.receive()
    assert await states(world, ALICE, group_id) == {ALICE.e164: "valid", BOB.e164: "valid"}


async def test_nobody_is_added_beside_one_long_expired_and_the_refusal_says_why(world, stack: AsyncExitStack) -> None:
    alice, _, group_id = await sleeping(world, stack, LIFE + MEMBER_GRACE // DAY + 1)
    await world.people(stack, CAROL)
    with pytest.raises(GroupRefusedError, match=r"while \+1 202-555-0143 is a member whose certificate is not valid"):
        await alice.add(group_id, [CAROL])
    assert CAROL not in await alice.members(group_id)


async def test_who_joins_refuses_a_group_with_one_long_expired(world, stack: AsyncExitStack) -> None:
    alice, _, group_id = await sleeping(world, stack, LIFE + MEMBER_GRACE // DAY + 1)
    (carol,) = await world.people(stack, CAROL)
    await alice.refresh(group_id)
    (package,) = await alice.delivery.claim_key_packages(CAROL)
    pending = (await lax_copy(alice, group_id)).commit(int(world.clock()), add=[package])
    await alice.delivery.commit(group_id, bundle(pending), new_idempotency_key())
    (refused,) = (event for event in await carol.receive() if isinstance(event, WelcomeRefused))
    assert "too long" in refused.cause


async def test_what_was_signed_while_valid_stays_verified_and_nothing_is_signed_after(
    world, stack: AsyncExitStack
) -> None:
    alice, bob, group_id = await sleeping(world, stack, 0)
    await bob.send(group_id, "signed while valid")
    world.clock.now += (LIFE + 1) * DAY
    (received,) = (event.message for event in await alice.receive() if isinstance(event, MessageReceived))
    assert (received.text, received.verification.verdict) == ("signed while valid", Verdict.STALE)

    world.network.down.add("authority.test")
    waiting = await bob.send(group_id, "written while expired")
    assert waiting.state == OutboxState.QUEUED
    with pytest.raises(CertificateEndedError):
        await bob.worker.run(bob.steps.sender.prepare, group_id, int(world.clock()), renewing=True)
    world.network.down.clear()
    await bob.drive(group_id)  # renews without being asked to
    (received,) = (event.message for event in await alice.receive() if isinstance(event, MessageReceived))
    assert (received.text, received.verification.verdict) == ("written while expired", Verdict.VERIFIED)


async def test_an_expired_member_commits_with_a_new_certificate_and_with_no_other(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await sleeping(world, stack, LIFE + 1)
    await world.people(stack, CAROL)
    await bob.receive()  # renews; the group still has the old certificate
    (package,) = await bob.delivery.claim_key_packages(CAROL)
    pending = (await lax_copy(bob, group_id)).commit(int(world.clock()), add=[package])
    with pytest.raises(ServiceError, match="no valid certificate"):
        await bob.delivery.commit(group_id, bundle(pending), new_idempotency_key())

    chat = await alice.worker.run(alice.steps.chats.known, group_id)
    now = int(world.clock())
    entry = Entry(chat.cursor + 1, chat.epoch, "commit", new_idempotency_key(), now * 1000, pending.commit)
    (gap,) = await alice.worker.run(alice.steps.receiver.receive, group_id, [entry], now)
    assert isinstance(gap, Gap)
    assert gap.code == "committer-expired"


async def test_an_own_commit_for_another_reason_brings_the_new_certificate_along(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await sleeping(world, stack, LIFE + 1)
    (carol,) = await world.people(stack, CAROL)
    await bob.receive()
    await bob.add(group_id, [CAROL])
    changes = [event for event in await alice.receive() if isinstance(event, MembersChanged)]
    assert [(event.added, event.renewed) for event in changes] == [((CAROL,), (BOB,))]
    assert isinstance((await carol.receive())[0], ChatJoined)


async def test_an_expired_key_package_is_not_added_whatever_it_says_of_itself(world, stack: AsyncExitStack) -> None:
    alice, _, group_id = await sleeping(world, stack, 0)
    (carol,) = await world.people(stack, CAROL)
    (honest,) = await alice.delivery.claim_key_packages(CAROL)
    longer = carol.steps.groups.engine.key_package(int(world.clock()), lifetime=60 * DAY).message
    world.clock.now += (LIFE + 1) * DAY
    await alice.receive()
    for package in (honest, longer):
        with pytest.raises(GroupRefusedError):
            await alice._change(group_id, [AddMembers([package])])
    assert CAROL not in await alice.members(group_id)
