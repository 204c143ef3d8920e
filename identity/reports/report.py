"""Reports that prove themselves: what somebody was told, with the proof of who said it, and their own signed word.

A report is verified with nothing but trust anchors and a clock. It proves that the accused number's key signed exactly
these octets, for that group, at that time, and that the reporter's key stands by the report. It does not prove that
what was said is bad: that is for whoever counts reports (docs/binding.md, Reports).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from identity.base64url import decode_base64url
from identity.binding import verify_message
from identity.certificates import VerifiedChain, leaf_public_point
from identity.checks import CLOCK_TOLERANCE
from identity.device import DeviceVerifier
from identity.errors import IdentityError, PassportError, ReportError
from identity.message import MessageContext, ReceivedMessage, user_uri
from identity.number import TelephoneNumber
from identity.passport import parse_passport
from identity.reports.evidence import (
    ANYONE,
    EVIDENCE_LIMIT,
    ITEMS_LIMIT,
    NOTE_LIMIT,
    REPORT_TYPE,
    Evidence,
    EvidenceItem,
    Report,
    ReportClaims,
    ReportKind,
    parse_evidence,
    sign_report,
)
from identity.reports.franking import URI_LIMIT, HubKey, VerifiedFrank, verify_frank
from identity.reports.statement import UnverifiedStatement, parse_statement
from identity.status.revocation import NO_REVOCATIONS, Revocations, StatusState
from identity.verdict import Verdict, Verification

__all__ = [
    "ANYONE",
    "EVIDENCE_LIMIT",
    "ITEMS_LIMIT",
    "MESSAGE_AGE",
    "NOTE_LIMIT",
    "REPORT_TYPE",
    "STATEMENT_AGE",
    "Evidence",
    "EvidenceItem",
    "Report",
    "ReportCheck",
    "ReportClaims",
    "ReportContext",
    "ReportKind",
    "ReportVerification",
    "parse_evidence",
    "replay_keys",
    "sign_report",
    "verify_report",
]

STATEMENT_AGE = 600  # seconds between the reporter's signature and the authority's clock, either way
MESSAGE_AGE = 30 * 86_400  # seconds: what was said longer ago is not reported any more

_PROVED = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE})  # by the number's own key, not by a carrier


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What whoever verifies knows: their own name, their clock, which numbers they speak for, what was used before.

    `speaks_for` says whether a status of that number is theirs to publish; `seen` whether a statement's digest was
    accepted before. What either raises passes through. `hub_keys`: of delivery services that are believed, by key id.
    `revocations`: the lists at hand.
    """

    audience: str
    now: int
    speaks_for: Callable[[TelephoneNumber], bool] = lambda _: True
    seen: Callable[[bytes], bool] = lambda _: False
    hub_keys: Mapping[bytes, HubKey] = field(default_factory=dict)
    revocations: Revocations = NO_REVOCATIONS


class ReportCheck(NamedTuple):
    """One numbered check: what it compared, or why it did not pass."""

    number: int
    name: str
    outcome: Literal["passed", "failed", "skipped"]
    compared: str


@dataclass(frozen=True, slots=True)
class ReportVerification:
    """What became of a report; only `verify_report` makes one.

    `messages` are the verdicts, in the report's order; of a message that came by its frank, what the service confirms.
    """

    accused: TelephoneNumber | None
    reporter: TelephoneNumber | None
    evidence: Evidence | None
    messages: tuple[Verification | VerifiedFrank, ...]
    statement_digest: bytes
    checks: tuple[ReportCheck, ...]

    @property
    def failed_check(self) -> ReportCheck | None:
        """The check that refused the report, if one did."""
        return next((check for check in self.checks if check.outcome == "failed"), None)

    @property
    def accepted(self) -> bool:
        """Whether every check has passed."""
        return all(check.outcome == "passed" for check in self.checks)


