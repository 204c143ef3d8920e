"""The desk: what a person can do with an account, between real people over the real services."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import httpx
import pytest

from client.desk.desk import Desk, open_desk
from client.desk.told import AskAnswered, MessageArrived, MessageChanged, RequestArrived, Told
from client.desk.views import ChatView, MessageView
from client.errors import AskedFirstError, ChatError, ClientError
from client.formats.content import decode, edit, encode
from client.records.outbox import new_idempotency_key
from identity.number import TelephoneNumber
from tests.client.conftest import Network

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
PASSPHRASE = "correct horse"


class Person:
    """A desk and everything that it has told."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.told: list[Told] = []

    async def listen(self) -> None:
        async with aclosing(self.desk.events()) as events:
            async for each in events:
                self.told.append(each)

    async def latest(self, chat: ChatView) -> MessageView:
        await self.desk.device.sync()
        return (await self.desk.messages.page(chat.group))[-1]


@pytest.fixture
async def people(world) -> AsyncIterator[list[Person]]:
    async with AsyncExitStack() as stack:
        people = []
        for number in (ALICE, BOB, CAROL):
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
            )
            person = Person(await stack.enter_async_context(opening))
            listening = asyncio.create_task(person.listen())
            stack.callback(listening.cancel)
            await person.desk.device.sync()
            people.append(person)
        yield people


async def talking(alice: Person, bob: Person) -> tuple[ChatView, ChatView]:
    """A direct chat in which both are at home."""
    await bob.desk.people.know(ALICE.e164)
    chat = await alice.desk.chats.direct(str(BOB))
    await bob.desk.device.sync()
    return chat, await bob.desk.chats.get(chat.group)


async def sent(person: Person, chat: ChatView, text: str, reply_to: int | None = None) -> MessageView:
    message = await person.desk.messages.send(chat.group, text, reply_to)
    await person.desk.device.sync()
    return await person.desk.messages.get(message.row)


async def test_a_direct_chat_is_called_by_the_number_or_its_local_name(people: list[Person]) -> None:
    alice, bob, _ = people
    chat, seen = await talking(alice, bob)
    assert (chat.chat, chat.direct, seen.chat, seen.direct) == (str(BOB), BOB.e164, str(ALICE), ALICE.e164)
    await bob.desk.people.name(ALICE.e164, "Ali")
    assert (await bob.desk.chats.get(chat.group)).chat == "Ali"
    assert (await alice.desk.chats.direct("+1 (202) 555-0143")).group == chat.group


async def test_a_stranger_shows_nothing_but_a_number_until_accepted(people: list[Person]) -> None:
    alice, bob, _ = people
    chat = await alice.desk.chats.create("Cheap pills", [BOB.e164], roles=False)
    await sent(alice, chat, "buy now")
    await bob.desk.device.sync()
    assert await bob.desk.chats.all() == []
    (request,) = await bob.desk.people.requests()
    assert (request.number, request.messages, request.label) == (ALICE.e164, 1, "✓ NUMBER VERIFIED")
    assert "pills" not in repr(request)
    rows = await bob.desk.messages.unshown()
    assert all(row.place != "request" for row in rows)
    assert "pills" not in repr(rows)
    assert await bob.desk.messages.search("buy") == []
    await asyncio.sleep(0.1)
    assert not [each for each in bob.told if isinstance(each, MessageArrived) and each.message.kind == "received"]
    assert [each.request.number for each in bob.told if isinstance(each, RequestArrived)]
    accepted = await bob.desk.people.accept(request.group)
    assert (accepted.chat, accepted.unread) == ("Cheap pills", 1)
    assert [row.text for row in await bob.desk.messages.search("buy")] == ["buy now"]
    assert "buy now" in [row.text for row in await bob.desk.messages.unshown()]
    assert await bob.desk.people.requests() == []


async def test_replies_edits_reactions_and_withdrawals(people: list[Person]) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    first = await sent(alice, chat, "rope is at mine")
    assert first.state == "delivered"
    heard = await bob.latest(chat)
    answer = await sent(bob, chat, "bring it", reply_to=heard.row)
    assert answer.reply is not None
    assert (answer.reply.row, answer.reply.text) == (heard.row, "rope is at mine")
    await bob.desk.messages.react(heard.row, "👍")
    await bob.desk.device.sync()
    await alice.desk.device.sync()
    (reaction,) = (await alice.desk.messages.get(first.row)).reactions
    assert (reaction.emoji, reaction.numbers, reaction.own) == ("👍", [BOB.e164], False)
    await bob.desk.messages.react(heard.row, "👍")
    await bob.desk.device.sync()
    await alice.desk.device.sync()
    assert (await alice.desk.messages.get(first.row)).reactions == []

    edited = await alice.desk.messages.edit(first.row, "rope is at yours")
    assert (edited.text, edited.edited) == ("rope is at yours", True)
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    seen = await bob.desk.messages.get(heard.row)
    assert (seen.text, seen.edited) == ("rope is at yours", True)
    assert await bob.desk.messages.search("mine") == []
    with pytest.raises(ChatError, match="your own"):
        await bob.desk.messages.edit(heard.row, "no")

    await alice.desk.messages.delete(first.row)
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    gone = await bob.desk.messages.get(heard.row)
    assert (gone.text, gone.withdrawn) == ("", True)
    assert await bob.desk.messages.search("rope") == []
    await asyncio.sleep(0.1)
    assert any(isinstance(each, MessageChanged) and each.message.withdrawn for each in bob.told)


