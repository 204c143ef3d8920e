"""Franking end to end: what recipients make of tags and franks, and what a report by a frank alone can prove."""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import mls_rs
import msgspec
import pytest

from client.defence.admission import Frank, Place
from client.defence.franking import franked_item, tagged
from client.defence.report_words import report_lines
from client.desk.desk import open_desk
from client.errors import ChatError, FrankingKeyError, ReportRefusedError
from client.events import Event, MessageReceived, Trouble
from client.formats import content, framing
from client.records.message import Message
from client.records.outbox import new_idempotency_key
from client.session import Session
from delivery_service.wire import Entry, EntryBatch, Status
from identity.authority.report_policy import ReportPolicy
from identity.base64url import encode_base64url
from identity.binding import DeviceVerifier, Verdict, attest_message, group_uri, user_uri
from identity.certificates import TrustAnchors
from identity.errors import FrankingError
from identity.number import TelephoneNumber
from identity.reports.franking import FrankedMessage, FrankingContext, FrankingKey, HubKey, decode_aad, franking_tag
from identity.reports.number_status import NumberStatus
from identity.reports.report import Evidence, EvidenceItem, ReportContext, ReportKind, sign_report, verify_report
from tests.client.conftest import PASSPHRASE

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
HOST = "delivery.test"
AUTHORITY = "https://authority.test"
Lie = Callable[[Entry], Entry]


class CrookedService(httpx.AsyncBaseTransport):
    """An honest delivery service, but for the entries that it hands out and the key that it shows."""

    def __init__(self, world) -> None:
        self._honest = world.network.services[HOST]
        self.lie: Lie = lambda entry: entry
        self.key: bytes | None = None
        world.network.services[HOST] = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._honest.handle_async_request(request)
        if request.url.path == "/v1/status" and self.key is not None:
            status = msgspec.json.decode(await response.aread(), type=Status)
            return _answer(response, msgspec.json.encode(msgspec.structs.replace(status, franking_key=self.key)))
        if request.method == "GET" and request.url.path.endswith("/entries") and response.status_code == 200:
            batch = msgspec.msgpack.decode(await response.aread(), type=EntryBatch)
            lied = msgspec.structs.replace(batch, entries=[self.lie(entry) for entry in batch.entries])
            return _answer(response, msgspec.msgpack.encode(lied))
        return response


@pytest.fixture
def believed() -> dict[bytes, HubKey]:
    """The delivery services whose franks the authority believes: none at first."""
    return {}


@pytest.fixture
def policy(believed: dict[bytes, HubKey]) -> ReportPolicy:
    return ReportPolicy(hub_keys=believed)


def _answer(response: httpx.Response, octets: bytes) -> httpx.Response:
    headers = {"content-type": response.headers["content-type"]}
    return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(octets))


def changed(**fields: object) -> Lie:
    return lambda entry: entry if entry.frank is None else msgspec.structs.replace(entry, **fields)


def refranked(key: FrankingKey, number: TelephoneNumber, group_id: bytes, at_ms: int | None = None) -> Lie:
    """Frank anew, as `key` and for this sender, room and time, what others have tagged."""

    def lie(entry: Entry) -> Entry:
        tag = decode_aad(mls_rs.inspect(entry.body).authenticated_data or b"")
        if entry.frank is None or tag is None:
            return entry
        context = FrankingContext(
            user_uri(HOST, number), group_uri(HOST, group_id), entry.at_ms if at_ms is None else at_ms
        )
        return msgspec.structs.replace(entry, frank=key.frank(tag, context))

    return lie


async def talking(world, stack: AsyncExitStack, *others: TelephoneNumber) -> tuple[list[Session], bytes]:
    sessions = await world.people(stack, ALICE, BOB, *others)
    for session in sessions[1:]:
        await session.worker.run(session.steps.groups.contacts.accept, ALICE)
    chat = await sessions[0].create_chat("franked", [BOB, *others])
    for session in sessions[1:]:
        await session.receive()
    return sessions, chat.group_id


