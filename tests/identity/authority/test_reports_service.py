"""Reports at the authority: verified before they count, counted once, published as one list, appealed and ended."""

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from identity.authority.cli import authority as command
from identity.authority.folder import open_store
from identity.authority.report_policy import DAY, Consequence, ReportPolicy, independent
from identity.authority.status.revocations import revoke
from identity.authority.wire import (
    REPORT_BODY_LIMIT,
    ReportRequest,
    ReportTaken,
    Standing,
    StandingClaims,
    StandingRequest,
    sign_standing_proof,
)
from identity.binding import attest_message
from identity.message import group_uri
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import Evidence, EvidenceItem, Report, ReportKind, sign_report
from identity.reports.status_list import SignedStatusList, StatusList, verify_status_list
from identity.status.revocation import Reason

BASE_URL = "http://authority.example"
HOST = "example.org"
ACCUSED = TelephoneNumber.from_digits("12025550142")


def number(index: int) -> TelephoneNumber:
    return TelephoneNumber.from_digits(str(12025550200 + index))


@dataclass
class Town:
    """An authority, an accused device, and as many reporters as are asked for."""

    authority: object
    make_device: type

    async def person(self, of: TelephoneNumber) -> SimpleNamespace:
        device = self.make_device(of)
        issued = await self.authority.enrol(device)
        return SimpleNamespace(number=of, key=device.key, chain=tuple(issued.chain), device=device)

    def message(self, sender, group: str, *, text: str = "Buy.", peer: TelephoneNumber | None = None) -> EvidenceItem:
        framed, now = f"\x1aapplication/mimi-content{text}".encode(), self.authority.clock.now
        uri = group_uri(HOST, group.encode())
        token = attest_message(
            sender.key, sender.chain[0], base_url=BASE_URL, number=sender.number, group_uri=uri, peer=peer,
            framed=framed, now=now,
        )  # fmt: skip
        return EvidenceItem(framed, token.decode(), sender.chain, uri, 1, 0, now)

    def report(self, reporter, *items: EvidenceItem, kind: ReportKind = ReportKind.SPAM) -> Report:
        evidence = Evidence(items, kind).encode()
        return sign_report(reporter.key, reporter.chain, evidence, BASE_URL, self.authority.clock.now)

    async def post(self, report: Report) -> httpx.Response:
        return await self.authority.post("/v1/reports", ReportRequest.of(report))

    async def take(self, reporter, *items: EvidenceItem) -> ReportTaken:
        response = await self.post(self.report(reporter, *items))
        assert response.status_code == 201, response.text
        return msgspec.json.decode(response.content, type=ReportTaken)

    async def spam(self, spammer, count: int, start: int = 0) -> ReportTaken:
        """So many people report, each from a conversation of their own; the last answer."""
        for index in range(start, start + count):
            taken = await self.take(await self.person(number(index)), self.message(spammer, f"chat {index}"))
        return taken

    async def list(self) -> StatusList:
        response = await self.authority.http.get("/v1/status-list")
        assert response.status_code == 200
        signed = SignedStatusList.decode(response.content)
        anchors = await self.authority.anchors()
        return verify_status_list(signed, authority=BASE_URL, anchors=anchors, now=self.authority.clock.now)

    async def standing(self, person, appeal: str = "") -> httpx.Response:
        claims = StandingClaims(BASE_URL, self.authority.clock.now, secrets.token_hex(16), appeal)
        request = StandingRequest(list(person.chain), sign_standing_proof(person.key, claims))
        return await self.authority.post("/v1/standing", request)


@pytest.fixture
def refusal_of():
    """The word of a problem."""

    def word(response: httpx.Response) -> str:
        assert response.headers["content-type"] == "application/problem+json", response.text
        return response.json()["type"].removeprefix("urn:ringtrue:authority:")

    return word


@pytest.fixture
def town(authority, make_device) -> Town:
    return Town(authority, make_device)


@pytest.fixture
async def spammer(town: Town):
    return await town.person(ACCUSED)


async def test_one_verified_report_is_a_status_for_a_day(town: Town, spammer) -> None:
    taken = await town.spam(spammer, 1)

    assert taken == ReportTaken(True, "", NumberStatus.REPORTED, town.authority.clock.now + DAY)
    assert (await town.list()).of(ACCUSED) is NumberStatus.REPORTED
    town.authority.clock.now += DAY
    assert (await town.list()).of(ACCUSED) is NumberStatus.CLEAR


