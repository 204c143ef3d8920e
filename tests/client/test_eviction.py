"""What the delivery service may propose to a chat, and that its word alone removes nobody."""

from contextlib import AsyncExitStack

import mls_rs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mls_rs import generate_signature_key

from client.credentials.revocation_refresh import RETRY
from client.defence.alarms import AlarmKind
from client.errors import GroupRefusedError, RevokedHereError
from client.events import Alarmed, Event, Gap, MessageReceived, ProposalReceived, WelcomeRefused
from client.session import Session
from client.steps import roles as chat_roles
from delivery_service.external_sender import PURPOSE
from delivery_service.policy import Policy
from delivery_service.wire import Entry, WelcomeItem
from identity.groups.eviction import IDLE_LEAST, EpochSender, Reason, ServiceSender, service_uri, with_sender
from lab.mallory import believe_anything
from tests.client.conftest import AUTHORITY
from tests.client.eviction_scene import ALICE, BOB, CAROL, DAY, LONG_AGO, Table
from tests.client.test_revocations import LISTED, revoked
from tests.external_proposal import (
    NEW_MEMBER_PROPOSAL,
    addition,
    context,
    external_proposal,
    external_psk,
    reinit,
    removal,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256

LISTS = pytest.mark.parametrize("service_policy", [Policy(revocations=(f"{AUTHORITY}/v1/crl",))])
IDLE = pytest.mark.parametrize("service_policy", [Policy(idle=IDLE_LEAST)])
ROLES = pytest.mark.parametrize("roles", [False, True])


async def test_a_new_chat_names_the_service_that_carries_it(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    for session in (table.alice, table.bob, table.carol):
        group = await session.worker.run(session.steps.groups.copy, table.group_id)
        assert EpochSender.of(group) == EpochSender(table.service.sender.named)
    status = await table.alice.delivery.status()
    assert status.eviction is not None
    assert (status.eviction.key, status.eviction.idle) == (table.service.sender.named.key, 0)


@ROLES
async def test_who_has_lapsed_is_removed_by_a_member_after_the_service_proposes_it(
    world, stack: AsyncExitStack, roles: bool
) -> None:
    """In a group with roles no admin is needed: the reason is everybody's to see."""
    table = await Table.of(world, stack, roles=roles)
    await table.days(LONG_AGO, table.alice, table.carol)
    await table.service.evictions.run(table.service.now())
    events = await table.carol.receive()
    assert ProposalReceived(table.group_id, "remove", None) in events
    await table.read(table.carol, table.alice)
    for session in (table.alice, table.carol):
        assert await table.numbers(session) == {ALICE, CAROL}
        line = (await table.lines(session))[-1]
        assert (
            line
            == f"The delivery service had proposed it: a device of {BOB}, its certificate ended more than 38 days ago."
        )
        assert await table.alarms(session) == []
    await table.alice.send(table.group_id, "and on")
    assert any(isinstance(event, MessageReceived) for event in await table.carol.receive())


async def test_nobody_is_proposed_before_the_grace_is_over(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    await table.days(LONG_AGO - 2, table.alice, table.carol)
    await table.service.evictions.run(table.service.now())
    await table.read(table.alice)
    assert table.service.evictions.proposed == 0
    assert await table.numbers(table.alice) == {ALICE, BOB, CAROL}
    world.clock.now += 2 * DAY
    await table.service.evictions.run(table.service.now())
    assert table.service.evictions.proposed == 1


@LISTS
@ROLES
async def test_whose_certificate_was_revoked_is_removed(world, stack: AsyncExitStack, roles: bool) -> None:
    table = await Table.of(world, stack, roles=roles)
    revoked(world, table.bob)
    world.clock.now += LISTED
    service = table.service
    assert await service.lists.refresh(service.now())
    await service.purge.run(service.now())
    await service.evictions.run(service.now())
    await table.read(table.carol, table.alice)
    for session in (table.alice, table.carol):
        assert await table.numbers(session) == {ALICE, CAROL}
        assert "its certificate was revoked." in (await table.lines(session))[-1]


@LISTS
async def test_a_revocation_that_a_member_has_not_heard_of_has_the_list_fetched_at_once(
    world, stack: AsyncExitStack
) -> None:
    table = await Table.of(world, stack)
    revoked(world, table.bob)
    service = table.service
    assert await service.lists.refresh(service.now())
    await service.purge.run(service.now())
    await service.evictions.run(service.now())
    await table.alice.receive()
    await table.read(table.alice)
    assert await table.numbers(table.alice) == {ALICE, CAROL}
    await table.read(table.carol)
    assert await table.numbers(table.carol) == {ALICE, CAROL}


@LISTS
async def test_a_revocation_waits_for_a_list_that_cannot_be_had(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    revoked(world, table.bob)
    service = table.service
    assert await service.lists.refresh(service.now())
    await service.purge.run(service.now())
    await service.evictions.run(service.now())
    world.network.down.add("authority.test")
    await table.read(table.alice)
    assert await table.numbers(table.alice) == {ALICE, BOB, CAROL}
    assert await table.alarms(table.alice) == []
    world.network.down.clear()
    world.clock.now += RETRY
    await table.read(table.alice)
    assert await table.numbers(table.alice) == {ALICE, CAROL}
    await table.read(table.carol)
    assert await table.numbers(table.carol) == {ALICE, CAROL}


async def false_reason(table: Table, reason: Reason, *sessions: Session) -> None:
    await table.claimed(BOB, reason)
    for session in sessions:
        assert any(isinstance(event, Alarmed) for event in await session.receive())
        (words,) = await table.alarms(session)
        assert str(BOB) in words
        assert "That is not so." in words
        assert words in await table.lines(session)


@pytest.mark.parametrize("reason", [Reason.LAPSED, Reason.IDLE])
async def test_check_5_a_false_reason_is_an_alarm_and_removes_nobody(
    world, stack: AsyncExitStack, reason: Reason
) -> None:
    table = await Table.of(world, stack)
    everybody = (table.alice, table.bob, table.carol)
    await false_reason(table, reason, *everybody)
    await table.read(*everybody)
    for session in everybody:
        assert await table.numbers(session) == {ALICE, BOB, CAROL}
        assert len(await table.proposed(session)) == 1
    (alarm,) = await table.alice.worker.run(table.alice.steps.alarms.all)
    assert alarm.kind is AlarmKind.EVICTION


async def test_check_5_a_revocation_that_a_newer_list_does_not_name_is_an_alarm(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    await table.claimed(BOB, Reason.REVOKED)
    await table.read(table.alice)
    assert await table.alarms(table.alice) == []  # her list is not newer than the proposal: it says nothing
    assert await table.numbers(table.alice) == {ALICE, BOB, CAROL}
    world.clock.now += 2 * DAY  # now it is, and Bob's certificate still lasts
    await table.read(table.alice)
    (words,) = await table.alarms(table.alice)
    assert "its certificate was revoked. That is not so." in words
    assert await table.numbers(table.alice) == {ALICE, BOB, CAROL}


async def test_who_refuses_a_proposal_goes_on_talking_and_changing_the_chat(world, stack: AsyncExitStack) -> None:
    """mls-rs keeps what was proposed and wants it committed first: a commit without it ends its epoch."""
    table = await Table.of(world, stack)
    await false_reason(table, Reason.LAPSED, table.alice)
    sent = await table.alice.send(table.group_id, "Bob stays")
    assert sent.state == "delivered"
    assert await table.proposed(table.alice) == []
    for session in (table.bob, table.carol):
        heard = [event for event in await session.receive() if isinstance(event, MessageReceived)]
        assert [event.message.text for event in heard] == ["Bob stays"]
        assert await table.numbers(session) == {ALICE, BOB, CAROL}
    await false_reason_again(table)
    await table.carol.remove(table.group_id, [ALICE])
    assert await table.numbers(table.carol) == {BOB, CAROL}


async def false_reason_again(table: Table) -> None:
    """The next epoch brings the same proposal again, and it is the same alarm."""
    await table.claimed(BOB, Reason.LAPSED)
    await table.read(table.carol)
    assert len(await table.alarms(table.carol)) == 1


async def test_in_a_chat_with_roles_a_false_reason_is_refused_in_a_members_commit_too(
    world, stack: AsyncExitStack
) -> None:
    table = await Table.of(world, stack, roles=True)
    await table.claimed(BOB, Reason.LAPSED)
    await table.read(table.alice)

    def lax(session: Session) -> bytes:
        group = session.steps.groups.copy(table.group_id)
        return group.commit(table.service.now()).commit

    commit = await table.alice.worker.run(lax, table.alice)
    await table.read(table.carol)

    def judge() -> str:
        group = table.carol.steps.groups.copy(table.group_id)
        admins = chat_roles.admins(group)
        event = chat_roles.process(group, commit, table.service.now(), leaving=False)
        table.carol.steps.evictions.check_commit(event, admins)  # by an admin: her own deed
        with pytest.raises(GroupRefusedError) as caught:
            table.carol.steps.evictions.check_commit(event, frozenset({CAROL}))
        return caught.value.code

    assert await table.carol.worker.run(judge) == "reason-false"


async def shown(table: Table, session: Session, proposal: bytes, **changes) -> list[Event]:
    """What a session makes of an entry that is signed by the service's own key, and that no honest service appends."""
    group = await session.worker.run(session.steps.groups.copy, table.group_id)
    scalar = 1 + int.from_bytes(table.service.franking.secret(PURPOSE)) % (ORDER - 1)
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    message = external_proposal(key, table.group_id, group.epoch, proposal, **changes)
    chat = await session.worker.run(session.steps.chats.known, table.group_id)
    now = table.service.now()
    entry = Entry(chat.cursor + 1, group.epoch, "proposal", "0" * 32, now * 1000, message)
    return await session.worker.run(session.steps.receiver.receive, table.group_id, [entry], now)


@ROLES
@pytest.mark.parametrize("kind", ["add", "context", "psk", "reinit", "another sender", "new member", "nobody"])
async def test_check_3_the_service_can_propose_nothing_but_removals(
    world, stack: AsyncExitStack, kind: str, roles: bool
) -> None:
    table = await Table.of(world, stack, roles=roles)
    engine, now = table.carol.steps.groups.engine, table.service.now()
    package = engine.key_package(now, lifetime=DAY).message
    leaf = await table.leaf(BOB)
    proposal, changes, code = {
        "add": (addition(package), {}, "not-a-removal"),
        "context": (context(*with_sender((), table.service.sender.named)), {}, "not-a-removal"),
        "psk": (external_psk(b"key"), {}, "not-a-removal"),
        "reinit": (reinit(bytes(16)), {}, "proposal"),
        "another sender": (
            removal(leaf),
            {"sender": b"\x02" + (1).to_bytes(4)},
            "unknown_signing_identity_for_external_sender",
        ),
        "new member": (addition(package), {"sender": bytes([NEW_MEMBER_PROPOSAL])}, "not-from-a-member"),
        "nobody": (removal(9), {}, "not_a_member"),
    }[kind]
    gap = (await shown(table, table.alice, proposal, **changes))[-1]
    assert isinstance(gap, Gap)
    assert gap.code == code, gap
    assert await table.proposed(table.alice) == []
    assert await table.numbers(table.alice) == {ALICE, BOB, CAROL}


@pytest.mark.parametrize("data", [b"", b"Lapsed", b"lapsed ", b"\xff"])
async def test_check_4_a_removal_needs_a_reason_that_is_known(world, stack: AsyncExitStack, data: bytes) -> None:
    table = await Table.of(world, stack)
    gap = (await shown(table, table.alice, removal(await table.leaf(BOB)), data=data))[-1]
    assert isinstance(gap, Gap)
    assert gap.code == "unknown-reason"
    assert await table.proposed(table.alice) == []


async def test_check_1_nobody_joins_a_chat_that_names_another_sender(world, stack: AsyncExitStack) -> None:
    """A member's own program would not found one; a changed one can, at a service that lets it."""
    alice, bob = await world.people(stack, ALICE, BOB)
    named = ServiceSender(service_uri("elsewhere.example"), generate_signature_key(2)[1])

    def welcome(key_package: bytes) -> bytes:
        lax = mls_rs.Engine(
            2,
            alice.steps.groups.engine.credential,
            alice.account.scalar(),
            believe_anything,
            lambda *_: None,
            validate_external=lambda *_: None,
        )
        now = int(world.clock())
        group = lax.create(bytes(16), now, context_extensions=with_sender((), named))
        return group.commit(now, add=[key_package]).welcomes[0]

    (package,) = await alice.delivery.claim_key_packages(BOB)
    item = WelcomeItem(1, bytes(16), 1, int(world.clock()) * 1000, welcome(package))
    (event,) = await bob.worker.run(bob.steps.joiner.join, item, int(world.clock()))
    assert isinstance(event, WelcomeRefused)
    assert event.code == "credential_refused"
    assert "names another external sender" in event.cause


async def test_check_2_a_commit_that_changes_who_may_propose_is_refused(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)

    def lax() -> bytes:
        group = table.bob.steps.groups.copy(table.group_id)
        return group.commit(table.service.now(), context_extensions=()).commit

    commit = await table.bob.worker.run(lax)
    chat = await table.alice.worker.run(table.alice.steps.chats.known, table.group_id)
    entry = Entry(chat.cursor + 1, chat.epoch, "commit", "0" * 32, table.service.now_ms(), commit)
    receive = table.alice.steps.receiver.receive
    events = await table.alice.worker.run(receive, table.group_id, [entry], table.service.now())
    assert [event.code for event in events if isinstance(event, Gap)] == ["senders-fixed"]


@IDLE
async def test_idle_members_are_proposed_where_the_chat_says_so(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack, idle=IDLE_LEAST)
    await table.days(IDLE_LEAST // DAY + 2, table.alice, table.carol)
    await table.service.evictions.run(table.service.now())
    await table.read(table.carol, table.alice)
    assert await table.numbers(table.alice) == await table.numbers(table.carol) == {ALICE, CAROL}
    assert "it was not used for longer than this chat allows." in (await table.lines(table.alice))[-1]


@IDLE
async def test_idle_members_stay_where_the_chat_does_not_say_so(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    await table.days(IDLE_LEAST // DAY + 2, table.alice, table.carol)
    await table.service.evictions.run(table.service.now())
    assert table.service.evictions.proposed == 0


async def test_a_chat_from_before_names_nobody_and_is_left_alone(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    await alice.worker.run(alice.steps.store.execute, "DELETE FROM service_facts")
    chat = await alice.create_chat("before", [BOB])
    table = Table(world, (alice, bob, bob), chat.group_id)
    await table.days(LONG_AGO, alice)
    await table.service.evictions.run(table.service.now())
    assert table.service.evictions.proposed == 0
    await table.claimed(BOB, Reason.LAPSED)
    assert table.service.evictions.proposed == 0
    assert await table.numbers(alice) == {ALICE, BOB}


async def test_the_last_admin_is_not_proposed(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack, roles=True)
    await table.days(LONG_AGO, table.bob, table.carol)
    await table.service.evictions.run(table.service.now())
    assert table.service.evictions.proposed == 0
    await table.read(table.bob)
    assert await table.numbers(table.bob) == {ALICE, BOB, CAROL}


@LISTS
async def test_a_revoked_device_is_told_why_the_service_serves_it_no_more(world, stack: AsyncExitStack) -> None:
    table = await Table.of(world, stack)
    revoked(world, table.bob)
    service = table.service
    await service.lists.refresh(service.now())
    await service.purge.run(service.now())
    with pytest.raises(RevokedHereError) as caught:
        await table.bob.receive()
    assert caught.value.code == "certificate-revoked"
    assert "begin anew in a new folder" in caught.value.hint