def verify_report(report: Report, context: ReportContext, devices: DeviceVerifier) -> ReportVerification:
    """Check a report; the result is always a value, whatever the report holds. The first check that fails ends it.

    1 bounds     size, JSON in its one form, 1 to 20 messages     6 evidence  the statement is about this evidence
    2 reporter   chain of a device, valid and not revoked now     7 accused   one number; ours; not the reporter's own
    3 statement  signed by that device's key, of this kind        8 messages  checks 0 to 14 of each message
    4 audience   made for whoever verifies                        9 recent    none signed more than 30 days ago
    5 time       signed within ten minutes of now                10 distinct  no message twice; the statement is new
    """
    found = _Found(report, context, devices)
    compared: list[str] = []
    try:
        for _, check in _CHECKS:
            compared.append(check(found))
        stopped = ""
    except IdentityError as error:
        stopped = str(error)
    return ReportVerification(
        accused=found.accused,
        reporter=None if found.reporter is None else found.reporter.number,
        evidence=found.evidence,
        messages=tuple(found.messages),
        statement_digest=b"" if found.statement is None else found.statement.digest,
        checks=tuple(_outcome(number, compared, stopped) for number in range(len(_CHECKS))),
    )


def _outcome(index: int, compared: Sequence[str], stopped: str) -> ReportCheck:
    name = _CHECKS[index][0]
    if index < len(compared):
        return ReportCheck(index + 1, name, "passed", compared[index])
    if index == len(compared):
        return ReportCheck(index + 1, name, "failed", stopped)
    return ReportCheck(index + 1, name, "skipped", "")


@dataclass(slots=True)
class _Found:
    """What earlier checks have established, for the later ones."""

    report: Report
    context: ReportContext
    devices: DeviceVerifier
    evidence: Evidence | None = None
    reporter: VerifiedChain | None = None
    statement: UnverifiedStatement | None = None
    claims: ReportClaims | None = None
    accused: TelephoneNumber | None = None
    messages: list[Verification | VerifiedFrank] = field(default_factory=list)


def _check_bounds(found: _Found) -> str:
    found.evidence = parse_evidence(found.report.evidence)
    return f"{len(found.report.evidence)} octets, {len(found.evidence.items)} messages"


def _check_reporter(found: _Found) -> str:
    chain = found.report.chain
    if not chain:
        raise ReportError("reporter", "the reporter's chain is empty", check=2)
    found.reporter = found.devices.verify(chain, leaf_public_point(chain[0]), found.context.now).chain
    status = found.context.revocations.status(found.reporter, found.context.now)
    if status.state is StatusState.REVOKED:
        raise ReportError("revoked", f"the reporter's certificate was revoked at {status.revoked_at}", check=2)
    return f"a device of {found.reporter.number}, valid at {found.context.now}"


def _check_statement(found: _Found) -> str:
    assert found.reporter is not None, "check 2 has passed"
    statement = parse_statement(found.report.statement, REPORT_TYPE)
    if statement.x5c:
        raise ReportError("header", "the reporter's chain comes beside the statement, not in it", check=3)
    statement.verify(found.reporter.public_key)
    found.claims = statement.claims(ReportClaims)
    found.statement = statement
    return "signed by that device's key"


def _check_audience(found: _Found) -> str:
    assert found.claims is not None, "check 3 has passed"
    if found.claims.aud != found.context.audience:
        raise ReportError("audience", f"the report is for {found.claims.aud!a}, not {found.context.audience}", check=4)
    return found.claims.aud


def _check_time(found: _Found) -> str:
    assert found.claims is not None, "check 3 has passed"
    apart = found.context.now - found.claims.iat
    if abs(apart) > STATEMENT_AGE:
        raise ReportError("time", f"the report was signed {apart} s ago, not within {STATEMENT_AGE} s", check=5)
    return f"signed at {found.claims.iat}, now {found.context.now}"


def _check_evidence(found: _Found) -> str:
    assert found.claims is not None, "check 3 has passed"
    digest = hashlib.sha256(found.report.evidence).hexdigest()
    if found.claims.evidence != digest:
        raise ReportError("evidence", "the reporter's statement is about other evidence", check=6)
    return digest


def _check_accused(found: _Found) -> str:
    assert found.evidence is not None, "check 1 has passed"
    assert found.reporter is not None, "check 2 has passed"
    numbers = {item.number for item in found.evidence.items}
    accused = numbers.pop()
    if numbers or accused is None:
        raise ReportError("accused", "the messages are not all by one number", check=7)
    if accused == found.reporter.number:
        raise ReportError("own", "nobody can report themself", check=7)
    if not found.context.speaks_for(accused):
        raise ReportError("not-covered", f"{accused} is not among the numbers that are certified here", check=7)
    found.accused = accused
    return f"{accused}, reported by another number"


