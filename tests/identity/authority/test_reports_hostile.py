"""What is tried against the report desk: words that were not said, other people's budgets, statuses without an end."""

import dataclasses

import pytest
from click.testing import CliRunner

from identity.authority.cli import authority as command
from identity.authority.report_policy import DAY, ReportPolicy, independent
from identity.base64url import encode_base64url
from identity.binding import attest_message
from identity.message import group_uri, user_uri
from identity.number import TelephoneNumber
from identity.passport import ES256, canonical_json
from identity.reports.franking import FrankingContext, FrankingKey, franking_tag
from identity.reports.number_status import NumberStatus
from identity.reports.report import ANYONE, REPORT_TYPE, Evidence, EvidenceItem, ReportKind, sign_report
from tests.identity.authority.test_reports_service import ACCUSED, BASE_URL, HOST, Town, count, number


@pytest.fixture
def town(authority, make_device) -> Town:
    return Town(authority, make_device)


@pytest.fixture
async def spammer(town: Town):
    return await town.person(ACCUSED)


async def test_a_group_named_by_what_a_terminal_obeys_is_no_group(town: Town, spammer, word, folder, monkeypatch):
    monkeypatch.setattr("time.time", lambda: float(town.authority.clock.now))
    bob = await town.person(number(1))
    uri = group_uri("\x1b]0;owned\x07\x1b[2J", b"chat")
    framed = b"\x18application/mimi-contentBuy."
    token = attest_message(
        spammer.key, spammer.chain[0], base_url=BASE_URL, number=ACCUSED, group_uri=uri, peer=None,
        framed=framed, now=town.authority.clock.now,
    )  # fmt: skip
    item = EvidenceItem(framed, token.decode(), spammer.chain, uri, 1, 0, town.authority.clock.now)

    response = await town.post(town.report(bob, item))

    assert (word(response), response.json()["check"]) == ("report-refused", 8)
    shown = CliRunner().invoke(command, ["reports", "show", ACCUSED.e164, "--data-dir", str(folder)])
    assert "\x1b" not in shown.output


async def test_nobody_spends_anothers_budget_with_what_that_number_has_signed(town: Town, spammer, word) -> None:
    bob, item = await town.person(number(1)), town.message(spammer, "chat")
    evidence, now = Evidence((item,), ReportKind.SPAM).encode(), town.authority.clock.now
    for_others = sign_report(bob.key, bob.chain, evidence, ANYONE, now)  # handed to a third party, who hands it in
    refused = town.report(
        bob, dataclasses.replace(item, framed=b"\x1aapplication/mimi-contentAltered")
    )  # caught on its way

    for report in [for_others] * ReportPolicy().reports_per_day + [refused] * ReportPolicy().reports_per_day:
        assert word(await town.post(report)) == "report-refused"

    assert (await town.take(bob, item)).counted


async def test_a_status_of_a_number_that_is_certified_no_more_spoils_no_list(town: Town, spammer, open_at) -> None:
    await town.spam(spammer, 1)
    british = TelephoneNumber.from_digits("447700900123")
    await town.take(await town.person(number(5)), town.message(await town.person(british), "chat"))
    town.authority.close()
    town.authority = await open_at(allow=("+44",))

    listed = await town.list()

    assert (listed.count, listed.of(british), listed.of(ACCUSED)) == (1, NumberStatus.REPORTED, NumberStatus.CLEAR)


async def test_a_clock_that_was_set_back_leaves_no_list_of_the_future(town: Town, spammer) -> None:
    await town.spam(spammer, 1)
    ahead = await town.list()
    town.authority.clock.now -= 3_000
    assert (await town.list()).serial > ahead.serial


async def test_few_reports_do_not_prolong_a_withdrawal(town: Town, spammer) -> None:
    start = town.authority.clock.now
    await town.spam(spammer, 9)
    town.authority.clock.now += 25 * DAY
    spammer = await town.person(ACCUSED)
    kept = [town.message(spammer, f"chat {index}") for index in (20, 21)]  # to be reported when it suits
    assert (await town.spam(spammer, 1, start=9)).status is NumberStatus.WITHDRAWN

    town.authority.clock.now = start + 54 * DAY
    for index, item in enumerate(kept, 20):
        taken = await town.take(await town.person(number(index)), item)

    assert (taken.counted, taken.status, taken.ends_at) == (True, NumberStatus.WITHDRAWN, start + 55 * DAY)
    town.authority.clock.now = start + 55 * DAY
    assert (await town.list()).of(ACCUSED) is NumberStatus.REPORTED  # three reports do what three reports do
    town.authority.clock.now = start + 61 * DAY
    assert (await town.list()).of(ACCUSED) is NumberStatus.CLEAR


