"""What else goes on in a chat while a commit of it is taken back: leaving, roles, messages of every kind, resets."""

from contextlib import AsyncExitStack
from pathlib import Path

from client.defence.admission import Consent
from client.defence.lies import Lie
from client.events import Gap
from client.records.chats import Standing
from client.records.message import Kind
from client.records.outbox import new_idempotency_key
from client.session import Session
from delivery_service.wire import CommitBundle
from delivery_service.wire.rollback import ROLLBACK_WINDOW
from lab.poison import spoil
from tests.client.rollback_scene import ALICE, BOB, CAROL, DAVE, Party, denial


async def deny_by(party: Party, *sessions: Session) -> None:
    """These devices report the last commit, which they could apply."""
    entry = await party.last_commit()
    for session in sessions:
        await session.delivery.reject(party.group_id, denial(session, party.group_id, entry))


async def suspicions(party: Party) -> list[str]:
    """What any of them says the service did wrong."""
    codes = set(Lie)
    found = []
    for session in party.sessions:
        for event in await session.receive():
            if isinstance(event, Gap) and event.code in codes:
                found.append(f"{session.account.number}: {event.code}")
    return found


async def test_who_wants_to_leave_leaves_although_the_commit_that_did_it_was_bad(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await dave.leave(party.group_id)
    group = await party.copy(alice)
    entries = (await alice.delivery.entries(party.group_id, (await alice.find_chat("party")).cursor)).entries
    for entry in entries:
        group.process(entry.body, alice.now())
    pending = group.commit(alice.now())
    await alice.worker.run(alice.steps.receiver.receive, party.group_id, entries, alice.now())
    bundle = CommitBundle(spoil(await party.copy(alice), pending.commit), list(pending.welcomes), pending.group_info)
    await alice.delivery.commit(party.group_id, bundle, new_idempotency_key())
    await dave.receive()
    await bob.receive()
    await carol.receive()
    for _ in range(3):
        await party.all_receive()
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.LEFT
    assert DAVE not in await bob.members(party.group_id)
    party.sessions = [alice, bob, carol]
    await party.agree()


async def test_a_leave_that_was_undone_with_its_epoch_is_proposed_again(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await alice.refresh(party.group_id)
    await alice.leave(party.group_id)
    await deny_by(party, bob, carol)
    for _ in range(3):
        await party.all_receive()
    assert (await alice.find_chat(party.group_id.hex())).standing is Standing.LEFT
    party.sessions = [bob, carol, dave]
    await party.agree()


async def test_nobody_suspects_the_service_after_a_commit_was_rightly_taken_back(world, stack: AsyncExitStack) -> None:
    """Dave was away all the time, Carol reads piecemeal; the next epoch has the number of the undone one."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, _ = party.sessions
    await alice.send(party.group_id, "before it")
    await bob.receive()
    await alice.refresh(party.group_id)
    await alice.send(party.group_id, "in the undone epoch")
    await bob.receive()
    await deny_by(party, bob, carol)
    await bob.receive()
    await bob.send(party.group_id, "after it")
    await bob.refresh(party.group_id)
    await bob.send(party.group_id, "in the new epoch")
    assert await suspicions(party) == []
    assert await suspicions(party) == []
    await party.agree()
    for session in party.sessions:
        assert await session.worker.run(session.steps.alarms.waiting) == 0


async def test_edits_files_and_vanished_messages_of_the_undone_epoch_are_dealt_with(
    world, stack: AsyncExitStack, tmp_path: Path
) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    for session in (bob, carol):
        await session.worker.run(session.steps.chats.set_consent, party.group_id, Consent.INBOX)
    await alice.refresh(party.group_id)
    sender, run = alice.steps.sender, alice.worker.run
    first = await alice.send(party.group_id, "a tpyo")
    await run(sender.queue_edit, first.id, "a typo", alice.now())
    (tmp_path / "note.txt").write_text("in a file")
    await alice.uploads.send(party.group_id, tmp_path / "note.txt", "a file", lambda done, total: None)
    gone = await alice.send(party.group_id, "deleted for all")
    await run(sender.queue_deletion, gone.id, alice.now())
    await run(sender.queue_reaction, first.id, "+", alice.now())
    await alice.drive(party.group_id)
    await run(sender.queue_timer, party.group_id, 60, alice.now())
    await alice.send(party.group_id, "vanishes")
    await bob.receive()
    world.clock.now += 120
    await run(alice.steps.relations.end, alice.now())
    await deny_by(party, bob, carol)
    for _ in range(3):
        await party.all_receive()
    for session in party.sessions:
        rows = await session.history(party.group_id)
        assert [row.latest for row in rows if row.text == "a tpyo"] == ["a typo"]
        assert [row.text.startswith("(file)") for row in rows].count(True) == 1
        assert [row.kind for row in rows].count(Kind.DELETION) == 1
        assert [row.kind for row in rows].count(Kind.REACTION) == 1
        assert not [row for row in rows if "deleted for all" in row.text]
    assert not [row for row in await alice.history(party.group_id) if row.text == "vanishes"]
    await party.agree()
    assert await suspicions(party) == []


async def test_a_promotion_that_was_taken_back_promotes_nobody(world, stack: AsyncExitStack) -> None:
    sessions = await world.people(stack, ALICE, BOB, CAROL)
    alice, bob, carol = sessions
    group_id = (await alice.create_chat("party", [BOB, CAROL], admins=[ALICE])).group_id
    party = Party(world, sessions, group_id)
    await party.all_receive()
    await carol.send(group_id, "settles it")
    await party.all_receive()
    await alice.set_admin(group_id, BOB, admin=True)
    await bob.receive()
    await deny_by(party, bob, carol)
    await party.all_receive()
    for session in sessions:
        assert await session.worker.run(session.steps.groups.admins, group_id) == {ALICE}
    await party.agree()


async def test_a_chat_whose_bad_commit_stands_can_be_begun_anew(world, stack: AsyncExitStack) -> None:
    """Most were away for as long as it could be taken back."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    _, bob, carol, dave = party.sessions
    await party.poison(party.sessions[0])
    await bob.receive()
    world.clock.now += ROLLBACK_WINDOW + 2 * 3600
    service = world.network.services["delivery.test"].app.state.service
    await service.rollbacks.expire(service.now(), 30 * 86_400)
    for _ in range(2):
        for session in (bob, carol, dave):
            await session.receive()
    new = (await bob.reset(party.group_id)).group_id
    for session in (carol, dave, carol, dave):
        await session.receive()
    for session in (carol, dave):
        assert (await session.find_chat(new.hex())).standing is Standing.ACTIVE


async def test_what_was_encrypted_in_an_undone_epoch_is_not_posted_into_the_next_of_its_number(
    world, stack: AsyncExitStack
) -> None:
    """The service cannot tell the two epochs apart: everybody would get a message that nobody can read."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await alice.refresh(party.group_id)
    await bob.receive()
    await bob.worker.run(bob.steps.sender.queue_text, party.group_id, "in between", bob.now())
    waiting = await bob.worker.run(bob.steps.sender.prepare, party.group_id, bob.now(), renewing=False)
    assert waiting.ciphertext  # and then the network was gone
    await deny_by(party, carol, dave)
    await carol.receive()
    await carol.refresh(party.group_id)
    await bob.drive(party.group_id)
    for session in party.sessions:
        gaps = [event for event in await session.receive() if isinstance(event, Gap)]
        assert gaps == []
        rows = await session.history(party.group_id)
        assert [row.text for row in rows].count("in between") == 1
        assert not [row for row in rows if row.kind is Kind.GAP]
    await party.agree()
