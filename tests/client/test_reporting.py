"""Reporting: what is sent is what was shown, it is verified before it counts, and what follows reaches others."""

import hashlib
import json
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from client.defence.admission import Consent, Place
from client.defence.status_refresh import INTERVAL
from client.errors import ChatError, NumberWithdrawnError, ReportRefusedError, StatusListRefusedError
from client.events import Event, Trouble
from client.session import Session
from identity.authority.wire import ReportRequest
from identity.base64url import decode_base64url
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import ANYONE, Report, ReportContext, ReportKind, parse_evidence, verify_report

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
AUTHORITY = "https://authority.test"


async def told(world, sender: Session, reader: Session, text: str):
    """Let somebody write to a stranger; the row at the stranger's."""
    chat = await sender.create_chat(None, [reader.account.number])
    await sender.send(chat.group_id, text)
    await reader.receive()
    return (await reader.history(chat.group_id))[-1]


async def test_one_report_holds_back_the_next_messages_to_a_stranger(world, stack: AsyncExitStack) -> None:
    spammer, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    assert spam.place is Place.REQUEST

    taken = await bob.report([spam.id], ReportKind.SPAM)
    await carol.refresh_statuses()
    next_one = await told(world, spammer, carol, "You have won.")

    assert (taken.counted, taken.status) == (True, NumberStatus.REPORTED)
    assert (next_one.place, next_one.rule) == (Place.QUARANTINE, "number reported")
    assert (await carol.find_chat(next_one.group_id.hex())).consent is Consent.QUARANTINE


