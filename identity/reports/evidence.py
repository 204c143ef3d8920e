"""Evidence and the report that it is shown in: what is disclosed, in the one form in which it is signed and sent."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificates import LATEST_TIME, leaf_number
from identity.errors import ReportError
from identity.message import number_of_user_uri
from identity.number import TelephoneNumber
from identity.reports.franking import FrankedMessage, FrankingContext
from identity.reports.statement import sign_statement

REPORT_TYPE = "ringtrue-report+jwt"
ANYONE = "urn:ringtrue:anyone"  # the audience of a report that is handed to a third party, and counts nowhere
EVIDENCE_LIMIT = 262_144  # octets of JSON: one message of the longest kind, or twenty of a usual one
ITEMS_LIMIT = 20
NOTE_LIMIT = 500  # characters

_ENCODER = msgspec.json.Encoder(order="deterministic")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class ReportKind(StrEnum):
    """What the reporter says it is."""

    SPAM = "spam"
    SCAM = "scam"
    ABUSE = "abuse"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One message: octets and token as received, the sender's chain (DER, leaf first), and where in MLS it was.

    `epoch`, `leaf` and `arrived` are the reporter's word, as far as the token does not bind them. A message may come
    without token and chain, confirmed by the delivery service alone: `frank`, over `sender` (a person's URI), `group`
    and `accepted_ms`.
    """

    framed: bytes
    passport: str
    chain: tuple[bytes, ...]
    group: str
    epoch: Count
    leaf: Count
    arrived: Count
    sender: str = ""
    accepted_ms: Count = 0
    frank: bytes = b""

    @property
    def number(self) -> TelephoneNumber | None:
        """Whom the item accuses, not yet verified; None if nobody. Raises IdentityError."""
        if self.frank:
            return number_of_user_uri(self.sender)
        return leaf_number(self.chain[0]) if self.chain else None

    def franked(self) -> FrankedMessage:
        """The item by its frank. Raises ReportError if it shows a token or a chain as well."""
        if self.passport or self.chain:
            raise ReportError("both", "a message is shown with its PASSporT or with its frank, not with both", check=8)
        return FrankedMessage(self.framed, FrankingContext(self.sender, self.group, self.accepted_ms), self.frank)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is disclosed: messages of one number, what the reporter calls them, and perhaps a note."""

    items: Annotated[tuple[EvidenceItem, ...], msgspec.Meta(min_length=1, max_length=ITEMS_LIMIT)]
    kind: ReportKind
    note: Annotated[str, msgspec.Meta(max_length=NOTE_LIMIT)] = ""
    v: Literal[1] = 1

    def encode(self) -> bytes:
        """The one form in which it is signed, sent and kept: JSON, octets in base64."""
        return _ENCODER.encode(self)


@dataclass(frozen=True, slots=True)
class Report:
    """Evidence as it was signed, the reporter's statement about it, and the reporter's chain."""

    evidence: bytes
    statement: str
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReportClaims:
    """What a reporter signs: for which authority, the SHA-256 of the evidence in hex, when, and a name of its own."""

    aud: str
    evidence: str
    iat: Annotated[int, msgspec.Meta(ge=0, le=LATEST_TIME)]
    jti: Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


def sign_report(
    key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], evidence: bytes, audience: str, now: int
) -> Report:
    """Stand by the evidence, towards one authority, with the reporter's device key."""
    claims = {
        "aud": audience,
        "evidence": hashlib.sha256(evidence).hexdigest(),
        "iat": now,
        "jti": secrets.token_urlsafe(16),
    }
    return Report(evidence, sign_statement(key, REPORT_TYPE, claims), tuple(chain))


def parse_evidence(octets: bytes) -> Evidence:
    """Read evidence in its one form. Raises ReportError."""
    if len(octets) > EVIDENCE_LIMIT:
        raise ReportError("too-large", f"evidence has at most {EVIDENCE_LIMIT} octets", check=1)
    try:
        evidence = msgspec.json.decode(octets, type=Evidence)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError("evidence", f"this is no evidence: {str(error)!a}", check=1) from error
    if evidence.encode() != octets:
        raise ReportError("canonical", "the evidence is not written in its one form", check=1)
    return evidence