async def test_three_last_a_week_and_ten_withdraw_the_number(town: Town, spammer) -> None:
    now = town.authority.clock.now
    assert (await town.spam(spammer, 3)).ends_at == now + 7 * DAY
    assert (await town.list()).of(ACCUSED) is NumberStatus.REPORTED
    taken = await town.spam(spammer, 7, start=3)
    assert (taken.status, taken.ends_at) == (NumberStatus.WITHDRAWN, now + 30 * DAY)
    assert (await town.list()).of(ACCUSED) is NumberStatus.WITHDRAWN


async def test_a_withdrawn_number_gets_no_certificate_whatever_key_asks(town: Town, spammer, refusal_of) -> None:
    code = await town.authority.challenge(ACCUSED)
    await town.spam(spammer, 10)
    account, device = await town.authority.account(), spammer.device
    renewal = account.by_device(list(spammer.chain), device.key, ACCUSED, device.key, town.authority.clock.now)

    for response in (
        await town.authority.token("device", renewal),
        await town.authority.prove(*code, town.make_device(ACCUSED)),
        await town.authority.http.post(
            "/v1/challenges", content=b'{"number": "+12025550142"}', headers={"content-type": "application/json"}
        ),
    ):
        assert refusal_of(response) == "number-withdrawn"
    town.authority.clock.now += 30 * DAY
    assert await town.person(ACCUSED)


async def test_a_pair_counts_once_and_a_message_counts_once(town: Town, spammer) -> None:
    bob, carol = await town.person(number(1)), await town.person(number(2))
    shared, first, second = (town.message(spammer, name) for name in ("group", "one", "two"))

    assert (await town.take(bob, shared)).counted
    again, same_message = await town.take(bob, shared), await town.take(carol, shared)
    assert (again.counted, same_message.counted, await count(town, spammer)) == (False, False, 1)
    assert "reported before" in again.why
    assert "this conversation" in same_message.why

    other_chats, once_more = await town.take(bob, first, second), await town.take(carol, shared)
    assert (other_chats.counted, once_more.counted) == (True, False)  # now each of two has a conversation of their own
    assert await count(town, spammer) == 2


async def test_many_numbers_in_one_group_count_once(town: Town, spammer) -> None:
    for index in range(4):
        await town.take(await town.person(number(index)), town.message(spammer, "one group", text=f"spam {index}"))
    assert await count(town, spammer) == 1


async def count(town: Town, person) -> int:
    return msgspec.json.decode((await town.standing(person)).content, type=Standing).count


async def test_a_report_that_proves_nothing_is_refused_with_its_check_and_changes_nothing(
    town: Town, spammer, refusal_of
) -> None:
    bob = await town.person(number(1))
    genuine = town.message(spammer, "chat")
    forged = dataclasses.replace(genuine, framed=genuine.framed.replace(b"Buy", b"Die"))
    before = (await town.list()).serial

    response = await town.post(town.report(bob, forged))

    assert (refusal_of(response), response.json()["check"]) == ("report-refused", 8)
    assert "check 9" in response.json()["detail"]
    assert (await town.list()).serial == before
    assert await count(town, spammer) == 0


async def test_the_same_report_twice_is_a_replay(town: Town, spammer, refusal_of) -> None:
    report = town.report(await town.person(number(1)), town.message(spammer, "chat"))
    assert (await town.post(report)).status_code == 201
    response = await town.post(report)
    assert (refusal_of(response), response.json()["check"]) == ("report-refused", 10)


async def test_a_reporter_has_a_budget_per_day(town: Town, spammer, refusal_of) -> None:
    bob = await town.person(number(1))
    for index in range(ReportPolicy().reports_per_day):
        await town.take(bob, town.message(spammer, f"chat {index}"))
    response = await town.post(town.report(bob, town.message(spammer, "one more")))
    assert refusal_of(response) == "rate-limited"
    town.authority.clock.now += DAY
    assert (await town.post(town.report(bob, town.message(spammer, "tomorrow")))).status_code == 201