async def test_messages_disappear_after_they_were_read(people: list[Person], clock) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    await alice.desk.chats.timer(chat.group, 60)
    await alice.desk.device.sync()
    await sent(alice, chat, "burn this")
    heard = await bob.latest(chat)
    assert (await bob.desk.chats.get(chat.group)).timer == 60
    clock.now += 3600
    assert (await bob.desk.messages.get(heard.row)).text == "burn this"
    await bob.desk.chats.read(chat.group, heard.row)
    assert (await bob.desk.messages.get(heard.row)).expires is not None
    clock.now += 61
    for person in (alice, bob):
        async with asyncio.timeout(20):
            while any(row.text == "burn this" for row in await person.desk.messages.page(chat.group)):
                await asyncio.sleep(0.05)


async def test_a_file_travels_encrypted_and_is_fetched_only_on_demand(people: list[Person], tmp_path: Path) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    file = tmp_path / "notes.txt"
    file.write_text("the crux is on the left")
    await alice.desk.messages.send_file(chat.group, str(file), "read this")
    await alice.desk.device.sync()
    heard = await bob.latest(chat)
    assert heard.attachment is not None
    assert (heard.text, heard.attachment.filename, heard.attachment.size) == ("read this", "notes.txt", 23)
    assert await bob.desk.messages.fetch(heard.row) == b"the crux is on the left"
    path = await bob.desk.messages.save(heard.row, str(tmp_path / "in"))
    assert Path(path).read_text() == "the crux is on the left"
    assert (await bob.desk.messages.get(heard.row)).attachment.saved == path  # type: ignore[union-attr]


async def test_unread_marks_mutes_pins_and_drafts(people: list[Person]) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    await sent(alice, chat, "one")
    await sent(alice, chat, f"two @{BOB.e164}")
    await bob.desk.device.sync()
    view = await bob.desk.chats.get(chat.group)
    assert (view.unread, view.mentions, view.last_from) == (2, 1, ALICE.e164)
    first = await bob.desk.messages.first_unread(chat.group)
    assert first is not None
    assert (await bob.desk.messages.get(first)).text == "one"
    await bob.desk.chats.read(chat.group, (await bob.latest(chat)).row)
    assert (await bob.desk.chats.get(chat.group)).unread == 0
    assert (await bob.desk.chats.mute(chat.group, 3600)).muted_until is not None
    assert (await bob.desk.chats.mute(chat.group, None)).muted_until is not None
    assert (await bob.desk.chats.mute(chat.group, 0)).muted_until is None
    assert (await bob.desk.chats.pin(chat.group, True)).pinned
    await bob.desk.chats.draft(chat.group, "half a thou")
    assert (await bob.desk.chats.all())[0].draft == "half a thou"
    await bob.desk.chats.archive(chat.group, True)
    assert await bob.desk.chats.all() == []
    assert len(await bob.desk.chats.all(archived=True)) == 1


async def test_groups_members_admins_and_the_check_number(people: list[Person]) -> None:
    alice, bob, carol = people
    for person in (bob, carol):
        await person.desk.people.know(ALICE.e164)
    group = await alice.desk.chats.create("Climbing", [BOB.e164, CAROL.e164])
    for person in (bob, carol):
        await person.desk.device.sync()
    members = await bob.desk.chats.members(group.group)
    assert [(each.number, each.you, each.admin, each.good) for each in members] == [
        (ALICE.e164, False, True, True),
        (BOB.e164, True, False, True),
        (CAROL.e164, False, False, True),
    ]
    numbers = {(await person.desk.chats.check_number(group.group)).digits for person in people}
    assert len(numbers) == 1
    assert len(numbers.pop().replace(" ", "")) == 30
    await alice.desk.chats.admin(group.group, BOB.e164, True)
    await bob.desk.device.sync()
    await bob.desk.chats.remove(group.group, CAROL.e164)
    await carol.desk.device.sync()
    assert (await carol.desk.chats.get(group.group)).standing == "removed"
    await alice.desk.device.sync()
    assert (await alice.latest(group)).text == f"{BOB} removed {CAROL}."


