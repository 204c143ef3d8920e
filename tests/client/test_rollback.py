"""A commit that members cannot apply is taken back by them, and the chat goes on; liars can make nobody fork."""

from contextlib import AsyncExitStack

import pytest

from client.defence.log_record import LogRecord
from client.errors import GroupRefusedError
from client.events import Gap
from client.records.chats import Standing
from client.records.outbox import Outbox
from client.session import Session
from client.steps.groups import Groups
from client.steps.rollback import Rollbacks
from tests.client.rollback_scene import ALICE, BOB, CAROL, DAVE, Party, stored, taken_back


async def test_a_poisoned_commit_is_taken_back_and_the_chat_goes_on(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    before = await party.epochs()
    await party.poison(alice)
    (gap,) = [event for event in await bob.receive() if isinstance(event, Gap)]
    assert gap.code == "invalid_confirmation"
    assert "what you write waits until most devices have said" in (await bob.history(party.group_id))[-1].text
    message = await bob.send(party.group_id, "waits")
    assert message.state == "queued"
    await carol.receive()  # the second of two, so that the commit is taken back
    told = taken_back(await bob.receive())
    assert [each.words for each in told] == [
        "+1 202-555-0142 changed the chat in a way that nobody can apply; 2 of 2 devices reported it; "
        "the change was taken back."
    ]
    assert await party.words(carol) == [each.words for each in told]
    assert (await bob.history(party.group_id))[-1].text == told[0].words
    await party.all_receive()
    assert await party.epochs() == before
    assert "waits" in [row.text for row in await carol.history(party.group_id)]
    await party.agree()
    await bob.refresh(party.group_id)
    await party.all_receive()
    await party.agree()


async def test_who_made_the_commit_with_an_honest_program_goes_back_as_well(world, stack: AsyncExitStack) -> None:
    """Two of three deny an honest commit: outvoted, its maker and whoever had applied it are told, and do not fork."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await alice.refresh(party.group_id)
    seq = (await alice.find_chat(party.group_id.hex())).cursor
    await bob.receive()
    sent = await alice.send(party.group_id, "written in the epoch that is undone")
    assert sent.state == "delivered"
    await bob.receive()
    assert not (await party.deny(carol, seq)).rollback
    assert (await party.deny(dave, seq)).rollback
    (told,) = taken_back(await bob.receive())
    assert "although this device could" in told.words
    (told,) = taken_back(await alice.receive())
    assert told.words.startswith("You changed the chat, and 2 of 3 devices reported")
    await party.all_receive()
    await party.agree()
    for reader in (bob, carol, dave):
        texts = [row.text for row in await reader.history(party.group_id)]
        assert texts.count("written in the epoch that is undone") == 1
    with pytest.raises(GroupRefusedError, match="ROLLBACK_PENALTY"):
        await alice.refresh(party.group_id)
    world.clock.now += 3601
    await alice.refresh(party.group_id)
    await party.all_receive()
    await party.agree()


async def test_a_commit_that_another_went_on_from_is_never_taken_back(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await alice.refresh(party.group_id)
    seq = (await alice.find_chat(party.group_id.hex())).cursor
    await bob.receive()
    assert [stored(session, "earlier_epoch") for session in (alice, bob)] == [1, 1]
    await bob.send(party.group_id, "settles it")
    await party.all_receive()
    assert [stored(session, "earlier_epoch") for session in party.sessions] == [0, 0, 0, 0]
    for liar in (carol, dave):
        with pytest.raises(Exception, match="stands") as refused:
            await party.deny(liar, seq)
        assert refused.value.code == "settled"
    await party.agree()


async def test_an_invitation_by_a_commit_that_was_taken_back_is_withdrawn(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    dave = await party.guest(stack, DAVE)
    await party.poison(alice, add=[DAVE])
    await dave.receive()
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.ACTIVE
    await bob.receive()
    await carol.receive()
    (told,) = taken_back(await dave.receive())
    assert "the invitation with it" in told.words
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.REMOVED
    await party.all_receive()
    await party.agree()
    await bob.add(party.group_id, [DAVE])
    await dave.receive()
    await party.all_receive()
    await party.agree(*party.sessions, dave)


async def test_who_was_removed_by_a_commit_that_was_taken_back_is_a_member_again(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await party.poison(alice, remove=[DAVE])
    await dave.receive()
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.REMOVED
    await bob.receive()
    await carol.receive()
    (told,) = taken_back(await dave.receive())
    assert "this device is in the chat as before" in told.words
    assert (await dave.find_chat(party.group_id.hex())).standing is Standing.ACTIVE
    await party.all_receive()
    await party.agree()


async def test_two_poisoned_commits_in_a_row_are_taken_back_together(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL)
    alice, bob, carol = party.sessions
    before = await party.epochs()
    await alice.refresh(party.group_id)
    await bob.receive()  # the first can be applied, and is by one of the two
    await party.poison(alice)
    await carol.receive()
    await bob.receive()
    await party.all_receive()
    assert await party.epochs() == before
    await party.agree()


async def test_a_device_that_was_away_reads_over_what_was_taken_back(world, stack: AsyncExitStack) -> None:
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await party.poison(alice)
    await bob.receive()
    await carol.receive()
    await bob.refresh(party.group_id)
    await bob.send(party.group_id, "after it")
    await dave.receive()
    assert "after it" in [row.text for row in await dave.history(party.group_id)]
    await party.all_receive()
    await party.agree()


@pytest.mark.parametrize("signers", [[], ["carol"], ["carol", "carol as bob"], ["carol", "dave"], ["carol", "alice"]])
async def test_a_rollback_that_most_members_did_not_sign_is_not_followed(
    world, stack: AsyncExitStack, signers: list[str]
) -> None:
    """The service alone cannot undo a change, for instance the removal of Dave, nor can he or who made it help."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, dave = party.sessions
    await alice.remove(party.group_id, [DAVE])
    await bob.receive()
    epoch = (await bob.find_chat(party.group_id.hex())).epoch
    by = {"alice": (alice, alice), "carol": (carol, carol), "carol as bob": (carol, bob), "dave": (dave, dave)}
    reports = [await party.report(*by[name]) for name in signers]
    entry = await party.rollback(epoch - 1, reports)
    events = await bob.worker.run(bob.steps.receiver.receive, party.group_id, [entry], bob.now())
    assert [event.code for event in events if isinstance(event, Gap)] == ["unproven-rollback"]
    assert (await bob.find_chat(party.group_id.hex())).epoch == epoch
    assert len(set(await bob.members(party.group_id))) == 3


async def test_a_rollback_that_members_signed_is_followed_whoever_hands_it_out(world, stack: AsyncExitStack) -> None:
    """The control of the test above: the same entry with enough reports."""
    party = await Party.of(world, stack, ALICE, BOB, CAROL, DAVE)
    alice, bob, carol, _ = party.sessions
    await alice.remove(party.group_id, [DAVE])
    await bob.receive()
    epoch = (await bob.find_chat(party.group_id.hex())).epoch
    entry = await party.rollback(epoch - 1, [await party.report(carol, carol), await party.report(bob, bob)])
    events = await bob.worker.run(bob.steps.receiver.receive, party.group_id, [entry], bob.now())
    assert len(taken_back(events)) == 1
    assert (await bob.find_chat(party.group_id.hex())).epoch == epoch - 1
    assert len(set(await bob.members(party.group_id))) == 4


async def receive_often(session: Session) -> None:
    for _ in range(3):
        await session.receive()


class CrashError(Exception):
    """The process ends here."""


def crash_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[int]:
    """Let a method do its work and then end the process, the first time; returns how often it was called."""
    honest, calls = getattr(owner, name), []

    def crashing(*arguments, **named):
        result = honest(*arguments, **named)
        calls.append(1)
        if len(calls) == 1:
            raise CrashError
        return result

    monkeypatch.setattr(owner, name, crashing)
    return calls


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Rollbacks, "applied"),
        (Rollbacks, "reject"),
        (Rollbacks, "due"),
        (Rollbacks, "reported"),
        (Rollbacks, "taken_back"),
        (Groups, "go_back"),
        (Outbox, "taken_back"),
        (LogRecord, "cut"),
    ],
)
async def test_a_device_that_crashes_anywhere_on_the_way_back_gets_there(
    world, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    """Bob applies a good commit and rejects the next; his process ends somewhere, and he begins again from the disk."""
    alice, carol = await world.people(stack, ALICE, CAROL)
    async with AsyncExitStack() as his:
        (bob,) = await world.people(his, BOB)
        party = Party(world, [alice, bob, carol], (await alice.create_chat("party", [BOB, CAROL])).group_id)
        await party.all_receive()
        await carol.send(party.group_id, "settles it")
        await party.all_receive()
        before = await party.epochs()
        await alice.refresh(party.group_id)
        await party.poison(alice)
        await carol.receive()
        calls = crash_once(monkeypatch, owner, name)
        with pytest.raises(CrashError):
            await receive_often(bob)
    monkeypatch.undo()
    assert calls == [1]
    bob = await stack.enter_async_context(world.open(BOB))
    party.sessions = [alice, bob, carol]
    await party.all_receive()
    await party.all_receive()
    assert await party.epochs() == before
    assert len(await party.words(bob)) == 1
    await party.agree()