def received(events: list[Event]) -> list[Message]:
    return [event.message for event in events if isinstance(event, MessageReceived)]


async def read(session: Session) -> Message:
    (message,) = received(await session.receive())
    return message


def framed_by(session: Session, group_id: bytes, text: str) -> bytes:
    return content.encode(content.text(user_uri(HOST, session.account.number), group_uri(HOST, group_id), text))


def encrypted(session: Session, group_id: bytes, framed: bytes, data: bytes, *, proven: bool = True) -> bytes:
    """What a member's own engine makes of any octets and any authenticated data, with a good proof or with none."""
    with session.steps.groups.step(group_id) as step:
        account = session.account
        passport = attest_message(
            account.key,
            account.chain[0],
            base_url=account.authority,
            number=account.number,
            group_uri=group_uri(HOST, group_id),
            peer=session.steps.groups.peer(step.group),
            framed=framed,
            now=session.now(),
        )
        return step.group.encrypt(framing.wrap(passport, framed) if proven else framed, data)


async def post(session: Session, group_id: bytes, framed: bytes, data: bytes, *, proven: bool = True) -> None:
    ciphertext = await session.worker.run(lambda: encrypted(session, group_id, framed, data, proven=proven))
    await session.delivery.append(group_id, ciphertext, new_idempotency_key())


async def hub_keys(session: Session) -> dict[bytes, HubKey]:
    key = HubKey.from_point((await session.delivery.status()).franking_key)
    return {key.key_id: key}


