"""Whatever one member or one answer of the service says, a client ends, tells it once, and names who spoke."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import msgspec
import pytest

from client.defence.lies import LOST_LIMIT, Lie
from client.desk.agreement import require_one_history
from client.errors import ChatError, UnexpectedAnswerError
from client.events import Event, Gap, MessageReceived
from client.session import Session
from delivery_service.wire import EntryBatch
from identity.number import TelephoneNumber
from lab.lying import LyingTransport
from tests.client.conftest import PASSPHRASE, Clock

ALICE, BOB, MALLORY, DAVE = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4, 5))
READINGS = 50  # far more than any client needs for a few entries


@dataclass
class Table:
    """Alice, Bob, to whom the service can lie, and Mallory, whose clock is their own, in one chat."""

    alice: Session
    bob: Session
    mallory: Session
    mallorys: Clock
    liar: LyingTransport
    group: bytes

    async def place(self, session: Session) -> int:
        return (await session.find_chat(self.group.hex())).cursor


@pytest.fixture
async def table(world, stack: AsyncExitStack) -> AsyncIterator[Table]:
    (alice,) = await world.people(stack, ALICE)
    liar, mallorys = LyingTransport(world.network), Clock(world.clock.now)
    sessions = []
    for number, transport, clock in ((BOB, liar, world.clock), (MALLORY, world.network, mallorys)):
        await world.enrol(number)
        opening = Session.open(world.home(number), PASSPHRASE, clock=clock, transport=transport, jitter=0)
        sessions.append(await stack.enter_async_context(opening))
        await sessions[-1].receive()
    chat = await alice.create_chat("calm", [BOB, MALLORY])
    table = Table(alice, *sessions, mallorys, liar, chat.group_id)
    for session in (alice, *sessions) * 2:
        await session.receive()
    return table


def gaps(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Gap)]


def texts(events: list[Event]) -> list[str]:
    return [event.message.text for event in events if isinstance(event, MessageReceived)]


async def lines(session: Session, group: bytes) -> list[str]:
    return [row.text for row in await session.history(group) if row.kind == "gap"]


async def test_a_withheld_change_before_more_than_one_answer_ends_the_reading(table: Table) -> None:
    commit = await table.place(table.alice) + 1
    table.liar.drop = lambda entry: entry.seq == commit
    await table.alice.refresh(table.group)
    await table.alice.send(table.group, "in the next epoch")
    readings: list[EntryBatch] = []

    def unfinished(batch: EntryBatch) -> EntryBatch:
        readings.append(batch)
        assert len(readings) < READINGS, "the client asks for ever"
        return msgspec.structs.replace(batch, more=bool(batch.entries))

    table.liar.answer = unfinished
    assert gaps(await table.bob.receive()) == [Lie.WITHHELD_COMMIT]
    table.liar.give_back()
    table.liar.answer = lambda batch: batch
    assert texts(await table.bob.receive()) == ["in the next epoch"]


async def test_missing_entries_that_come_under_one_number_are_not_taken(world, table: Table) -> None:
    first = await table.place(table.alice) + 1
    table.liar.drop = lambda entry: first <= entry.seq <= first + 1
    for text in ("one", "two", "three"):
        await table.alice.send(table.group, text)
    assert texts(await table.bob.receive()) == ["three"]

    def one_place(batch: EntryBatch) -> EntryBatch:
        late = [entry for entry in batch.entries if entry.seq <= first + 1]
        rest = [entry for entry in batch.entries if entry.seq > first + 1]
        moved = [msgspec.structs.replace(entry, seq=first) for entry in late]
        return msgspec.structs.replace(batch, entries=[*moved, *rest])

    table.liar.give_back()
    table.liar.answer = one_place
    world.clock.now += 61
    await table.alice.send(table.group, "four")
    assert texts(await table.bob.receive()) == ["four"]
    table.liar.answer = lambda batch: batch
    world.clock.now += 61
    await table.alice.send(table.group, "five")
    assert sorted(texts(await table.bob.receive())) == ["five", "one", "two"]


async def test_a_member_who_signs_for_the_future_is_named_once_beside_the_service(world, table: Table) -> None:
    table.mallorys.now += 540
    for number in range(5):
        await table.mallory.send(table.group, f"from the future {number}")
    world.clock.now += 7_200
    events = await table.bob.receive()
    assert len(texts(events)) == 5
    (line,) = await lines(table.bob, table.group)
    assert str(MALLORY) in line
    assert "device" in line


async def test_a_message_that_another_member_posts_again_is_no_sign_of_a_stolen_key(table: Table) -> None:
    """The record of a log is bounded, and a store of an earlier version has none: neither makes an alarm."""
    await table.alice.send(table.group, "once")
    run, steps = table.alice.worker.run, table.alice.steps
    (entry,) = [
        each
        for each in (await table.mallory.delivery.entries(table.group, 0)).entries
        if each.seq == await table.place(table.alice)
    ]
    await run(steps.store.execute, "DELETE FROM log_entry")
    await table.mallory.delivery.append(table.group, entry.body, secrets.token_hex(16))
    await table.alice.receive()
    assert await run(steps.alarms.waiting) == 0


async def says_wrong_things(table: Table, text: str) -> None:
    """Mallory begins an epoch and reports another history of it than everybody was shown."""
    await table.mallory.refresh(table.group)
    wrong = "UPDATE log_entry SET digest = randomblob(16)"
    await table.mallory.worker.run(table.mallory.steps.store.execute, wrong)
    await table.mallory.send(table.group, text)


async def test_one_member_s_word_stops_nobody_more_than_once(table: Table) -> None:
    run, steps = table.bob.worker.run, table.bob.steps
    await says_wrong_things(table, "one")
    assert gaps(await table.bob.receive()) == [Lie.FORKED]
    assert "a member says" in (await run(steps.lookout.troubles.marks))[table.group]
    with pytest.raises(ChatError, match="a member says"):
        await run(require_one_history, steps, table.group)
    for text in ("two", "three"):
        await says_wrong_things(table, text)
        assert gaps(await table.bob.receive()) == [Lie.FORKED]
        await run(require_one_history, steps, table.group)
    assert all(str(MALLORY) in line for line in await lines(table.bob, table.group))


async def test_what_nobody_can_read_or_has_read_before_leaves_one_line_however_often_it_is_posted(table: Table) -> None:
    await table.alice.send(table.group, "once")
    log = (await table.mallory.delivery.entries(table.group, 0)).entries
    body = log[-1].body
    garbage = [body[:-1] + bytes([body[-1] ^ bit]) for bit in (1, 2, 4)]
    for octets in (body, garbage[0], body, garbage[1], body, garbage[2]):
        await table.mallory.delivery.append(table.group, octets, secrets.token_hex(16))
    assert texts(await table.bob.receive()) == ["once"]
    replayed, unreadable = await lines(table.bob, table.group)
    assert "replay" in replayed
    assert all(line.endswith("(3 times)") for line in (replayed, unreadable))
    await table.alice.receive()
    assert len(await lines(table.alice, table.group)) == 2
    await table.alice.send(table.group, "and on")
    assert texts(await table.bob.receive()) == ["and on"]


async def test_of_a_chat_that_one_is_no_longer_in_no_record_is_kept(table: Table) -> None:
    async def kept(session: Session) -> list[int]:
        counts = [f"SELECT count(*) FROM {name}" for name in ("log_entry", "log_word", "log_seen")]
        return [(await session.worker.run(session.steps.store.row, count))[0] for count in counts]

    await table.alice.send(table.group, "a word")
    await table.bob.receive()
    assert all(await kept(table.bob))
    await table.alice.remove(table.group, [BOB])
    await table.bob.receive()
    assert await kept(table.bob) == [0, 0, 0]
    await table.mallory.leave(table.group)
    await table.alice.receive()
    await table.mallory.receive()
    assert await kept(table.mallory) == [0, 0, 0]
    await table.alice.leave(table.group)
    assert await kept(table.alice) == [0, 0, 0]


async def test_a_change_that_is_never_shown_is_given_up_although_its_octets_are_the_same(
    world, stack: AsyncExitStack, table: Table
) -> None:
    await world.people(stack, DAVE)
    posts: list[httpx.Request] = []

    def commits(request: httpx.Request) -> bool:
        commit = request.url.path.endswith("/commits")
        posts.extend([request] if commit else [])
        return commit

    table.liar.swallow = commits
    with pytest.raises(UnexpectedAnswerError):
        await table.bob.add(table.group, [DAVE])
    for _ in range(4):
        await table.bob.receive()
    assert len(posts) == LOST_LIMIT + 1
    assert "not sent again by itself" in (await lines(table.bob, table.group))[-1]
