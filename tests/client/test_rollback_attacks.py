"""Attempts to fork people, to undo what stands and to put somebody out, by way of commits that are taken back."""

from contextlib import AsyncExitStack

import msgspec

from client.events import Gap
from client.records.chats import Standing
from client.session import Session
from delivery_service.wire import Entry
from delivery_service.wire.rollback import Reported, Rollback
from identity.number import TelephoneNumber
from tests.client.rollback_scene import ALICE, BOB, CAROL, DAVE, Party, denial, stored, taken_back

EVE = TelephoneNumber.from_digits("12025550146")


async def shown(party: Party, session: Session, *entries: Entry) -> list:
    """The service shows a device entries of its own making."""
    events = await session.worker.run(session.steps.receiver.receive, party.group_id, list(entries), session.now())
    return [event.code for event in events if isinstance(event, Gap)]


def made(seq: int, first: int, epoch: int, reports: list[Reported], of: int = 2) -> Entry:
    body = msgspec.msgpack.encode(Rollback(first, epoch, of, reports))
    return Entry(seq, epoch, "rollback", "0" * 32, 1_795_000_000_000, body)


async def report_of(session: Session, party: Party, entry: Entry) -> Reported:
    signed = denial(session, party.group_id, entry)
    return Reported(session.steps.continuity.own, entry.seq, entry.epoch, signed.commit, signed.signature)


async def entry_at(party: Party, seq: int) -> Entry:
    return (await party.sessions[0].delivery.entries(party.group_id, seq - 1)).entries[0]


async def cursor(session: Session, group_id: bytes) -> int:
    return (await session.find_chat(group_id.hex())).cursor


async def test_a_key_that_changes_between_two_commits_does_not_split_them(world, stack: AsyncExitStack) -> None:
    """The service takes both back together; a device that began anew with the second could not follow."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    before = await party.epochs()
    second = await stack.enter_async_context(world.holder(ALICE, "second"))
    await alice.refresh(party.group_id)
    group = await party.copy(alice)
    pending = group.commit(alice.now(), path=True, identity=second.steps.groups.engine)
    await party.post(alice, pending, poisoned=False)
    await bob.receive()
    await carol.receive()
    entry = await party.last_commit()
    for session in (bob, carol):
        await session.delivery.reject(party.group_id, denial(session, party.group_id, entry))
    for session in (bob, carol):
        assert len(taken_back(await session.receive())) == 1
    assert (await party.epochs())[1:] == before[1:]
    party.sessions = [bob, carol]
    await party.agree()


async def test_who_was_added_gives_up_although_its_inviter_went_on(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    dave = await party.guest(stack, DAVE)
    await alice.add(party.group_id, [DAVE])
    await dave.receive()
    await alice.refresh(party.group_id)
    await dave.receive()
    entry = await party.last_commit()
    for session in (bob, carol):
        await session.delivery.reject(party.group_id, denial(session, party.group_id, entry))
    assert len(taken_back(await dave.receive())) == 1
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.REMOVED
    await party.all_receive()
    await party.agree()


async def test_who_was_added_gives_up_although_it_rejected_what_came_next(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    dave = await party.guest(stack, DAVE)
    await alice.add(party.group_id, [DAVE])
    await dave.receive()
    await party.poison(alice)
    await dave.receive()
    await bob.receive()
    await carol.receive()
    assert len(taken_back(await dave.receive())) == 1
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.REMOVED
    assert [stored(dave, table) for table in ("earlier_epoch", "rejected_commit")] == [0, 0]
    await party.all_receive()
    await party.agree()


async def test_two_keys_in_a_row_do_not_split_commits_either(world, stack: AsyncExitStack) -> None:
    """A commit that changes the committer's key, and one by the new key."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    before = await party.epochs()
    second = await stack.enter_async_context(world.holder(ALICE, "second"))
    group = await party.copy(alice)
    pending = group.commit(alice.now(), path=True, identity=second.steps.groups.engine)
    await party.post(alice, pending, poisoned=False)
    group.apply(pending.secrets)
    await party.post(second, group.commit(alice.now(), path=True), poisoned=False)
    await bob.receive()
    await carol.receive()
    assert stored(bob, "earlier_epoch") == 1
    entry = await party.last_commit()
    for session in (bob, carol):
        await session.delivery.reject(party.group_id, denial(session, party.group_id, entry))
    for session in (bob, carol):
        assert len(taken_back(await session.receive())) == 1
    assert (await party.epochs())[1:] == before[1:]
    party.sessions = [bob, carol]
    await party.agree()