async def test_a_contact_is_not_held_back_by_a_report(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await carol.create_chat(None, [ALICE])  # Carol knows Alice
    spam = await told(world, alice, bob, "Buy.")
    await bob.report([spam.id], ReportKind.SPAM)
    await carol.refresh_statuses()

    await alice.receive()
    await alice.send(chat.group_id, "Lunch?")
    await carol.receive()

    assert (await carol.history(chat.group_id))[-1].place is Place.INBOX


async def test_a_member_of_a_group_is_held_back_unless_they_are_a_contact(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await carol.create_chat(
        "parents", [ALICE, BOB]
    )  # Carol knows both, and they know neither her nor each other
    await alice.receive()
    await bob.receive()
    await bob.worker.run(bob.steps.chats.set_consent, chat.group_id, Consent.INBOX)
    await alice.send(chat.group_id, "Buy.")
    await bob.receive()
    await bob.report([(await bob.history(chat.group_id))[-1].id], ReportKind.SPAM)
    for reader in (bob, carol):
        await reader.refresh_statuses()

    await alice.send(chat.group_id, "Buy more.")

    for reader, place in ((bob, Place.QUARANTINE), (carol, Place.INBOX)):
        await reader.receive()
        assert (await reader.history(chat.group_id))[-1].place is place


async def test_a_message_that_disappeared_meanwhile_was_reported_all_the_same(world, stack: AsyncExitStack) -> None:
    spammer, bob = await world.people(stack, ALICE, BOB)
    spam = await told(world, spammer, bob, "You have won.")
    prepared = await bob.worker.run(bob.steps.reporting.prepare, [spam.id], ReportKind.SPAM, "")
    taken = await bob.report([spam.id], ReportKind.SPAM)
    assert bob.steps.reporting.reported_at(spam.id) == bob.now()

    await bob.worker.run(bob.steps.relations.forget_group, spam.group_id)
    await bob.worker.run(bob.steps.reporting.made, prepared, taken, bob.now())

    assert bob.steps.reporting.reported_at(spam.id) is None


async def test_a_list_is_fetched_by_itself_within_one_interval(world, stack: AsyncExitStack) -> None:
    spammer, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    await bob.report([spam.id], ReportKind.SPAM)

    world.clock.now += INTERVAL
    await carol.receive()

    assert carol.steps.statuses.of(ALICE, carol.now()) is NumberStatus.REPORTED


async def test_a_status_ends_by_itself(world, stack: AsyncExitStack) -> None:
    spammer, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    taken = await bob.report([spam.id], ReportKind.SPAM)

    world.clock.now = taken.ends_at
    await carol.refresh_statuses()

    assert carol.steps.statuses.of(ALICE, carol.now()) is NumberStatus.CLEAR


async def test_what_is_shown_is_what_is_sent(world, stack: AsyncExitStack) -> None:
    spammer, bob, _ = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    reporting = bob.steps.reporting

    shown = await bob.worker.run(reporting.prepare, [spam.id], ReportKind.SCAM, "twice today")
    again = await bob.worker.run(reporting.prepare, [spam.id], ReportKind.SCAM, "twice today")
    sent = await bob.worker.run(reporting.sign, again, bob.account.authority, bob.now())

    assert shown.octets == sent.evidence
    claims = json.loads(_payload(sent.statement))
    assert claims["evidence"] == hashlib.sha256(shown.octets).hexdigest()
    assert b"You have won." in parse_evidence(shown.octets).items[0].framed


async def test_nothing_of_a_groups_roster_is_sent(world, stack: AsyncExitStack) -> None:
    spammer, bob, _ = await world.people(stack, ALICE, BOB, CAROL)
    chat = await spammer.create_chat("bargains", [BOB, CAROL])
    await spammer.send(chat.group_id, "Buy.")
    await bob.receive()
    row = (await bob.history(chat.group_id))[-1]

    prepared = await bob.worker.run(bob.steps.reporting.prepare, [row.id], ReportKind.SPAM, "")
    item = parse_evidence(prepared.octets).items[0]

    everything = b" ".join([item.framed, _payload(item.passport), item.group.encode(), *item.chain])
    assert CAROL.digits.encode() not in everything
    assert BOB.digits.encode() not in everything
    assert (await bob.report([row.id], ReportKind.SPAM)).counted


async def test_an_edited_message_is_reported_as_it_was_and_as_it_is(world, stack: AsyncExitStack) -> None:
    spammer, bob = await world.people(stack, ALICE, BOB)
    chat = await bob.create_chat(None, [ALICE])
    await spammer.receive()
    await spammer.send(chat.group_id, "You have won.")
    sent = (await spammer.history(chat.group_id))[-1]
    await bob.receive()
    await spammer.worker.run(spammer.steps.sender.queue_edit, sent.id, "Good morning.", spammer.now())
    await spammer.drive(chat.group_id)
    await bob.receive()
    row = next(each for each in await bob.history(chat.group_id) if each.latest is not None)

    prepared = await bob.worker.run(bob.steps.reporting.prepare, [row.id], ReportKind.SCAM, "")

    was, now = (item.framed for item in parse_evidence(prepared.octets).items)
    assert b"You have won." in was
    assert b"Good morning." in now
    assert (await bob.report([row.id], ReportKind.SCAM)).counted


async def test_own_messages_and_several_senders_are_not_reported(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("us", [BOB, CAROL])
    for session in (bob, carol):
        await session.receive()
        await session.send(chat.group_id, f"from {session.account.number}")
    await alice.send(chat.group_id, "mine")
    await alice.receive()
    rows = {row.sender: row.id for row in await alice.history(chat.group_id) if row.framed}

    for chosen, code in (
        ([rows[ALICE]], "own-message"),
        ([rows[BOB], rows[CAROL]], "several-senders"),
        ([], "report-size"),
    ):
        with pytest.raises(ChatError) as caught:
            await alice.report(chosen, ReportKind.SPAM)
        assert caught.value.code == code


async def test_a_report_for_a_third_party_proves_the_same_and_counts_nowhere(world, stack: AsyncExitStack) -> None:
    spammer, bob = await world.people(stack, ALICE, BOB)
    spam = await told(world, spammer, bob, "You have won.")
    reporting = bob.steps.reporting
    prepared = await bob.worker.run(reporting.prepare, [spam.id], ReportKind.SPAM, "")
    report = await bob.worker.run(reporting.sign, prepared, ANYONE, bob.now())

    found = verify_report(report, ReportContext(ANYONE, bob.now()), bob.steps.groups.verifier)
    assert (found.accepted, found.accused, found.reporter) == (True, ALICE, BOB)
    response = await world.network.services["authority.test"].handle_async_request(_posted(report))
    assert json.loads(await response.aread())["check"] == 4


async def test_a_refused_report_says_which_check_it_failed_and_changes_nothing(world, stack: AsyncExitStack) -> None:
    spammer, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    for _ in range(6):
        world.clock.now += 6 * 86_400
        await bob.maintain()

    with pytest.raises(ReportRefusedError, match=r"check 9 \(recent\)"):
        await bob.report([spam.id], ReportKind.SPAM)

    await carol.refresh_statuses()
    assert carol.steps.statuses.known.count == 0
    assert bob.steps.reporting.reported_at(spam.id) is None


async def test_a_list_of_an_older_serial_is_refused(world, stack: AsyncExitStack) -> None:
    spammer, bob = await world.people(stack, ALICE, BOB)
    empty = await _list(world)
    spam = await told(world, spammer, bob, "You have won.")
    await bob.report([spam.id], ReportKind.SPAM)
    await bob.refresh_statuses()
    world.network.services["authority.test"] = _Answering(world.network.services["authority.test"], empty)

    world.clock.now += 1_800
    with pytest.raises(StatusListRefusedError, match="was seen before"):
        await bob.refresh_statuses()

    assert bob.steps.statuses.of(ALICE, bob.now()) is NumberStatus.REPORTED


async def test_an_unchanged_list_is_not_sent_again(world, stack: AsyncExitStack) -> None:
    (bob,) = await world.people(stack, BOB)
    first = await bob.refresh_statuses()
    world.clock.now += 60
    before = world.network.statuses[304]

    second = await bob.refresh_statuses()

    assert world.network.statuses[304] == before + 1
    assert (second.serial, second.fetched_at) == (first.serial, first.fetched_at + 60)


async def test_without_a_fresh_list_nobody_is_held_back_and_the_account_still_works(
    world, stack: AsyncExitStack
) -> None:
    spammer, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    spam = await told(world, spammer, bob, "You have won.")
    await bob.report([spam.id], ReportKind.SPAM)
    known = await carol.refresh_statuses()
    world.network.down.add("authority.test")

    world.clock.now = known.expires_at
    await carol.receive()

    assert carol.steps.statuses.of(ALICE, carol.now()) is NumberStatus.CLEAR
    assert carol.steps.statuses.known == known


async def test_a_withdrawn_number_is_told_why_it_gets_no_certificate(world, stack: AsyncExitStack) -> None:
    (spammer,) = await world.people(stack, ALICE)
    for index in range(10):
        (victim,) = await world.people(stack, TelephoneNumber.from_digits(f"120255502{index:02}"))
        spam = await told(world, spammer, victim, f"offer {index}")
        taken = await victim.report([spam.id], ReportKind.SPAM)
    assert taken.status is NumberStatus.WITHDRAWN

    world.clock.now += 5 * 86_400
    with spammer.listening() as events:
        await spammer.maintain()
        (trouble,) = [each for each in _drained(events) if isinstance(each, Trouble)]
    assert (trouble.code, "--appeal" in trouble.error.hint) == ("number-withdrawn", True)

    world.clock.now += 5 * 86_400  # the certificate has ended, and the appeal is heard all the same
    with pytest.raises(NumberWithdrawnError):
        await spammer.maintain()
    assert (await spammer.standing("It was stolen.")).appeal == "It was stolen."


async def test_a_list_outlives_the_process(world, stack: AsyncExitStack) -> None:
    spammer, bob = await world.people(stack, ALICE, BOB)
    spam = await told(world, spammer, bob, "You have won.")
    await bob.report([spam.id], ReportKind.SPAM)
    await world.enrol(CAROL)
    async with world.open(CAROL) as carol:
        known = await carol.refresh_statuses()
    async with world.open(CAROL) as carol:
        assert carol.steps.statuses.known == known
        assert carol.steps.statuses.of(ALICE, carol.now()) is NumberStatus.REPORTED


def _payload(token: str) -> bytes:
    return decode_base64url(token.split(".")[1].encode())


def _drained(events) -> list[Event]:
    return [events.get_nowait() for _ in range(events.qsize())]


def _posted(report: Report) -> httpx.Request:
    body = msgspec.json.encode(ReportRequest.of(report))
    return httpx.Request("POST", f"{AUTHORITY}/v1/reports", content=body, headers={"content-type": "application/json"})


async def _list(world) -> bytes:
    async with httpx.AsyncClient(transport=world.network, base_url=AUTHORITY) as http:
        return (await http.get("/v1/status-list")).content


class _Answering(httpx.AsyncBaseTransport):
    """An authority whose list is always the same one."""

    def __init__(self, honest: httpx.AsyncBaseTransport, octets: bytes) -> None:
        self._honest = honest
        self._octets = octets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/status-list":
            return httpx.Response(200, stream=httpx.ByteStream(self._octets))
        return await self._honest.handle_async_request(request)
