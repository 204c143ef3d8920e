"""One test for each numbered check of a report, which breaks exactly that check; and nobody can be framed."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.binding import attest_message
from identity.device import DeviceVerifier
from identity.errors import ReportError
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.message import group_uri
from identity.number import TelephoneNumber
from identity.reports.report import (
    EVIDENCE_LIMIT,
    MESSAGE_AGE,
    REPORT_TYPE,
    STATEMENT_AGE,
    Evidence,
    EvidenceItem,
    Report,
    ReportContext,
    ReportKind,
    ReportVerification,
    parse_evidence,
    sign_report,
    verify_report,
)
from identity.reports.statement import sign_statement
from lab.forgery import with_other_signature
from tests.identity.conftest import (
    ALICE,
    BASE_URL,
    BOB,
    FRAMED,
    GROUP_ID,
    HOST,
    NOW,
    RANGE,
    Authority,
    der,
    private_key,
)

CAROL = TelephoneNumber.from_digits("12025550144")
AUDIENCE = "https://authority.example"
GROUP = group_uri(HOST, GROUP_ID)
DAY = 86_400


@dataclass
class Case:
    """Alice wrote to Bob, and Bob reports it; everything is honest until a test changes it."""

    authority: Authority
    alice: Any = field(default_factory=lambda: private_key(1))
    bob: Any = field(default_factory=lambda: private_key(2))
    now: int = NOW + 60
    seen: set[bytes] = field(default_factory=set)

    def chain(self, key: Any, number: TelephoneNumber, **options: int) -> tuple[bytes, ...]:
        return self.authority.device_chain(key, number, **options)

    def item(self, **changes: Any) -> EvidenceItem:
        chain = changes.pop("chain", None) or self.chain(self.alice, ALICE)
        token = attest_message(
            changes.pop("key", self.alice),
            chain[0],
            base_url=BASE_URL,
            number=changes.pop("number", ALICE),
            group_uri=changes.get("group", GROUP),
            peer=changes.pop("peer", BOB),
            framed=changes.get("framed", FRAMED),
            now=changes.pop("iat", NOW),
        ).decode()
        honest = EvidenceItem(FRAMED, token, chain, GROUP, 7, 0, NOW + 2)
        return dataclasses.replace(honest, **changes)

    def evidence(self, *items: EvidenceItem, **changes: Any) -> Evidence:
        return Evidence(items or (self.item(),), **({"kind": ReportKind.SPAM} | changes))

    def report(self, evidence: Evidence | None = None) -> Report:
        octets = (evidence or self.evidence()).encode()
        return sign_report(self.bob, self.chain(self.bob, BOB), octets, AUDIENCE, self.now)

    def verify(self, report: Report | None = None, **changes: Any) -> ReportVerification:
        context = ReportContext(AUDIENCE, self.now, seen=self.seen.__contains__)
        devices = DeviceVerifier(self.authority.anchors)
        return verify_report(report or self.report(), dataclasses.replace(context, **changes), devices)


@pytest.fixture
def case(authority: Authority) -> Case:
    return Case(authority)


def refused(found: ReportVerification, check: int, words: str) -> None:
    """The report was refused by exactly this check, with this reason, and nothing after it was looked at."""
    failed = found.failed_check
    assert failed is not None
    assert (failed.number, found.accepted) == (check, False)
    assert words in failed.compared
    assert [each.outcome for each in found.checks[:check]] == ["passed"] * (check - 1) + ["failed"]
    assert all(each.outcome == "skipped" for each in found.checks[check:])


def test_an_honest_report_passes_every_check(case: Case) -> None:
    found = case.verify()
    assert found.accepted, found.failed_check
    assert (found.accused, found.reporter) == (ALICE, BOB)
    assert [each.number for each in found.checks] == list(range(1, 11))
    assert len(found.messages) == 1


def test_check_1_evidence_has_one_form(case: Case) -> None:
    octets = case.evidence().encode()
    for broken in (b"", b"{}", octets + b" ", octets.replace(b'"v":1', b'"v":2'), b" " * (EVIDENCE_LIMIT + 1)):
        refused(case.verify(dataclasses.replace(case.report(), evidence=broken)), 1, "evidence")


def test_check_1_there_are_one_to_twenty_messages(case: Case) -> None:
    for count in (0, 21):
        honest = json.loads(case.evidence().encode())
        octets = json.dumps(honest | {"items": honest["items"] * count}, separators=(",", ":")).encode()
        report = dataclasses.replace(case.report(), evidence=octets)
        refused(case.verify(report), 1, "evidence")


def test_check_2_the_reporter_is_a_certified_device_now(case: Case) -> None:
    root_key, root = create_root("Elsewhere", NOW, 10 * DAY)
    issuer_key, issuer = create_issuer(root_key, root, "Elsewhere", RANGE, NOW, 9 * DAY)
    foreign = issue_device_certificate(issuer_key, issuer, case.bob.public_key(), BOB, NOW)
    honest = case.report()
    refused(case.verify(dataclasses.replace(honest, chain=())), 2, "empty")
    refused(case.verify(dataclasses.replace(honest, chain=(der(foreign), der(issuer)))), 2, "no path")
    case.now = NOW + 8 * DAY
    refused(case.verify(), 2, "valid until")


def test_check_3_the_statement_is_by_the_reporter(case: Case) -> None:
    somebody = sign_report(private_key(3), case.chain(case.bob, BOB), case.evidence().encode(), AUDIENCE, case.now)
    refused(case.verify(somebody), 3, "not signed")


def test_check_3_the_statement_is_a_report_and_no_more(case: Case) -> None:
    digest = hashlib.sha256(case.evidence().encode()).hexdigest()
    claims = {"aud": AUDIENCE, "evidence": digest, "iat": case.now, "jti": "a" * 22}
    for typ, said, words in (
        ("passport", claims, "not one of the kind"),
        (REPORT_TYPE, claims | {"extra": 1}, "more than it may"),
        (REPORT_TYPE, claims | {"iat": True}, "does not say"),
        (REPORT_TYPE, {"aud": AUDIENCE}, "does not say"),
    ):
        statement = sign_statement(case.bob, typ, said)
        refused(case.verify(dataclasses.replace(case.report(), statement=statement)), 3, words)


def test_check_4_a_report_is_for_one_authority(case: Case) -> None:
    refused(case.verify(audience="https://elsewhere.example"), 4, "the report is for")


@pytest.mark.parametrize("apart", [STATEMENT_AGE + 1, -STATEMENT_AGE - 1])
def test_check_5_a_report_is_made_now(case: Case, apart: int) -> None:
    report = case.report()
    refused(case.verify(report, now=case.now + apart), 5, "not within")
    assert case.verify(report, now=case.now + (apart - 1 if apart > 0 else apart + 1)).accepted


def test_check_6_altered_evidence_is_not_what_was_signed(case: Case) -> None:
    altered = case.evidence(case.item(), note="and worse").encode()
    refused(case.verify(dataclasses.replace(case.report(), evidence=altered)), 6, "other evidence")


def test_check_7_a_report_is_about_one_number(case: Case) -> None:
    other = case.item(key=private_key(4), chain=case.chain(private_key(4), CAROL), number=CAROL)
    refused(case.verify(case.report(case.evidence(case.item(), other))), 7, "not all by one number")


def test_check_7_nobody_reports_themself(case: Case) -> None:
    own = case.item(key=case.bob, chain=case.chain(case.bob, BOB), number=BOB, peer=None)
    refused(case.verify(case.report(case.evidence(own))), 7, "report themself")


def test_check_7_an_authority_speaks_of_its_own_numbers(case: Case) -> None:
    refused(case.verify(speaks_for=lambda number: number == BOB), 7, "not among the numbers")


Breaking = Callable[[Case], EvidenceItem]

FRAMED_UP: dict[str, tuple[Breaking, str]] = {
    "altered text": (lambda case: dataclasses.replace(case.item(), framed=FRAMED + b"!"), "check 9"),
    "forged PASSporT": (lambda case: case.item(key=private_key(5)), "check 8"),
    "a token of another kind": (lambda case: dataclasses.replace(case.item(), passport="e30.e30.e30"), "check 1"),
    "somebody else's message": (
        lambda case: dataclasses.replace(
            case.item(key=private_key(4), chain=case.chain(private_key(4), CAROL), number=CAROL),
            chain=case.chain(case.alice, ALICE),
        ),
        "check 4",
    ),
    "a message for another number": (
        lambda case: case.item(key=private_key(5), chain=case.chain(private_key(5), ALICE), number=CAROL),
        "check 6",
    ),
    "stripped of its proof": (lambda case: dataclasses.replace(case.item(), passport=""), "check 1"),
    "unknown chain": (lambda case: case.item(chain=_foreign(case)), "check 5"),
    "expired chain": (
        lambda case: case.item(chain=case.chain(case.alice, ALICE, lifetime=3_600), iat=NOW + 7_200),
        "check 5",
    ),
    "another conversation": (
        lambda case: dataclasses.replace(case.item(), group=group_uri(HOST, b"another group")),
        "check 10",
    ),
    "addressed to somebody else": (lambda case: case.item(peer=CAROL), "check 10"),
    "not a group": (
        lambda case: dataclasses.replace(case.item(), group="https://example.org/"),
        "not the URI of a group",
    ),
    "arrived before it was signed": (lambda case: dataclasses.replace(case.item(), arrived=NOW - 120), "check 11"),
}


def _foreign(case: Case) -> tuple[bytes, ...]:
    root_key, root = create_root("Elsewhere", NOW, 10 * DAY)
    issuer_key, issuer = create_issuer(root_key, root, "Elsewhere", RANGE, NOW, 9 * DAY)
    return der(issue_device_certificate(issuer_key, issuer, case.alice.public_key(), ALICE, NOW)), der(issuer)


@pytest.mark.parametrize("how", FRAMED_UP)
def test_check_8_nobody_is_framed_by(case: Case, how: str) -> None:
    break_it, words = FRAMED_UP[how]
    refused(case.verify(case.report(case.evidence(break_it(case)))), 8, words)


def test_check_8_one_forged_message_spoils_the_report(case: Case) -> None:
    forged = dataclasses.replace(case.item(iat=NOW + 1), framed=b"forged")
    refused(case.verify(case.report(case.evidence(case.item(), forged))), 8, "message 2")


def test_a_message_to_a_group_is_reported_by_any_of_its_members(case: Case) -> None:
    assert case.verify(case.report(case.evidence(case.item(peer=None)))).accepted


def test_check_9_what_was_said_long_ago_is_not_reported(case: Case) -> None:
    item = case.item()
    case.now = NOW + 6 * DAY
    assert case.verify(case.report(case.evidence(item))).accepted
    later = case.authority.device_chain(case.bob, BOB, lifetime=200 * DAY)
    case.now = NOW + MESSAGE_AGE + 1
    report = sign_report(case.bob, later, case.evidence(item).encode(), AUDIENCE, case.now)
    refused(case.verify(report), 9, "not within 30 days")


def test_check_9_nothing_has_arrived_in_the_future(case: Case) -> None:
    refused(case.verify(case.report(case.evidence(case.item(arrived=case.now + 120)))), 9, "not within 30 days")


def test_check_10_no_message_twice_and_no_report_twice(case: Case) -> None:
    refused(case.verify(case.report(case.evidence(case.item(), case.item()))), 10, "twice")
    report = case.report()
    found = case.verify(report)
    case.seen.add(found.statement_digest)
    refused(case.verify(report), 10, "made before")


def test_a_second_signature_over_the_same_report_is_no_new_report(case: Case) -> None:
    report = case.report()
    again = dataclasses.replace(report, statement=with_other_signature(report.statement.encode()).decode())
    assert case.verify(report).statement_digest == case.verify(again).statement_digest
    assert report.statement != again.statement


def test_the_octets_that_are_signed_are_the_octets_that_are_sent(case: Case) -> None:
    evidence = case.evidence(case.item(), note="“quoted” \u202e")
    assert parse_evidence(evidence.encode()) == evidence


@given(st.binary(max_size=400))
def test_any_octets_are_evidence_or_refused(octets: bytes) -> None:
    try:
        evidence = parse_evidence(octets)
    except ReportError:
        return
    assert evidence.encode() == octets


@given(
    evidence=st.binary(max_size=60), statement=st.text(max_size=60), chain=st.lists(st.binary(max_size=60), max_size=3)
)
def test_any_report_whatever_has_an_outcome(evidence: bytes, statement: str, chain: list[bytes]) -> None:
    found = Case(Authority()).verify(Report(evidence, statement, tuple(chain)))
    assert not found.accepted


@given(st.data())
def test_any_change_of_an_honest_report_is_refused(data: st.DataObject) -> None:
    case = Case(Authority())
    report = case.report()
    octets = bytearray(report.evidence)
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    assert not case.verify(dataclasses.replace(report, evidence=bytes(octets))).accepted