async def removed(world, stack: AsyncExitStack) -> tuple[Party, list[Session], int]:
    """Alice has removed Dave; everybody has read that, and a service that lies keeps saying that nothing stands."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, EVE, DAVE)
    alice, bob, carol, eve, _ = party.sessions
    await alice.remove(party.group_id, [DAVE])
    seq = await cursor(alice, party.group_id)
    for session in (bob, carol):
        entries = (await session.delivery.entries(party.group_id, await cursor(session, party.group_id))).entries
        await shown(party, session, *entries)
        assert stored(session, "earlier_epoch") == 1
    return party, [bob, carol, eve], seq


async def test_what_another_went_on_from_stands_whatever_the_service_says(world, stack: AsyncExitStack) -> None:
    """Reports of a later commit, with the number of the earlier one before them, do not bring Dave back."""
    party, (bob, carol, eve), seq = await removed(world, stack)
    await carol.send(party.group_id, "settles it")
    after = await cursor(bob, party.group_id)
    await shown(party, bob, *(await bob.delivery.entries(party.group_id, after)).entries)
    assert stored(bob, "earlier_epoch") == 0
    epoch = (await bob.find_chat(party.group_id.hex())).epoch
    poisoned = await party.poison(carol)
    entry = await entry_at(party, poisoned.seq)
    await shown(party, bob, entry)
    reports = [await report_of(session, party, entry) for session in (bob, eve)]
    lie = made(entry.seq + 1, seq, epoch - 1, reports)
    assert await shown(party, bob, lie) == ["unproven-rollback"]
    assert DAVE not in await bob.members(party.group_id)


async def test_another_makers_commit_speaks_for_its_own_and_for_none_before(world, stack: AsyncExitStack) -> None:
    """Nothing was written between the removal and Carol's bad commit: her commit alone shows that it stands."""
    party, (bob, carol, eve), seq = await removed(world, stack)
    epoch = (await bob.find_chat(party.group_id.hex())).epoch
    poisoned = await party.poison(carol)
    entry = await entry_at(party, poisoned.seq)
    await shown(party, bob, entry)
    reports = [await report_of(session, party, entry) for session in (bob, eve)]
    lie = made(entry.seq + 1, seq, epoch - 1, reports)
    assert await shown(party, bob, lie) == ["unproven-rollback"]
    assert DAVE not in await bob.members(party.group_id)