def _check_messages(found: _Found) -> str:
    assert found.evidence is not None, "check 1 has passed"
    for place, item in enumerate(found.evidence.items, 1):
        if item.frank:
            found.messages.append(verify_frank(item.franked(), found.context.hub_keys))
            continue
        verification = _verified(found, item)
        if verification.verdict not in _PROVED:
            failed = verification.failed_check
            why = verification.reason + (f" (check {failed.number}: {failed.compared})" if failed else "")
            raise ReportError("message", f"message {place} proves nothing against its sender: {why}", check=8)
        found.messages.append(verification)
    return f"{len(found.messages)} messages by the accused number"


def _check_recent(found: _Found) -> str:
    assert found.evidence is not None, "check 1 has passed"
    assert found.claims is not None, "check 3 has passed"
    now, signed = found.context.now, found.claims.iat  # arrival and signature are by the reporter's clock alike
    for place, item in enumerate(found.evidence.items, 1):
        iat = item.accepted_ms // 1000 if item.frank else parse_passport(item.passport).iat
        if not now - MESSAGE_AGE <= iat <= signed + 2 * CLOCK_TOLERANCE or item.arrived > signed + CLOCK_TOLERANCE:
            raise ReportError("old", f"message {place} was signed at {iat}, which is not within 30 days", check=9)
    return f"none signed more than {MESSAGE_AGE} s before {now}"


def _check_distinct(found: _Found) -> str:
    assert found.statement is not None, "check 3 has passed"
    if len(set(replay_keys(found.messages))) < len(found.messages):
        raise ReportError("repeated", "a message is in the report twice", check=10)
    if found.context.seen(found.statement.digest):
        raise ReportError("replayed", "this very report was made before", check=10)
    return f"{len(found.messages)} different messages; the statement is new"


_CHECKS: tuple[tuple[str, Callable[[_Found], str]], ...] = (
    ("bounds", _check_bounds),
    ("reporter", _check_reporter),
    ("statement", _check_statement),
    ("audience", _check_audience),
    ("time", _check_time),
    ("evidence", _check_evidence),
    ("accused", _check_accused),
    ("messages", _check_messages),
    ("recent", _check_recent),
    ("distinct", _check_distinct),
)


def replay_keys(messages: Sequence[Verification | VerifiedFrank]) -> tuple[bytes, ...]:
    """Name each message of an accepted report, whoever reports it in the same way."""
    return tuple(map(_name, messages))


def _name(message: Verification | VerifiedFrank) -> bytes:
    if isinstance(message, VerifiedFrank):
        return message.replay_key
    assert message.evidence is not None, "what is proved has evidence"
    return message.evidence.replay_key


def _verified(found: _Found, item: EvidenceItem) -> Verification:
    """The verdict of the reporter's place: their number, and of the others no more than the token itself names.

    The content's own words about sender and room are not read here: the signed digest covers them, and `orig` and
    `dest` say the same under the same signature.
    """
    assert found.reporter is not None, "check 2 has passed"
    assert found.reporter.number is not None, "a device has one number"
    assert found.accused is not None, "check 7 has passed"
    passport = item.passport.encode("utf-8", "replace")
    named = (TelephoneNumber.from_digits(digits) for digits in _listed(passport))
    context = MessageContext(
        group_uri=item.group,
        group_id=_group_id(item.group),
        epoch=item.epoch,
        sender_leaf=item.leaf,
        sender_chain=item.chain,
        sender_key=leaf_public_point(item.chain[0]),
        own_number=found.reporter.number,
        member_numbers=frozenset((found.accused, *named)),
        arrived=item.arrived,
        sender_since=None,
    )
    message = ReceivedMessage(passport, item.framed, user_uri("reported", found.accused), item.group)
    revocations, now = found.context.revocations, found.context.now
    return verify_message(message, context, found.devices.chains, lambda _: False, revocations, now=now)


def _listed(passport: bytes) -> tuple[str, ...]:
    """The numbers in `dest`; of what is no PASSporT none, and `verify_message` says so."""
    try:
        return parse_passport(passport).dest_numbers
    except PassportError:
        return ()


def _group_id(uri: str) -> bytes:
    # The accused has signed it, and operators read it: what checks below say of it is shown as it is.
    if len(uri) > URI_LIMIT or not uri.isascii() or not uri.isprintable():
        raise ReportError("group", "a group is named by a URI", check=8)
    try:
        return decode_base64url(uri.rpartition("/g/")[2].encode("ascii"))
    except (ValueError, UnicodeEncodeError) as error:
        raise ReportError("group", f"{uri!a} is not the URI of a group", check=8) from error