@pytest.mark.parametrize("ahead", [0, 60], ids=["clocks agree", "the sender's clock is ahead"])
async def test_a_message_is_too_old_before_it_is_forgotten(town: Town, spammer, ahead: int) -> None:
    bob, first = await town.person(number(1)), town.authority.clock.now
    town.authority.clock.now = first + ahead
    message = dataclasses.replace(town.message(spammer, "chat"), arrived=first)
    town.authority.clock.now = first
    assert (await town.take(bob, message)).counted

    for later in (0, ahead, ahead + 1):
        town.authority.clock.now = first + 30 * DAY + later
        bob = await town.person(number(1))
        response = await town.post(town.report(bob, message))
        assert response.status_code == 422 or not response.json()["counted"]


async def test_a_frank_of_the_future_is_refused_as_long_as_it_is_one(open_at, make_device, word) -> None:
    hub = FrankingKey.generate()
    town = Town(await open_at(policy=ReportPolicy(hub_keys={hub.public.key_id: hub.public})), make_device)
    bob, now = await town.person(number(1)), town.authority.clock.now
    framed, room = b"\x18application/mimi-content\x00\x16\x87\x50" + bytes(16) + b"spam", group_uri(HOST, b"room")
    context = FrankingContext(user_uri(HOST, ACCUSED), room, (now + 365 * DAY) * 1000)  # its service's clock is wrong
    frank = hub.frank(franking_tag(framed), context)
    item = EvidenceItem(
        framed, "", (), room, 0, 0, now, sender=context.sender_uri, accepted_ms=context.accepted_ms, frank=frank
    )

    response = await town.post(town.report(bob, item))

    assert (word(response), response.json()["check"]) == ("report-refused", 9)


@pytest.mark.parametrize("more", [{"x5c": []}, {"x5c": ["AAAA"]}, {"kid": "1"}])
async def test_a_statement_with_more_in_its_header_is_none(town: Town, spammer, word, more: dict[str, object]) -> None:
    bob, item = await town.person(number(1)), town.message(spammer, "chat")
    report = town.report(bob, item)
    header, claims = {"alg": "ES256", "typ": REPORT_TYPE, **more}, report.statement.split(".")[1].encode()
    signing_input = encode_base64url(canonical_json(header)) + b"." + claims
    statement = signing_input + b"." + encode_base64url(ES256.sign(signing_input, bob.key))

    response = await town.post(dataclasses.replace(report, statement=statement.decode()))

    assert (word(response), response.json()["check"]) == ("report-refused", 3)


def test_many_reporters_of_the_same_conversations_are_paired_off_without_looking_twice() -> None:
    looked = 0

    class Conversation(bytes):
        def __hash__(self) -> int:
            nonlocal looked
            looked += 1
            return super().__hash__()

    conversations = [Conversation(bytes([index])) for index in range(50)]
    reports = [(bytes([reporter]), each) for reporter in range(100) for each in conversations]

    assert independent(reports) == 50
    assert looked < 10 * len(reports)  # 5,000


async def test_an_accomplice_who_reports_first_takes_no_voice_from_the_victims(town: Town, spammer) -> None:
    accomplice = await town.person(number(90))
    spam = [town.message(spammer, f"group {index}") for index in range(3)]  # the accomplice is in each group
    assert (await town.take(accomplice, *spam)).counted

    for index, message in enumerate(spam):
        taken = await town.take(await town.person(number(index)), message)

    assert taken.ends_at == town.authority.clock.now + 7 * DAY
    assert await count(town, spammer) == 3


async def test_what_the_operator_has_cleared_counts_by_nobody_elses_report(
    town: Town, spammer, folder, monkeypatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(town.authority.clock.now))
    shared, other = town.message(spammer, "group"), town.message(spammer, "group", text="another")
    await town.take(await town.person(number(1)), shared)
    CliRunner().invoke(command, ["reports", "clear", ACCUSED.e164, "--data-dir", str(folder)])

    carol = await town.person(number(2))
    assert not (await town.take(carol, shared)).counted
    assert (await town.take(carol, other)).counted


async def test_who_is_struck_for_one_number_silences_nobody_about_another(
    town: Town, spammer, folder, monkeypatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(town.authority.clock.now))
    accomplice, wronged = await town.person(number(90)), await town.person(number(91))
    spam = town.message(spammer, "group")
    await town.take(accomplice, spam)
    await town.take(accomplice, town.message(wronged, "chat"))
    CliRunner().invoke(command, ["reports", "clear", wronged.number.e164, "--data-dir", str(folder)])

    assert (await town.take(await town.person(number(1)), spam)).counted