async def test_who_rejected_a_commit_goes_on_only_when_others_signed_that_too(world, stack: AsyncExitStack) -> None:
    """Else a service could spoil the removal of Dave for Bob, and let him go on writing to Dave."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, _ = party.sessions
    poisoned = await party.poison(alice, remove=[DAVE])
    entry = await entry_at(party, poisoned.seq)
    await shown(party, bob, entry)
    strange = Entry(entry.seq, entry.epoch, "commit", "0" * 32, entry.at_ms, b"another")
    for reports in ([], [await report_of(carol, party, strange)], [await report_of(carol, party, entry)] * 2):
        lie = made(await cursor(bob, party.group_id) + 1, entry.seq, entry.epoch, reports)
        assert await shown(party, bob, lie) == ["unproven-rollback"]
        assert (await bob.send(party.group_id, "not to Dave")).state == "queued"
    early = made(await cursor(bob, party.group_id) + 1, 1, entry.epoch, [await report_of(carol, party, entry)], of=1)
    assert await shown(party, bob, early) == ["unproven-rollback"]
    reports = [await report_of(session, party, entry) for session in (bob, carol)]
    assert await shown(party, bob, made(await cursor(bob, party.group_id) + 1, entry.seq, entry.epoch, reports)) == []


async def test_an_old_rollback_says_nothing_later_elsewhere_or_again(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    await party.poison(alice)
    await party.all_receive()
    await party.all_receive()
    (old,) = [each for each in (await bob.delivery.entries(party.group_id, 0)).entries if each.kind == "rollback"]
    await carol.refresh(party.group_id)
    await bob.receive()
    other = Party(world, party.sessions, (await carol.create_chat("other", [BOB, ALICE])).group_id)
    await other.all_receive()
    for at in (party, other):
        epoch = (await bob.find_chat(at.group_id.hex())).epoch
        for _ in range(2):
            lie = Entry(await cursor(bob, at.group_id) + 1, old.epoch, "rollback", "0" * 32, old.at_ms, old.body)
            assert await shown(at, bob, lie) == ["unproven-rollback"]
        assert (await bob.find_chat(at.group_id.hex())).epoch == epoch
        assert (await bob.find_chat(at.group_id.hex())).standing is Standing.ACTIVE


async def test_a_newcomer_does_not_leave_on_old_or_few_reports(world, stack: AsyncExitStack) -> None:
    """A rollback from before its time, a single member's word, or that of who invited."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, EVE)
    alice, bob, carol, eve = party.sessions
    await party.poison(alice)
    await carol.receive()
    await party.all_receive()
    await party.all_receive()
    old = [await report_of(session, party, await party.last_commit()) for session in (bob, eve)]
    dave = await party.guest(stack, DAVE)
    await carol.add(party.group_id, [DAVE])
    await dave.receive()
    entry = await entry_at(party, await cursor(dave, party.group_id))
    by_inviter = [await report_of(carol, party, entry)]
    for body in (
        made(0, 1, 0, old).body,
        made(0, entry.seq, entry.epoch, by_inviter, of=1).body,
        made(0, entry.seq, entry.epoch, [await report_of(bob, party, entry)], of=2).body,
        made(0, entry.seq, entry.epoch, [await report_of(dave, party, entry)], of=1).body,
    ):
        lie = Entry(await cursor(dave, party.group_id) + 1, entry.epoch, "rollback", "0" * 32, entry.at_ms, body)
        assert await shown(party, dave, lie) == ["unproven-rollback"]
        assert (await dave.find_chat(party.group_id.hex())).standing is Standing.ACTIVE


async def test_nothing_of_an_earlier_epoch_is_in_the_store_once_a_commit_stands(world, stack: AsyncExitStack) -> None:
    """Whoever has the store and its passphrase then finds the present epoch only, in whichever table they look."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    before = [(await party.copy(session)).delta().state for session in (alice, bob)]
    await alice.refresh(party.group_id)
    await bob.receive()
    for session, state in zip((alice, bob), before, strict=True):
        assert await found(party, session, state) > 5  # this is what the search finds until then
    await carol.receive()
    await carol.send(party.group_id, "settles it")
    await party.all_receive()
    for session, state in zip((alice, bob), before, strict=True):
        assert await found(party, session, state) == 0


async def found(party: Party, session: Session, state: bytes) -> int:
    """How many pieces of an earlier state, that are none of the present one, the decrypted store holds."""
    present = (await party.copy(session)).delta().state
    pieces = (state[start : start + 32] for start in range(0, len(state) - 32, 16))
    store = await session.worker.run(everything, session)
    return sum(piece in store for piece in pieces if piece not in present)


def everything(session: Session) -> bytes:
    """Each value of each row of each table."""
    store = session.steps.store
    tables = [name for (name,) in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    values = [value for name in tables for row in store.rows(f"SELECT * FROM {name}") for value in row]
    return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
