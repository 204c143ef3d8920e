"""Everything that was compared for one message, in a form that a person can read from top to bottom."""

import json
from datetime import datetime
from typing import TypedDict

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from client.credentials.group_anchors import sets_words
from client.desk.showing import Showing, moment
from client.desk.views import CertificateView, CheckView, InspectionView, MessageView
from client.errors import ChatError
from client.formats.content import decode
from client.formats.text import safe_line, safe_text
from client.records.message import Message
from client.steps.wired import Steps
from client.words.wording import duration, status_words
from identity.base64url import decode_base64url
from identity.binding import MessageContext, ReceivedMessage, Verdict, Verification, verify_message
from identity.certificate_fields import certificate_tn_auth_list, load_certificate
from identity.errors import IdentityError
from identity.status.revocation import StatusState
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNEntry

CAUTION = "A verified number proves control of a number. It does not prove who a person is or that they mean well."
VALUE_LIMIT = 400  # characters of one claim
ENTRIES_SHOWN = 8  # of a list of numbers
_SENTENCES = {
    Verdict.VERIFIED: "Whoever wrote this had the key that was certified for {number}, and wrote exactly this, here.",
    Verdict.DELAYED: "The key certified for {number} signed this, a while before it arrived.",
    Verdict.STALE: "The key certified for {number} signed this, but long before it arrived.",
    Verdict.CARRIER: "A carrier vouches for {number}. The sender did not prove the number themself.",
    Verdict.UNSIGNED: "Nothing shows that this came from {number}.",
    Verdict.UNDECIDED: "Whether this came from {number} cannot be checked now.",
    Verdict.FAILED: "This claims to be from {number}, and the proof does not hold.",
}


def inspection(steps: Steps, showing: Showing, message: Message, now: int) -> InspectionView:
    """Look into one message; of an own one, see what others can check. Raises ChatError if there is nothing to see."""
    view = showing.message(message)
    message = steps.relations.standing_edit(message) or message  # what is shown is what is looked into
    if message.sender is None or (message.stored_context is None and message.verification is None):
        raise ChatError("there is nothing to inspect in this row", code="no-proof", hint="Choose a message.")
    context = None if message.stored_context is None else steps.history.context(message)
    verification = message.verification or _own_verification(steps, message, context)
    passport = message.passport or b""
    header, claims, signed = _token(passport)
    return InspectionView(
        message=view,
        sentence=_sentence(verification, view),
        caution=CAUTION,
        checks=[
            CheckView(number=each.number, name=each.name, outcome=each.outcome, compared=safe_line(each.compared))
            for each in verification.checks
        ],
        header=header,
        claims=claims,
        chain=[] if context is None else _chain(context, steps),
        epoch=None if context is None else context.epoch,
        leaf=None if context is None else context.sender_leaf,
        signed=signed,
        arrived=moment(message.arrived),
        age=f"{duration(max(now - message.arrived, 0))} ago",
        passport=safe_text(passport.decode("ascii", "replace")).text,
        content=message.framed.hex(" ") if view.place == "inbox" else "",
        confirmable=None if message.verification is None else message.frank.value,
        **_judged(steps, message.verification, now),
        trust=_trust(steps, message),
    )


def _trust(steps: Steps, message: Message) -> str:
    evidence = None if message.verification is None else message.verification.evidence
    is_member = steps.chats.known(message.group_id).standing.is_member
    named = steps.group_anchors.named(message.group_id) if is_member else None
    return sets_words(None if evidence is None else evidence.anchors, steps.groups.trust.fingerprint, named)


class _Judged(TypedDict, total=False):
    judged: datetime
    status_then: str
    status_now: str
    revoked_since: bool


def _judged(steps: Steps, verification: Verification | None, now: int) -> _Judged:
    """What was known of the certificate when the verdict was made, and what is known now."""
    evidence = None if verification is None else verification.evidence
    if evidence is None or not evidence.chain:
        return {}
    then, today = evidence.status, steps.revocations.status(evidence.chain, now)
    since = today.state is StatusState.REVOKED and (then is None or then.state is not StatusState.REVOKED)
    judged_at = evidence.arrived if evidence.judged_at is None else evidence.judged_at
    return _Judged(
        judged=moment(judged_at),
        status_then=status_words(then),
        status_now=status_words(today),
        revoked_since=since,
    )


def _own_verification(steps: Steps, message: Message, context: MessageContext | None) -> Verification:
    assert context is not None, "checked by the caller"
    content = decode(message.framed)
    received = ReceivedMessage(message.passport, message.framed, content.sender_uri, content.room_uri)
    revocations = steps.revocations.current()
    return verify_message(received, context, steps.groups.verifier.chains, lambda _: False, revocations)


def _sentence(verification: Verification, view: MessageView) -> str:
    number = verification.number or view.sender
    return f"{_SENTENCES[verification.verdict].format(number=number)} {verification.reason}".strip()


def _token(passport: bytes) -> tuple[dict[str, str], dict[str, str], datetime | None]:
    """Header and claims as they stand in a token, verified or not: for showing only."""
    parts = passport.split(b".")
    header, claims = (_fields(part) for part in parts[:2]) if len(parts) == 3 else ({}, {})
    iat = claims.get("iat", "")
    signed = moment(int(iat)) if iat.isascii() and iat.isdigit() and len(iat) < 12 else None
    return header, claims, signed


def _fields(segment: bytes) -> dict[str, str]:
    try:
        plain = json.loads(decode_base64url(segment))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(plain, dict):
        return {}
    return {safe_line(name)[:VALUE_LIMIT]: _value(value) for name, value in plain.items()}


def _value(value: object) -> str:
    return safe_line(value if isinstance(value, str) else json.dumps(value))[:VALUE_LIMIT]


def _chain(context: MessageContext, steps: Steps) -> list[CertificateView]:
    """From the root that anchors the chain down to the sender's certificate."""
    try:
        chain = [load_certificate(der) for der in context.sender_chain]
    except IdentityError:
        return []
    roots = steps.groups.trust.roots
    root = next((root for root in roots if chain and root.subject == chain[-1].issuer), None)
    return [_certificate(each) for each in (*([root] if root else []), *reversed(chain))]


def _certificate(certificate: x509.Certificate) -> CertificateView:
    return CertificateView(
        subject=safe_line(certificate.subject.rfc4514_string()),
        issuer=safe_line(certificate.issuer.rfc4514_string()),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        numbers=bounded_to(certificate),
    )


def bounded_to(certificate: x509.Certificate) -> str:
    """The numbers that a certificate speaks of, or limits those below it to, in a few words."""
    try:
        entries = certificate_tn_auth_list(certificate)
    except IdentityError:
        return "a list of numbers that cannot be read"
    if entries is None:
        return "no list of numbers"
    named = [_entry(entry) for entry in entries.entries[:ENTRIES_SHOWN]]
    more = len(entries.entries) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _entry(entry: TNEntry) -> str:
    match entry:
        case OneNumber(digits=digits):
            return digits
        case TelephoneNumberRange(start=start, count=count):
            return f"{count} numbers from {start}"
        case ServiceProviderCode(code=code):
            return f"the carrier {safe_line(code)}"
