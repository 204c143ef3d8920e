"""The list of all numbers with a status, signed by an authority: fetched whole, so that nobody learns who asks.

octets of a list    token, newline, body
token               signed statement `ringtrue-statuslist+jwt`, with the issuer's certificate (x5c)
body                8 octets an entry, big-endian: E.164 digits as an integer, times 4, plus the code of the status;
                    strictly ascending by number; a number that is not listed is clear
"""

import hashlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.checks import CLOCK_TOLERANCE
from identity.errors import CertificateError, StatementError, StatusListError
from identity.issuer_path import verify_issuer
from identity.number import TelephoneNumber
from identity.path_policy import scope_of
from identity.reports.number_status import NumberStatus
from identity.reports.statement import STATEMENT_LIMIT, parse_statement, sign_statement
from identity.status.revocation import NO_REVOCATIONS, Revocations, StatusState
from identity.tn_auth_list import TNAuthList
from identity.trust import CodeParents, TrustAnchors, TrustPolicy

STATUS_LIST_TYPE = "ringtrue-statuslist+jwt"
ENTRY_SIZE = 8  # octets
ENTRIES_LIMIT = 500_000
BODY_LIMIT = ENTRIES_LIMIT * ENTRY_SIZE
LIST_LIMIT = STATEMENT_LIMIT + 1 + BODY_LIMIT  # octets
LIFETIME_LIMIT = 86_400  # seconds from iat to exp: a list is short-lived, or it would outlive what it says

_CODES = {NumberStatus.REPORTED: 1, NumberStatus.WITHDRAWN: 2}
_STATUSES = (NumberStatus.CLEAR, NumberStatus.REPORTED, NumberStatus.WITHDRAWN)
_NUMBER_LIMIT = 10**15

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


