"""What members tell each other about the log: agreement when the service is honest, and a name for each lie."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.defence.lies import CLOCK_LIMIT, HELD_BACK_LIMIT, Lie, look
from client.defence.witness import EXTENSION, Witness, advance, from_plain, start, to_plain, witness_of
from client.errors import ContentError
from client.events import Event, Gap, MessageReceived
from client.formats import cbor
from client.formats.content import decode
from client.session import Session
from delivery_service.wire import Entry, EntryBatch
from identity.number import TelephoneNumber
from lab.lying import LyingTransport, duplicated, everything, nothing, reordered
from tests.client.conftest import PASSPHRASE

ALICE, BOB, CAROL, DAVE = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4, 5))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@dataclass
class Scene:
    """Three people in a chat; the service lies to Bob as `liar` wants it."""

    alice: Session
    bob: Session
    carol: Session
    liar: LyingTransport
    group: bytes

    async def everybody_reads(self) -> list[list[Event]]:
        return [await session.receive() for session in (self.alice, self.bob, self.carol)]

    async def place(self, session: Session) -> int:
        return (await session.find_chat(self.group.hex())).cursor


@pytest.fixture
async def scene(world, stack: AsyncExitStack) -> AsyncIterator[Scene]:
    alice, carol = await world.people(stack, ALICE, CAROL)
    await world.enrol(BOB)
    liar = LyingTransport(world.network)
    bob = await stack.enter_async_context(
        Session.open(world.home(BOB), PASSPHRASE, clock=world.clock, transport=liar, jitter=0)
    )
    await bob.receive()
    chat = await alice.create_chat("lies", [BOB, CAROL])
    scene = Scene(alice, bob, carol, liar, chat.group_id)
    await scene.everybody_reads()
    await scene.everybody_reads()
    return scene


def gaps(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Gap)]


def texts(events: list[Event]) -> list[str]:
    return [event.message.text for event in events if isinstance(event, MessageReceived)]


async def lines(session: Session, group: bytes) -> list[str]:
    return [row.text for row in await session.history(group) if row.kind == "gap"]


def fork(scene: Scene) -> None:
    """From now on Bob is shown a history without what Alice says; the numbers are closed up."""
    hidden: set[bytes] = set()

    def of_alice(entry: Entry) -> bool:
        if not hidden:
            hidden.add(entry.body)
        return entry.body in hidden

    scene.liar.hide = of_alice


def test_the_digest_is_the_one_that_the_specification_states() -> None:
    authenticator, body = b"\xaa" * 32, b"\xbb" * 32
    begun = hashlib.sha256(b"ringtrue log\0" + authenticator + (7).to_bytes(8)).digest()[:16]
    assert start(authenticator, 7) == begun
    assert begun.hex() == "2020438d0e9ec18316ac800c6387b429"
    next_one = hashlib.sha256(begun + (8).to_bytes(8) + b"application\0" + body).digest()[:16]
    assert advance(begun, 8, "application", body) == next_one
    assert next_one.hex() == "877ad3e4cdb87d4e27655f3c2c01f71d"
    assert advance(b"", 8, "application", body) == b""


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), st.binary(min_size=16, max_size=16))
def test_a_witness_survives_its_encoding(epoch: int, seq: int, digest: bytes) -> None:
    witness = Witness(epoch, seq, digest)
    assert from_plain(cbor.decode(cbor.encode(to_plain(witness)), depth=1)) == witness


@given(PLAIN)
def test_no_value_breaks_the_reading_of_a_witness(plain: cbor.Plain) -> None:
    try:
        witness = from_plain(plain)
    except ContentError:
        assert witness_of({EXTENSION: plain}) is None
    else:
        assert to_plain(witness) == plain


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 20), st.integers(0, 20))
def test_any_answer_becomes_entries_in_order_after_the_cursor(numbers: list[int], head: int, after: int) -> None:
    entries = [Entry(number, 1, "application", "0" * 32, 0, bytes([number])) for number in numbers]
    looked = look(EntryBatch(entries, head, False), after)
    places = [entry.seq for entry in looked.entries]
    assert places == sorted({number for number in numbers if number > after})
    honest = numbers == sorted(set(numbers)) and all(after < number <= head for number in numbers) and head >= after
    assert bool(looked.lies) != honest


async def test_members_agree_about_an_honest_log(scene: Scene) -> None:
    for number, session in enumerate((scene.alice, scene.bob, scene.carol, scene.alice)):
        await session.send(scene.group, f"word {number}")
        assert not [code for events in await scene.everybody_reads() for code in gaps(events)]
    words = await scene.carol.worker.run(scene.carol.steps.lookout.words.of, scene.group)
    agreeing = {device.split("/")[0]: word.agrees for device, word in words.items() if word.agrees is not None}
    assert agreeing == {ALICE.e164: True, BOB.e164: True}


async def test_the_witness_is_inside_the_encryption_and_under_the_proof(scene: Scene) -> None:
    await scene.alice.send(scene.group, "said")
    (event,) = [event for event in await scene.carol.receive() if isinstance(event, MessageReceived)]
    witness = witness_of(decode(event.message.framed).extensions)
    assert witness is not None
    assert witness.seq == event.message.seq - 1
    assert event.message.verification.verdict == "verified"  # whose digest covers exactly these octets


async def test_a_message_without_a_witness_is_read_like_any_other(scene: Scene) -> None:
    # As after an update of a program that kept no record yet.
    await scene.alice.worker.run(scene.alice.steps.store.execute, "DELETE FROM log_entry")
    assert scene.alice.steps.lookout.record.witness(scene.group) is None
    await scene.alice.send(scene.group, "from an older program")
    events = await scene.bob.receive()
    assert texts(events) == ["from an older program"]
    assert not gaps(events)


async def test_a_fork_is_named_in_both_halves(scene: Scene) -> None:
    fork(scene)
    await scene.alice.send(scene.group, "only for Carol")
    assert texts(await scene.carol.receive()) == ["only for Carol"]
    assert texts(await scene.bob.receive()) == []
    await scene.carol.send(scene.group, "for both")
    bobs = await scene.bob.receive()
    assert texts(bobs) == ["for both"]
    assert gaps(bobs) == [Lie.CLOSED_UP]  # Carol has read one entry more than Bob
    await scene.bob.send(scene.group, "answer")
    assert gaps(await scene.carol.receive()) == [Lie.FORKED]
    assert gaps(await scene.alice.receive()) == [Lie.FORKED]
    (words,) = await lines(scene.alice, scene.group)
    assert str(BOB) in words
    assert "different histories" in words


async def test_a_fork_is_told_once(scene: Scene) -> None:
    fork(scene)
    await scene.alice.send(scene.group, "hidden")
    for number in range(4):
        await scene.carol.send(scene.group, f"shown {number}")
        await scene.bob.receive()
    assert len(await lines(scene.bob, scene.group)) == 1
    await scene.bob.send(scene.group, "answer")
    await scene.bob.send(scene.group, "another")
    await scene.carol.receive()
    assert len(await lines(scene.carol, scene.group)) == 1


async def test_a_withheld_tail_names_who_has_seen_more_and_how_much(scene: Scene) -> None:
    wanted = await scene.place(scene.alice)
    scene.liar.hide = lambda entry: wanted < entry.seq <= wanted + 2
    await scene.alice.send(scene.group, "one")
    await scene.alice.send(scene.group, "two")
    await scene.carol.receive()
    await scene.carol.send(scene.group, "three")
    events = await scene.bob.receive()
    assert gaps(events) == [Lie.CLOSED_UP]
    (words,) = await lines(scene.bob, scene.group)
    assert str(CAROL) in words
    assert "2 entries" in words


async def test_what_a_second_reading_shows_leaves_no_line_but_is_counted(scene: Scene) -> None:
    await scene.alice.send(scene.group, "one")
    await scene.alice.send(scene.group, "two")

    def once(batch: EntryBatch) -> EntryBatch:
        scene.liar.answer = lambda honest: honest
        return msgspec.structs.replace(batch, entries=batch.entries[1:])

    scene.liar.answer = once
    events = await scene.bob.receive()
    assert texts(events) == ["one", "two"]
    assert not gaps(events)
    troubles = await scene.bob.worker.run(scene.bob.steps.lookout.troubles.of, scene.group)
    assert [(each.code, each.count) for each in troubles] == [(Lie.READ_AGAIN, 1)]


async def test_what_was_left_out_and_comes_after_all_is_read_and_called_late(world, scene: Scene) -> None:
    scene.liar.drop = lambda entry: entry.seq == dropped
    dropped = await scene.place(scene.alice) + 1
    await scene.alice.send(scene.group, "held")
    await scene.alice.send(scene.group, "shown")
    events = await scene.bob.receive()
    assert (texts(events), gaps(events)) == (["shown"], [Lie.WITHHELD])
    scene.liar.give_back()
    world.clock.now += 61
    await scene.alice.send(scene.group, "later")
    events = await scene.bob.receive()
    assert (texts(events), gaps(events)) == (["later", "held"], [Lie.LATE])
    await scene.bob.send(scene.group, "all here")
    assert not gaps(await scene.alice.receive())
    words = await scene.alice.worker.run(scene.alice.steps.lookout.words.of, scene.group)
    assert [word.agrees for device, word in words.items() if device.startswith(BOB.e164)] == [True]


async def test_a_withheld_change_of_the_group_stops_reading_until_it_comes(scene: Scene) -> None:
    commit = await scene.place(scene.alice) + 1
    scene.liar.drop = lambda entry: entry.seq == commit
    await scene.alice.refresh(scene.group)
    await scene.alice.send(scene.group, "in the next epoch")
    events = await scene.bob.receive()
    assert (texts(events), gaps(events)) == ([], [Lie.WITHHELD_COMMIT])
    assert not gaps(await scene.bob.receive())  # it is told once
    scene.liar.give_back()
    events = await scene.bob.receive()
    assert (texts(events), gaps(events)) == (["in the next epoch"], [Lie.LATE])
    assert await scene.place(scene.bob) == await scene.place(scene.alice)


@pytest.mark.parametrize(("answer", "lie"), [(reordered, Lie.REORDERED), (duplicated, Lie.DUPLICATED)])
async def test_a_disorderly_answer_is_put_in_order_and_named(
    scene: Scene, answer: Callable[[EntryBatch], EntryBatch], lie: Lie
) -> None:
    for text in ("one", "two", "three"):
        await scene.alice.send(scene.group, text)
    scene.liar.answer = answer
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([lie], ["one", "two", "three"])


async def test_two_entries_for_one_place_are_a_contradiction(scene: Scene) -> None:
    await scene.alice.send(scene.group, "one")

    def contradict(batch: EntryBatch) -> EntryBatch:
        other = msgspec.structs.replace(batch.entries[-1], body=b"something else")
        return msgspec.structs.replace(batch, entries=[*batch.entries, other])

    scene.liar.answer = contradict
    events = await scene.bob.receive()
    assert Lie.CONTRADICTED in gaps(events)
    assert texts(events) == ["one"]
    assert await scene.bob.worker.run(scene.bob.steps.lookout.troubles.is_forked, scene.group)


async def test_what_lies_before_the_cursor_is_passed_over_and_named(scene: Scene) -> None:
    await scene.alice.send(scene.group, "one")
    await scene.bob.receive()
    await scene.alice.send(scene.group, "two")

    def again(batch: EntryBatch) -> EntryBatch:
        old = [msgspec.structs.replace(entry, seq=entry.seq - 1) for entry in batch.entries[:1]]
        return msgspec.structs.replace(batch, entries=[*old, *batch.entries])

    scene.liar.answer = again
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([Lie.SERVED_AGAIN], ["two"])


async def test_more_than_the_service_says_there_is_is_named(scene: Scene) -> None:
    await scene.alice.send(scene.group, "one")
    scene.liar.answer = lambda batch: msgspec.structs.replace(batch, head=batch.head - 1)
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([Lie.BEYOND_HEAD], ["one"])


async def test_a_log_that_ends_before_what_was_read_is_named(scene: Scene) -> None:
    await scene.alice.send(scene.group, "one")
    await scene.bob.receive()
    scene.liar.answer = lambda batch: EntryBatch([], 1, False)
    await scene.alice.send(scene.group, "two")
    assert gaps(await scene.bob.receive()) == [Lie.HEAD_BACK]
    scene.liar.answer = lambda batch: batch
    assert texts(await scene.bob.receive()) == ["two"]


async def test_old_octets_in_a_new_place_are_a_replay(scene: Scene) -> None:
    scene.liar.replay = everything
    await scene.alice.send(scene.group, "once")
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([Lie.REPLAYED], ["once"])


async def test_an_own_message_replayed_is_no_sign_of_an_old_copy_of_the_store(scene: Scene) -> None:
    scene.liar.replay = everything
    await scene.bob.send(scene.group, "mine")
    await scene.bob.receive()
    assert [line for line in await lines(scene.bob, scene.group) if "replay" in line]
    assert (await scene.bob.find_chat(scene.group.hex())).epoch == (await scene.alice.find_chat("lies")).epoch


async def test_an_accepted_message_that_is_not_shown_is_named_and_sent_again(scene: Scene) -> None:
    bodies: list[bytes] = []

    def first_of_bob(entry: Entry) -> bool:
        bodies.append(entry.body)
        return entry.body == bodies[0]

    scene.liar.hide = first_of_bob
    message = await scene.bob.send(scene.group, "do you read me")
    events = await scene.bob.receive()
    assert message.state == "delivered"
    assert any("accepted something of yours" in line for line in await lines(scene.bob, scene.group)), events
    for reader in (scene.alice, scene.carol):
        read = await reader.receive()
        assert texts(read) == ["do you read me"]  # once, although the log has it twice


async def test_what_was_accepted_and_thrown_away_arrives_after_all(scene: Scene) -> None:
    asked: list[httpx.Request] = []

    def first(request: httpx.Request) -> bool:
        asked.append(request)
        return len(asked) == 1

    scene.liar.swallow = first
    message = await scene.bob.send(scene.group, "do you read me")
    assert message.state == "delivered"
    assert texts(await scene.alice.receive()) == ["do you read me"]


async def test_what_is_never_shown_is_given_up_after_a_few_times(scene: Scene) -> None:
    scene.liar.hide = everything
    message = await scene.bob.send(scene.group, "into the void")
    for _ in range(6):
        await scene.bob.receive()
    message = await scene.bob.worker.run(scene.bob.steps.history.get, message.id)
    assert message.state == "failed"
    assert "does not show it" in (message.reason or "")


async def test_an_accepted_change_that_is_not_shown_is_made_again(scene: Scene) -> None:
    swallowed: list[str] = []

    def first(request: httpx.Request) -> bool:
        swallowed.append(request.url.path)
        return len(swallowed) == 1

    scene.liar.swallow = first
    await scene.bob.refresh(scene.group)
    assert any("accepted something of yours" in line for line in await lines(scene.bob, scene.group))
    assert swallowed[0].endswith("/commits")
    await scene.alice.receive()
    await scene.bob.send(scene.group, "with new keys")
    assert texts(await scene.alice.receive()) == ["with new keys"]


async def test_what_was_not_there_when_the_log_was_at_its_end_was_held_back(world, scene: Scene) -> None:
    scene.liar.hold()
    await scene.alice.send(scene.group, "urgent")
    world.clock.now += HELD_BACK_LIMIT + 3600
    assert not await scene.bob.receive()  # the service says that there is nothing new
    scene.liar.release()
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([Lie.HELD_BACK], ["urgent"])
    assert any("held this back for 1 hour" in line for line in await lines(scene.bob, scene.group))


async def test_a_device_that_was_away_sees_no_delay(world, scene: Scene) -> None:
    await scene.alice.send(scene.group, "while you were away")
    world.clock.now += 86_400
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([], ["while you were away"])


async def test_somebody_who_joins_late_sees_no_delay(world, stack: AsyncExitStack, scene: Scene) -> None:
    (dave,) = await world.people(stack, DAVE)
    await scene.alice.add(scene.group, [DAVE])
    await scene.alice.send(scene.group, "welcome, whenever you come")
    world.clock.now += 2 * 86_400
    assert not gaps(await dave.receive())
    await dave.send(scene.group, "here")
    await scene.bob.receive()
    for events in await scene.everybody_reads():
        assert not gaps(events)


async def test_times_that_run_back_are_named(world, scene: Scene) -> None:
    await scene.alice.send(scene.group, "now")
    await scene.bob.receive()
    scene.liar.backdate = (CLOCK_LIMIT + 60) * 1000
    await scene.alice.send(scene.group, "said to be older")
    assert gaps(await scene.bob.receive()) == [Lie.CLOCK_BACK]


async def test_a_time_before_the_signature_is_named(world, scene: Scene) -> None:
    world.clock.now += 86_400
    scene.liar.backdate = 3_600_000
    await scene.alice.send(scene.group, "signed just now")
    world.clock.now += 10
    assert gaps(await scene.bob.receive()) == [Lie.CLOCK_BACK]
    assert any(f"before {ALICE} signed it" in line for line in await lines(scene.bob, scene.group))


@pytest.mark.parametrize("seconds", [-CLOCK_LIMIT + 60, CLOCK_LIMIT - 60])
async def test_a_clock_that_is_a_little_wrong_is_no_lie(world, scene: Scene, seconds: int) -> None:
    await scene.alice.send(scene.group, "now")
    await scene.bob.receive()
    scene.liar.backdate = seconds * 1000
    await scene.alice.send(scene.group, "still now")
    assert not gaps(await scene.bob.receive())


async def test_an_entry_under_a_wrong_label_is_named(scene: Scene) -> None:
    await scene.alice.send(scene.group, "mine")

    def relabel(batch: EntryBatch) -> EntryBatch:
        entries = [msgspec.structs.replace(entry, epoch=entry.epoch + 1) for entry in batch.entries]
        return msgspec.structs.replace(batch, entries=entries)

    scene.liar.answer = relabel
    events = await scene.bob.receive()
    assert (gaps(events), texts(events)) == ([Lie.MISLABELLED], ["mine"])


async def test_a_swapped_pair_is_a_fork(scene: Scene) -> None:
    first = await scene.place(scene.alice) + 1
    scene.liar.swap = lambda entry: entry.seq == first
    await scene.alice.send(scene.group, "one")
    await scene.alice.send(scene.group, "two")
    events = await scene.bob.receive()
    assert texts(events) == ["two", "one"]
    await scene.alice.send(scene.group, "three")
    assert Lie.FORKED in [*gaps(events), *gaps(await scene.bob.receive())]
    scene.liar.swap = nothing


async def test_somebody_added_and_never_heard_is_waited_for_and_then_overdue(
    world, stack: AsyncExitStack, scene: Scene
) -> None:
    (dave,) = await world.people(stack, DAVE)
    await scene.alice.add(scene.group, [DAVE])
    words = await scene.alice.worker.run(scene.alice.steps.lookout.words.of, scene.group)
    (word,) = [word for device, word in words.items() if device.startswith(DAVE.e164)]
    assert word.is_awaited
    assert not word.is_overdue(int(world.clock()))
    assert word.is_overdue(int(world.clock()) + 4 * 86_400)
    await dave.receive()
    await dave.send(scene.group, "here I am")
    await scene.alice.receive()
    words = await scene.alice.worker.run(scene.alice.steps.lookout.words.of, scene.group)
    assert not any(word.is_awaited for device, word in words.items() if device.startswith(DAVE.e164))