async def test_what_an_honest_service_carried_can_be_confirmed(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await alice.send(group_id, "hello")
    message = await read(bob)
    assert (message.frank, message.place, message.text) == (Frank.GOOD, Place.INBOX, "hello")
    stored = await bob.worker.run(bob.steps.history.get, message.id)
    assert (stored.frank, stored.franked) == (Frank.GOOD, message.franked)
    assert stored.franked is not None


async def test_every_kind_of_message_is_confirmable(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await alice.send(group_id, "first")
    first = (await alice.history(group_id))[-1]
    run = alice.worker.run
    await run(alice.steps.sender.queue_edit, first.id, "second", alice.now())
    await run(alice.steps.sender.queue_reaction, first.id, "👍", alice.now())
    await run(alice.steps.sender.queue_timer, group_id, 60, alice.now())
    await run(alice.steps.sender.queue_deletion, first.id, alice.now())
    await alice.drive(group_id)
    assert {message.frank for message in received(await bob.receive())} == {Frank.GOOD}


async def test_a_tag_of_another_message_is_refused_by_every_recipient(world, stack: AsyncExitStack) -> None:
    """The sender wants m1 read and not reportable; its number is proved, and it is held back all the same."""
    (alice, bob, carol), group_id = await talking(world, stack, CAROL)
    spam, harmless = (framed_by(alice, group_id, text) for text in ("spam", "harmless"))
    await post(alice, group_id, spam, tagged(harmless))
    for reader in (bob, carol):
        message = await read(reader)
        assert message.verification is not None
        assert message.verification.verdict is Verdict.VERIFIED
        assert (message.frank, message.place, message.rule) == (Frank.WRONG, Place.QUARANTINE, "frank does not fit")
        assert message.franked is None


async def test_a_frank_says_what_was_committed_to_and_not_that_anybody_read_it(world, stack: AsyncExitStack) -> None:
    """The known gap: the service confirms m2, which nobody was sent; only honest readers know that it is not m1."""
    (alice, bob), group_id = await talking(world, stack)
    spam, harmless = (framed_by(alice, group_id, text) for text in ("spam", "harmless"))
    await post(alice, group_id, spam, tagged(harmless))
    entry = (await bob.delivery.entries(group_id, 0)).entries[-1]
    context = FrankingContext(user_uri(HOST, ALICE), group_uri(HOST, group_id), entry.at_ms)
    (key,) = (await hub_keys(bob)).values()
    key.verify(franking_tag(harmless), context, entry.frank or b"")
    with pytest.raises(FrankingError):
        key.verify(franking_tag(spam), context, entry.frank or b"")
    assert (await read(bob)).frank is Frank.WRONG


@pytest.mark.parametrize("data", [b"\x23\x00\x20\x20" + bytes(32), b"\x23\x00\x20\x20" + b"\xff" * 32])
async def test_a_made_up_tag_is_wrong(world, stack: AsyncExitStack, data: bytes) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await post(alice, group_id, framed_by(alice, group_id, "spam"), data)
    assert (await read(bob)).frank is Frank.WRONG


async def test_a_message_without_a_tag_cannot_be_confirmed_and_is_shown(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await post(alice, group_id, framed_by(alice, group_id, "no tag"), b"")
    message = await read(bob)
    assert (message.frank, message.place) == (Frank.ABSENT, Place.INBOX)


async def test_a_member_cannot_have_itself_confirmed_as_the_sender(world, stack: AsyncExitStack) -> None:
    (alice, bob, carol), group_id = await talking(world, stack, CAROL)
    framed = framed_by(alice, group_id, "said by Alice")
    ciphertext = await alice.worker.run(encrypted, alice, group_id, framed, tagged(framed))
    await carol.delivery.append(group_id, ciphertext, new_idempotency_key())
    message = await read(bob)
    assert (message.sender, message.frank, message.place) == (ALICE, Frank.WRONG, Place.QUARANTINE)


@pytest.mark.parametrize("frank", [b"", bytes(104), b"\xff" * 104, bytes(103)])
async def test_a_service_that_franks_wrongly_is_seen(world, stack: AsyncExitStack, frank: bytes) -> None:
    (alice, bob), group_id = await talking(world, stack)
    CrookedService(world).lie = changed(frank=frank)
    await alice.send(group_id, "hello")
    assert (await read(bob)).frank is Frank.WRONG


async def test_another_time_than_the_franked_one_is_wrong(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    CrookedService(world).lie = lambda entry: msgspec.structs.replace(entry, at_ms=entry.at_ms - 1)
    await alice.send(group_id, "hello")
    assert (await read(bob)).frank is Frank.WRONG


async def test_the_frank_of_another_room_or_another_message_is_wrong(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    other = await alice.create_chat("other room", [BOB])
    for room in (other.group_id, group_id):
        await alice.send(room, "the same words")
    elsewhere, here = received(await bob.receive())
    assert (elsewhere.frank, here.frank) == (Frank.GOOD, Frank.GOOD)
    service = CrookedService(world)
    for lifted in (elsewhere.franked, here.franked):
        service.lie = changed(frank=lifted)
        await alice.send(group_id, "the same words")
        assert (await read(bob)).frank is Frank.WRONG


async def test_a_frank_that_is_withheld_is_told_and_one_for_no_tag_is_wrong(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await alice.send(group_id, "whole")
    whole = await read(bob)
    service = CrookedService(world)
    service.lie = changed(frank=None)
    await alice.send(group_id, "withheld")
    assert (await read(bob)).frank is Frank.ABSENT
    service.lie = lambda entry: msgspec.structs.replace(entry, frank=whole.franked)
    await post(alice, group_id, framed_by(alice, group_id, "no tag"), b"")
    assert (await read(bob)).frank is Frank.WRONG


async def test_a_changed_key_is_trouble_until_a_person_agrees(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    service, key = CrookedService(world), FrankingKey.generate()
    service.key, service.lie = key.public.point, refranked(key, ALICE, group_id)
    await alice.send(group_id, "under another key")
    world.clock.now += 3601  # upkeep looks again
    events = await bob.receive()
    troubles = [event for event in events if isinstance(event, Trouble)]
    assert [trouble.code for trouble in troubles] == ["franking-key-changed"]
    assert key.public.key_id.hex() in troubles[0].reason
    (message,) = received(events)
    assert (message.frank, message.place) == (Frank.WRONG, Place.QUARANTINE)

    franking, run = bob.steps.franking, bob.worker.run
    with pytest.raises(FrankingKeyError):
        await run(franking.use, "00" * 8, await bob.franking_key(), bob.now())
    await run(franking.use, key.public.key_id.hex(), await bob.franking_key(), bob.now())
    await alice.send(group_id, "agreed")
    assert (await read(bob)).frank is Frank.GOOD
    service.lie = lambda entry: entry
    await alice.send(group_id, "what the first key confirms stays confirmed")
    assert (await read(bob)).frank is Frank.GOOD
    assert len(await run(franking.kept)) == 2


async def test_the_key_is_kept_from_first_use_on_and_over_a_restart(world) -> None:
    await world.enrol(CAROL)
    async with world.open(CAROL) as carol:
        await carol.receive()
        kept = carol.steps.franking.kept()
    service, key = CrookedService(world), FrankingKey.generate()
    service.key = key.public.point
    async with world.open(CAROL) as carol:
        (trouble,) = [event for event in await carol.receive() if isinstance(event, Trouble)]
        assert trouble.code == "franking-key-changed"
        assert carol.steps.franking.kept() == kept


def report(reporter: Session, item: EvidenceItem, keys: dict[bytes, HubKey], **context: object) -> tuple[bool, str]:
    """Whether an authority that knows these services accepts a report of one message, and else which check refused."""
    account, now = reporter.account, reporter.now()
    signed = sign_report(account.key, account.chain, Evidence((item,), ReportKind.SPAM).encode(), AUTHORITY, now)
    devices = DeviceVerifier(TrustAnchors.from_pem(account.anchors))
    found = verify_report(signed, ReportContext(AUTHORITY, now, hub_keys=keys, **context), devices)
    return found.accepted, "" if found.failed_check is None else found.failed_check.name


async def test_a_report_by_frank_needs_no_passport(world, stack: AsyncExitStack) -> None:
    """The message never had one: by its PASSporT nobody could report it."""
    (alice, bob), group_id = await talking(world, stack)
    framed = framed_by(alice, group_id, "unsigned spam")
    await post(alice, group_id, framed, tagged(framed), proven=False)
    message = await read(bob)
    assert message.verification is not None
    assert (message.verification.verdict, message.frank) == (Verdict.UNSIGNED, Frank.GOOD)
    item = franked_item(message, HOST)
    assert (item.passport, item.chain) == ("", ())
    assert report(bob, item, await hub_keys(bob)) == (True, "")


async def test_no_forged_report_by_frank_is_accepted(world, stack: AsyncExitStack) -> None:
    (alice, bob, carol), group_id = await talking(world, stack, CAROL)
    await alice.send(group_id, "spam")
    await alice.send(group_id, "more spam")
    first, second = received(await bob.receive())
    keys = await hub_keys(bob)
    item, other = franked_item(first, HOST), franked_item(second, HOST)
    assert report(bob, item, keys) == (True, "")
    own, thief = FrankingKey.generate(), FrankingContext(item.sender, item.group, item.accepted_ms)
    forgeries = {
        "text": replace(item, framed=framed_by(bob, group_id, "worse")),
        "sender": replace(item, sender=user_uri(HOST, CAROL)),
        "room": replace(item, group=f"mimi://{HOST}/g/{encode_base64url(b'elsewhere').decode()}"),
        "time": replace(item, accepted_ms=item.accepted_ms + 1),
        "frank of another message": replace(item, frank=other.frank, accepted_ms=other.accepted_ms),
        "a frank of one's own": replace(item, frank=own.frank(franking_tag(item.framed), thief)),
        "no frank that can be read": replace(item, frank=item.frank[:-1]),
        "both": replace(item, passport=(first.passport or b"").decode()),
    }
    refused = {name: report(bob, forged, keys) for name, forged in forgeries.items()}
    assert refused == dict.fromkeys(forgeries, (False, "messages"))
    assert report(bob, item, {}) == (False, "messages"), "a service that the authority does not know confirms nothing"
    assert report(bob, replace(item, frank=b""), keys) == (False, "accused")
    assert report(alice, item, keys) == (False, "accused"), "nobody reports themself"
    assert report(carol, item, keys) == (True, ""), "whoever was told it may report it"


async def test_what_was_not_confirmed_cannot_be_shown_by_its_frank(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await post(alice, group_id, framed_by(alice, group_id, "no tag"), b"")
    message = await read(bob)
    with pytest.raises(ChatError) as refused:
        franked_item(message, HOST)
    assert refused.value.code == "not-confirmed"


async def test_a_franked_message_verifies_by_itself(world, stack: AsyncExitStack) -> None:
    (alice, bob), group_id = await talking(world, stack)
    await alice.send(group_id, "hello")
    message = await read(bob)
    franked = franked_item(message, HOST).franked()
    assert isinstance(franked, FrankedMessage)
    assert franked.framed == message.framed


async def test_what_only_the_service_confirms_is_reported_to_an_authority_that_believes_it(
    world, stack: AsyncExitStack, believed: dict[bytes, HubKey]
) -> None:
    (alice, bob), group_id = await talking(world, stack)
    framed = framed_by(alice, group_id, "unsigned spam")
    await post(alice, group_id, framed, tagged(framed), proven=False)
    message = await read(bob)
    with pytest.raises(ChatError) as unproved:
        await bob.report([message.id], ReportKind.SPAM)
    assert unproved.value.code == "no-proof"
    with pytest.raises(ReportRefusedError, match="no service that is known here"):
        await bob.report([message.id], ReportKind.SPAM, by_frank=True)
    believed.update(await hub_keys(bob))
    taken = await bob.report([message.id], ReportKind.SPAM, by_frank=True)
    assert (taken.counted, taken.status) == (True, NumberStatus.REPORTED)


async def test_a_desk_shows_what_a_report_by_frank_leaves_out_and_which_keys_are_used(
    world, stack: AsyncExitStack
) -> None:
    (alice, _), group_id = await talking(world, stack)
    await world.enrol(CAROL)
    opening = open_desk(
        world.home(CAROL), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
    )
    desk = await stack.enter_async_context(opening)
    await desk.device.sync()
    await desk.people.know(ALICE.e164)
    await alice.add(group_id, [CAROL])
    await alice.send(group_id, "hello")
    await desk.device.sync()
    row = (await desk.messages.page(group_id.hex()))[-1].row
    assert (await desk.messages.inspect(row)).confirmable == "good"
    by_proof = await desk.messages.report_preview([row])
    by_frank = await desk.messages.report_preview([row], by_frank=True)
    assert (by_proof.proves, by_frank.proves, by_frank.why) == (True, True, "")
    assert [item.text for item in by_frank.items] == ["hello"]
    assert json.loads(json.loads(by_frank.json)["evidence"])["items"][0]["passport"] == ""
    assert "deny it" in " ".join(report_lines(by_frank))

    (kept,) = await desk.device.franking_keys()
    assert (kept.shown, kept.since is not None) == (True, True)
    service, key = CrookedService(world), FrankingKey.generate()
    service.key = key.public.point
    assert [(each.shown, each.since is None) for each in await desk.device.franking_keys()] == [
        (False, False),
        (True, True),
    ]
    findings = {each.subject: each for each in await desk.device.doctor()}
    assert not findings["franking"].right
    name = key.public.key_id.hex()
    assert f"ringtrue franking use {name}" in findings["franking"].words
    used = await desk.device.use_franking_key(name)
    assert sorted((each.key == name, each.since is None) for each in used) == [(False, False), (True, False)]