@dataclass(frozen=True, slots=True)
class StatusClaims:
    """What the authority signs: its base URL, from when until when, how many numbers, the SHA-256 of the body in hex.

    `serial` grows with every list that differs.
    """

    iss: str
    iat: Count
    exp: Count
    serial: Count
    count: Count
    sha256: str


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list that was verified; only `verify_status_list` makes one."""

    serial: int
    issued_at: int
    expires_at: int
    _entries: "array[int]"

    @property
    def count(self) -> int:
        """How many numbers have a status."""
        return len(self._entries)

    def of(self, number: TelephoneNumber) -> NumberStatus:
        """What the list says of a number."""
        wanted = int(number.digits) << 2
        place = bisect_left(self._entries, wanted)
        if place == len(self._entries) or (entry := self._entries[place]) ^ wanted > 3:
            return NumberStatus.CLEAR
        return _STATUSES[entry & 3]


@dataclass(frozen=True, slots=True)
class SignedStatusList:
    """A list as it travels: anybody's octets until `verify_status_list` has seen them."""

    token: bytes
    body: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Part token and body. Raises StatusListError."""
        token, newline, _ = octets[: STATEMENT_LIMIT + 1].partition(b"\n")
        if not newline:
            raise StatusListError("form", "this is no status list: it has no token")
        return cls(token, octets[len(token) + 1 :])

    def encode(self) -> bytes:
        """Join token and body."""
        return self.token + b"\n" + self.body


def encode_entries(statuses: Mapping[TelephoneNumber, NumberStatus]) -> bytes:
    """The body that says this; who is clear is left out."""
    listed = sorted(
        int(number.digits) << 2 | _CODES[status]
        for number, status in statuses.items()
        if status is not NumberStatus.CLEAR
    )
    return b"".join(entry.to_bytes(ENTRY_SIZE) for entry in listed)


def decode_entries(body: bytes) -> "array[int]":
    """Read a body strictly. Raises StatusListError."""
    if len(body) % ENTRY_SIZE or len(body) > BODY_LIMIT:
        raise StatusListError("size", f"a list has whole entries, and at most {ENTRIES_LIMIT}")
    entries = array("Q", body)
    if sys.byteorder == "little":
        entries.byteswap()
    if not all(earlier >> 2 < later >> 2 for earlier, later in pairwise(entries)):
        raise StatusListError("order", "the numbers in the list do not ascend")
    if entries and not 1 <= entries[0] >> 2 <= entries[-1] >> 2 < _NUMBER_LIMIT:
        raise StatusListError("number", "the list holds something that is no telephone number")
    if not {entry & 3 for entry in entries} <= {1, 2}:
        raise StatusListError("status", "the list holds a status that this version does not know")
    return entries


def sign_status_list(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    *,
    authority: str,
    body: bytes,
    serial: int,
    now: int,
    lifetime: int,
    above: Sequence[x509.Certificate] = (),
) -> SignedStatusList:
    """Sign a body as the list of an authority (its base URL), valid for so many seconds.

    `above`: the issuers between this one and its root, lowest first.
    """
    claims = StatusClaims(
        authority, now, now + lifetime, serial, len(body) // ENTRY_SIZE, hashlib.sha256(body).hexdigest()
    )
    path = [certificate.public_bytes(Encoding.DER) for certificate in (issuer, *above)]
    token = sign_statement(key, STATUS_LIST_TYPE, msgspec.to_builtins(claims), path)
    return SignedStatusList(token.encode(), body)


def verify_status_list(
    signed: SignedStatusList,
    *,
    authority: str,
    anchors: TrustAnchors,
    now: int,
    signers: Collection[bytes] | None = None,
    revocations: Revocations = NO_REVOCATIONS,
) -> StatusList:
    """Verify a list at the time `now`. Raises StatusListError; the first of these that fails ends it.

    1. the token's form, kind and claims         4. neither the issuer nor one above it is revoked, whenever it signed
    2. its certificate is an issuer's, below     5. it is the list of this authority
       one of the anchors, valid now, and its    6. it is neither of the future nor expired, and short-lived
       key one of the `signers`                  7. its digest and count are those of the body, which is well formed
    3. it is signed by that issuer               8. every number in it is one that the issuer's certificate holds

    `revocations`: what is at hand for check 4; nothing is fetched.

    `signers`: see `verify_issuer`. A client names the issuers of its own chain and its pins: below a root with several
    issuers each could otherwise hold something against the numbers of all that overlap with its own.
    """
    try:
        statement = parse_statement(signed.token, STATUS_LIST_TYPE)
        claims = statement.claims(StatusClaims)
        if not statement.x5c:
            raise StatusListError("issuer", "the list does not carry its issuer's certificate")
        signer = verify_issuer(statement.x5c, anchors, now, signers)
        statement.verify(signer.key)
        status = revocations.of_path(signer.path, now)
    except (StatementError, CertificateError) as error:
        raise StatusListError(error.code, f"the list is not signed as it must be: {error}") from error
    if status.state is StatusState.REVOKED:
        raise StatusListError("revoked", f"the list is signed by an issuer that was revoked at {status.revoked_at}")
    _check_claims(claims, authority, now)
    if claims.sha256 != hashlib.sha256(signed.body).hexdigest():
        raise StatusListError("digest", "the list is not the one that was signed")
    entries = decode_entries(signed.body)
    if len(entries) != claims.count:
        raise StatusListError("count", "the list does not have as many numbers as was signed")
    _check_covered(entries, scope_of(signer.numbers, anchors.policy), anchors.policy)
    return StatusList(claims.serial, claims.iat, claims.exp, entries)


def _check_claims(claims: StatusClaims, authority: str, now: int) -> None:
    if claims.iss != authority:
        raise StatusListError("authority", f"this is the list of {claims.iss!a}, not of {authority}")
    if claims.iat > now + CLOCK_TOLERANCE or claims.exp - claims.iat > LIFETIME_LIMIT:
        raise StatusListError("time", "the list is of the future, or valid for too long")
    if claims.exp <= now:
        raise StatusListError("expired", f"the list ended {now - claims.exp} seconds ago")


def _check_covered(entries: "array[int]", numbers: TNAuthList, policy: TrustPolicy) -> None:
    """An authority speaks of its own numbers only; a provider's code holds those that it may delegate (RFC 9060 §4)."""
    covered = sum(
        bisect_left(entries, (last + 1) << 2) - bisect_left(entries, first << 2) for first, last in numbers.intervals
    )
    if covered < len(entries) and not (numbers.codes and policy.code_parents is CodeParents.ADMIT):
        raise StatusListError("not-covered", "the list speaks of numbers that are not the authority's")