async def test_a_report_is_larger_than_other_bodies_and_still_bounded(town: Town, spammer, refusal_of) -> None:
    bob = await town.person(number(1))
    big = [town.message(spammer, "chat", text=str(place) + "x" * 6_000) for place in range(20)]
    report = town.report(bob, *big)
    assert len(report.evidence) > 3 * 32 * 1024
    assert (await town.post(report)).status_code == 201
    endless = b'{"evidence": "' + b" " * (REPORT_BODY_LIMIT + 1)
    response = await town.authority.http.post(
        "/v1/reports", content=endless, headers={"content-type": "application/json"}
    )
    assert (refusal_of(response), response.json()["limit"]) == ("too-large", REPORT_BODY_LIMIT)


async def test_a_number_of_another_authority_is_not_judged_here(town: Town, spammer, open_at, refusal_of) -> None:
    bob, genuine = await town.person(number(1)), town.message(spammer, "chat")
    town.authority.close()
    town.authority = await open_at(allow=("+44",))
    response = await town.post(town.report(bob, genuine))
    assert (refusal_of(response), response.json()["check"]) == ("report-refused", 7)


async def test_the_list_is_the_same_for_everybody_and_not_sent_twice(town: Town, spammer) -> None:
    first = await town.authority.http.get("/v1/status-list")
    etag = first.headers["etag"]
    unchanged = await town.authority.http.get("/v1/status-list", headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await town.spam(spammer, 1)
    changed = await town.authority.http.get("/v1/status-list", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_a_list_is_renewed_long_before_it_ends_and_serials_grow(town: Town) -> None:
    first = await town.list()
    town.authority.clock.now += ReportPolicy().list_lifetime // 2
    second = await town.list()
    assert second.serial > first.serial
    assert second.expires_at > first.expires_at


async def test_serials_grow_over_restarts(town: Town, open_at) -> None:
    first = await town.list()
    town.authority.close()
    town.authority = await open_at()
    assert (await town.list()).serial > first.serial


async def test_the_holder_sees_the_count_and_appeals_once(town: Town, spammer, refusal_of) -> None:
    await town.spam(spammer, 2)
    asked = msgspec.json.decode((await town.standing(spammer)).content, type=Standing)
    assert (asked.count, asked.kinds, asked.appeal) == (2, {"spam": 2}, None)

    appealed = msgspec.json.decode((await town.standing(spammer, "They asked me to.")).content, type=Standing)

    assert appealed.appeal == "They asked me to."
    assert refusal_of(await town.standing(spammer, "Really.")) == "appealed"


async def test_who_has_no_status_has_nothing_to_appeal(town: Town, spammer, refusal_of) -> None:
    assert refusal_of(await town.standing(spammer, "Why not.")) == "nothing-to-appeal"


async def test_an_ended_certificate_still_appeals(town: Town, spammer) -> None:
    await town.spam(spammer, 10)
    town.authority.clock.now += 10 * DAY
    assert (await town.standing(spammer, "My telephone was stolen.")).status_code == 200


async def test_who_no_longer_has_the_number_reports_nobody_and_hears_nothing_of_it(
    town: Town, spammer, folder, refusal_of
) -> None:
    reporter = await town.person(number(1))
    item = town.message(spammer, "before")
    withdraw(folder, reporter, Reason.privilege_withdrawn, town.authority.clock.now)
    refused = await town.post(town.report(reporter, item))
    assert (refusal_of(refused), refused.json()["check"]) == ("report-refused", 2)
    assert refusal_of(await town.standing(reporter)) == "chain-refused"
    assert (await town.list()).count == 0


async def test_a_spammer_escapes_no_report_by_revoking_a_certificate_but_a_lost_key_accuses_nobody(
    town: Town, spammer, folder, refusal_of
) -> None:
    item = town.message(spammer, "before")
    town.authority.clock.now += 1
    withdraw(folder, spammer, Reason.cessation_of_operation, town.authority.clock.now)
    assert (await town.take(await town.person(number(1)), item)).counted
    withdraw(folder, spammer, Reason.key_compromise, town.authority.clock.now)
    other = await town.person(number(2))
    refused = await town.post(town.report(other, item))
    assert (refusal_of(refused), refused.json()["check"]) == ("report-refused", 8)


async def test_reports_leave_the_list_of_revocations_as_it_is(town: Town, spammer) -> None:
    etags = set()
    for _ in range(2):
        etags.add((await town.authority.http.get("/v1/crl")).headers["etag"])
        await town.spam(spammer, 1)
    assert len(etags) == 1


def withdraw(folder: Path, person, reason: Reason, now: int) -> None:
    store = open_store(folder)
    with store.transaction():
        revoke(store, hashlib.sha256(person.chain[0]).digest(), reason, now)
    store.close()


async def test_nobody_asks_with_anothers_key_or_twice_with_one_proof(town: Town, spammer, refusal_of) -> None:
    bob = await town.person(number(1))
    bob.chain = spammer.chain
    assert refusal_of(await town.standing(bob)) == "proof-refused"
    claims = StandingClaims(BASE_URL, town.authority.clock.now, "nonce")
    request = StandingRequest(list(spammer.chain), sign_standing_proof(spammer.key, claims))
    assert (await town.authority.post("/v1/standing", request)).status_code == 200
    assert refusal_of(await town.authority.post("/v1/standing", request)) == "proof-replayed"


async def test_the_operator_lists_shows_and_clears_beside_the_running_authority(
    town: Town, spammer, folder, monkeypatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(town.authority.clock.now))
    bob = await town.person(number(1))
    hostile = town.message(spammer, "chat", text="Buy \x1b[2J\u202e now.")
    await town.take(bob, hostile)
    await town.standing(spammer, "Sorry \x1b[2J.")

    def run(*words: str) -> str:
        result = CliRunner().invoke(command, ["reports", *words, "--data-dir", str(folder)])
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output
        return result.output

    assert "APPEALED" in run("list")
    shown = run("show", "+1 202 555 0142")
    assert "Buy" in shown
    assert "Sorry" in shown
    run("clear", "+12025550142")

    assert (await town.list()).of(ACCUSED) is NumberStatus.CLEAR
    assert run("list") == "No number has a status.\n"
    struck = await town.take(bob, town.message(spammer, "chat", text="again"))
    assert (struck.counted, (await town.list()).count) == (False, 0)
    assert (await town.spam(spammer, 1, start=5)).counted


async def test_evidence_is_kept_until_the_status_ends_and_no_longer(town: Town, spammer) -> None:
    store = town.authority.http._transport.app.state.store
    await town.spam(spammer, 1)
    with store.transaction():
        assert store.rows("SELECT count(*) FROM reports WHERE evidence IS NOT NULL") == [(1,)]
        assert str(number(0).digits) not in str(store.rows("SELECT * FROM reports"))
    town.authority.clock.now += DAY
    await town.list()
    with store.transaction():
        assert store.rows("SELECT count(*) FROM reports WHERE evidence IS NOT NULL") == [(0,)]
    town.authority.clock.now += 30 * DAY
    await town.list()
    with store.transaction():
        assert store.rows("SELECT count(*) FROM reports") == [(0,)]
        assert store.rows("SELECT count(*) FROM reported_messages") == [(0,)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_independent_reports_are_a_maximum_matching(pairs: list[tuple[int, int]]) -> None:
    reports = [(bytes([reporter]), bytes([conversation])) for reporter, conversation in pairs]
    found = independent(reports)
    assert found == _largest(frozenset(reports))
    assert found <= min(len({each for each, _ in reports}), len({each for _, each in reports}))


def _largest(pairs: frozenset[tuple[bytes, bytes]]) -> int:
    """The same by trying everything."""
    best: dict[tuple[frozenset[bytes], frozenset[bytes]], int] = {(frozenset(), frozenset()): 0}
    for reporter, conversation in pairs:
        for (reporters, conversations), size in list(best.items()):
            if reporter not in reporters and conversation not in conversations:
                best[(reporters | {reporter}, conversations | {conversation})] = size + 1
    return max(best.values())


def test_the_policy_takes_the_last_step_that_is_reached() -> None:
    policy = ReportPolicy(
        consequences=(Consequence(2, NumberStatus.REPORTED, 5), Consequence(4, NumberStatus.WITHDRAWN, 9))
    )
    assert [policy.consequence(count) for count in (0, 1)] == [None, None]
    assert policy.consequence(3) == Consequence(2, NumberStatus.REPORTED, 5)
    assert policy.consequence(400) == Consequence(4, NumberStatus.WITHDRAWN, 9)