async def test_blocked_numbers_are_held_back_everywhere(people: list[Person]) -> None:
    alice, bob, carol = people
    for person in (bob, carol):
        await person.desk.people.know(ALICE.e164)
    group = await alice.desk.chats.create("Climbing", [BOB.e164, CAROL.e164])
    await bob.desk.device.sync()
    await carol.desk.device.sync()
    await bob.desk.people.block(CAROL.e164)
    await sent(carol, group, "let me in")
    await bob.desk.device.sync()
    (held,) = await bob.desk.messages.quarantine()
    assert (held.text, held.why) == ("", "You blocked this number.")
    assert (await bob.desk.messages.reveal(held.row)).text == "let me in"
    await carol.desk.chats.direct(BOB.e164)
    await bob.desk.device.sync()
    assert await bob.desk.people.requests() == []
    assert [each.dropped for each in await bob.desk.people.contacts() if each.blocked] == [1]


async def test_what_was_checked_about_a_message(people: list[Person]) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    own = await sent(alice, chat, "hello")
    heard = await bob.latest(chat)
    for desk, row in ((alice.desk, own.row), (bob.desk, heard.row)):
        seen = await desk.messages.inspect(row)
        assert [check.number for check in seen.checks] == list(range(15))
        assert {check.outcome for check in seen.checks} == {"passed"}
        assert str(ALICE) in seen.sentence
        assert seen.claims["orig"] == '{"tn": "12025550142"}'
        assert "honest" not in seen.sentence
        assert [each.numbers for each in seen.chain][-1] == "12025550142"
        assert len(seen.chain) == 3


@pytest.mark.parametrize(
    ("form", "expected"), [("text", "you: hello"), ("markdown", "# \\+1 202\\-"), ("json", '"proof_file"')]
)
async def test_a_conversation_can_be_exported(people: list[Person], form, expected: str) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    await sent(alice, chat, "hello")
    assert expected in await alice.desk.chats.export(chat.group, form)


async def test_an_edit_without_proof_is_a_text_of_its_own(people: list[Person]) -> None:
    """The words of a verified message cannot be replaced by words that nobody proved."""
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    own = await sent(alice, chat, "pay nobody")
    heard = await bob.latest(chat)
    session = alice.desk.session
    group_id = bytes.fromhex(chat.group)
    original = session.steps.history.get(own.row)
    edited = encode(edit(decode(original.framed), bytes.fromhex(own.id), "pay Mallory"))
    with session.steps.groups.step(group_id) as step:
        ciphertext = step.group.encrypt(edited)
    await session.delivery.append(group_id, ciphertext, new_idempotency_key())
    last = await bob.latest(chat)
    assert (await bob.desk.messages.get(heard.row)).text == "pay nobody"
    assert last.proof is not None
    assert (last.text, last.proof.label) == ("(edited) pay Mallory", "? NO PROOF")


async def test_an_edited_message_shows_the_proof_of_its_present_words(people: list[Person]) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    own = await sent(alice, chat, "at eight")
    heard = await bob.latest(chat)
    await alice.desk.messages.edit(own.row, "at nine")
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    seen = await bob.desk.messages.inspect(heard.row)
    assert seen.message.text == "at nine"
    edit_row = bob.desk.session.steps.relations.standing_edit(bob.desk.session.steps.history.get(heard.row))
    assert edit_row is not None
    assert bytes.fromhex(seen.content) == edit_row.framed


async def test_only_an_admin_names_a_group_for_others(people: list[Person]) -> None:
    alice, bob, _ = people
    await bob.desk.people.know(ALICE.e164)
    group = await alice.desk.chats.create("Climbing", [BOB.e164])
    await bob.desk.device.sync()
    await bob.desk.chats.rename(group.group, "Bob's club")
    await bob.desk.device.sync()
    await alice.desk.device.sync()
    assert (await bob.desk.chats.get(group.group)).chat == "Bob's club"
    assert (await alice.desk.chats.get(group.group)).chat == "Climbing"
    with pytest.raises(ChatError, match="admin"):
        await bob.desk.chats.timer(group.group, 60)


async def test_without_network_a_message_waits_and_the_status_says_so(people: list[Person], world) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    world.network.down |= {"delivery.test"}
    message = await alice.desk.messages.send(chat.group, "when you are back")
    async with asyncio.timeout(30):
        while (await alice.desk.device.status()).online:
            await asyncio.sleep(0.02)
    status = await alice.desk.device.status()
    assert (status.waiting, status.since is not None) == (1, True)
    assert "cannot be reached" in status.trouble
    assert (await alice.desk.chats.get(chat.group)).waiting == 1
    world.network.down.clear()
    await alice.desk.device.sync()
    assert (await alice.desk.messages.get(message.row)).state == "delivered"
    assert (await alice.desk.device.status()).online


async def test_an_edited_answer_stays_when_what_it_answers_disappears(people: list[Person], clock) -> None:
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    await alice.desk.chats.timer(chat.group, 60)
    await sent(alice, chat, "burn this")
    heard = await bob.latest(chat)
    await alice.desk.chats.timer(chat.group, 0)
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    answer = await sent(bob, chat, "it burns", reply_to=heard.row)
    await bob.desk.messages.edit(answer.row, "it burnt")
    await bob.desk.chats.read(chat.group, heard.row)
    clock.now += 61
    async with asyncio.timeout(20):
        while any(row.row == heard.row for row in await bob.desk.messages.page(chat.group)):
            await asyncio.sleep(0.05)
    await bob.desk.device.sync()
    assert (await alice.latest(chat)).text == "it burnt"
    seen = await bob.desk.messages.inspect(answer.row)
    assert bytes.fromhex(seen.content) == bob.desk.session.steps.history.select("WHERE m.kind = 'edit'")[0].framed


class LostAfterPosting(httpx.AsyncBaseTransport):
    """The service, which cannot be reached any more once an entry was posted: it has it, and nobody hears of that."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._service = network.services["delivery.test"]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._service.handle_async_request(request)
        if request.method == "POST" and request.url.path.endswith("/entries"):
            self._network.services["delivery.test"] = self._service
            self._network.down.add("delivery.test")
            raise httpx.ReadError("the answer was lost", request=request)
        return response


async def test_an_edit_on_its_way_outlives_the_end_of_its_message(people: list[Person], world, clock) -> None:
    """Its log copy is known as one's own, and then nothing of it stays."""
    alice, bob, _ = people
    chat, _ = await talking(alice, bob)
    await alice.desk.chats.timer(chat.group, 60)
    message = await sent(alice, chat, "burn this")
    world.network.services["delivery.test"] = LostAfterPosting(world.network)
    await alice.desk.messages.edit(message.row, "burn this at once")
    steps, run = alice.desk.session.steps, alice.desk.session.worker.run
    async with asyncio.timeout(30):
        while not world.network.down:
            await asyncio.sleep(0.02)
    clock.now += 61
    async with asyncio.timeout(20):
        while any("burn" in row.text for row in await alice.desk.messages.page(chat.group)):
            await asyncio.sleep(0.05)
    world.network.down.clear()
    await alice.desk.device.sync()
    await sent(alice, chat, "after")
    assert [row.kind for row in await alice.desk.messages.page(chat.group) if row.kind == "gap"] == []
    assert await run(steps.store.rows, "SELECT id FROM message WHERE text LIKE '%burn%'") == []


async def test_asking_first_is_told_on_both_sides(people: list[Person]) -> None:
    alice, bob, _ = people
    mode = await bob.desk.people.mode("ask")
    assert (mode.mode, mode.granted, mode.blocked) == ("ask", 0, 0)
    with pytest.raises(AskedFirstError, match="lets people ask first"):
        await alice.desk.chats.direct(str(BOB))
    assert [each.state for each in await alice.desk.people.asked()] == ["waiting"]
    await bob.desk.device.sync()
    (request,) = await bob.desk.people.requests()
    assert (request.kind, request.group, request.handle, request.messages) == ("contact", "", ALICE.e164, 0)
    assert (await bob.desk.device.status()).requests == 1
    await until_told(bob, lambda told: isinstance(told, RequestArrived) and told.request.number == ALICE.e164)
    assert (await bob.desk.people.grant(ALICE.e164)).accepted
    assert await bob.desk.people.requests() == []
    with pytest.raises(ChatError, match="no request to reach you"):
        await bob.desk.people.refuse(ALICE.e164)
    await alice.desk.device.sync()
    await until_told(alice, lambda told: isinstance(told, AskAnswered) and told.ask.number == BOB.e164)
    assert (await alice.desk.chats.direct(str(BOB))).direct == BOB.e164
    assert (await bob.desk.people.mode()).granted == 1
    await bob.desk.people.block(ALICE.e164)
    mode = await bob.desk.people.mode()
    assert (mode.granted, mode.blocked) == (0, 1)
    assert (await bob.desk.session.delivery.reachability()).blocked == [ALICE.e164]


async def test_a_mode_that_there_is_not_is_refused_in_words(people: list[Person]) -> None:
    with pytest.raises(ClientError) as caught:
        await people[0].desk.people.mode("closed\x1b[31m")
    assert (caught.value.code, caught.value.hint) == ("unknown-mode", "Choose open, ask or contacts.")
    assert "\x1b" not in str(caught.value)


async def until_told(person: Person, meant: Callable[[Told], bool]) -> None:
    async with asyncio.timeout(10):
        while not any(map(meant, person.told)):
            await asyncio.sleep(0.01)
