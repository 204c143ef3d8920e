"""Certificate revocation lists (RFC 5280 §5): signing, verifying, and what the lists at hand say of a chain.

A list says something only of certificates that its own signer has issued: a chain finds its lists by the name and key
of the issuer in it, which path validation has confirmed. So a list by anybody else, whoever serves it, says nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from identity.certificate_fields import check_list_signer, load_certificate
from identity.certificates import VerifiedChain
from identity.errors import CertificateError, RevocationError
from identity.status.crl_entries import Reason as Reason
from identity.status.crl_entries import read_entries
from identity.trust import TrustAnchors

CRL_SIZE_LIMIT = 4 * 1024 * 1024  # octets of DER: about 100,000 entries
CRL_LIFETIME_LIMIT = 10 * 86_400  # seconds from thisUpdate to nextUpdate (the Baseline Requirements' limit for leaves)
CRL_TOLERANCE = 60  # seconds by which the issuer's clock may be ahead
VERIFIED_LISTS_LIMIT = 16  # lists that were verified in this minute and are remembered
ISSUER_MEMO_LIMIT = 1_024  # certificates of issuers whose names are remembered

_ECDSA = frozenset({SignatureAlgorithmOID.ECDSA_WITH_SHA256, SignatureAlgorithmOID.ECDSA_WITH_SHA384})
# Lists of other issuers' certificates, of some reasons or certificates only, and changes to another list.
_PARTIAL = frozenset({ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.DELTA_CRL_INDICATOR})
_MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
_KEY_LOST = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise})


class StatusState(StrEnum):
    """What is known of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """The status of a certificate, from when it is (`this_update`), and if revoked, when and why (Unix seconds)."""

    state: StatusState
    revoked_at: int | None = None
    reason: Reason | None = None
    this_update: int | None = None

    @property
    def key_lost(self) -> bool:
        """Whether a key is in other hands: then nothing that it signed shows anything, whatever the time in it."""
        return self.state is StatusState.REVOKED and self.reason in _KEY_LOST

    def withdrew(self, moment: int) -> bool:
        """Whether the certificate was of no use at that moment."""
        return self.state is StatusState.REVOKED and (self.key_lost or moment >= (self.revoked_at or 0))

    def to_builtins(self) -> list[str | int | None]:
        """In the form that a store keeps."""
        return [self.state, self.revoked_at, self.reason and self.reason.value, self.this_update]

    @classmethod
    def from_builtins(cls, stored: Sequence[Any]) -> Self:
        """Read what `to_builtins` wrote. Raises ValueError, TypeError."""
        state, revoked_at, reason, this_update = stored
        return cls(StatusState(state), revoked_at, None if reason is None else Reason(reason), this_update)


UNKNOWN = CertificateStatus(StatusState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list that was verified; only `verify_crl` makes one. `entries`: serial number to time and reason."""

    issuer: bytes
    number: int
    this_update: int
    next_update: int
    entries: Mapping[int, tuple[int, Reason]] = field(repr=False)

    def of(self, serial: int, moment: int) -> CertificateStatus:
        """The status of a serial number: what is not listed is good until the next list is due."""
        found = self.entries.get(serial)
        if found is not None:
            return CertificateStatus(StatusState.REVOKED, *found, self.this_update)
        state = StatusState.GOOD if moment < self.next_update else StatusState.UNKNOWN
        return CertificateStatus(state, this_update=self.this_update)


class Revocations:
    """The lists at hand, one an issuer; never changes."""

    __slots__ = ("_lists",)

    def __init__(self, lists: Iterable[RevocationList] = ()) -> None:
        self._lists = MappingProxyType({each.issuer: each for each in lists})

    def of_issuer(self, issuer: bytes) -> RevocationList | None:
        """The list of the issuer of this name (`issuer_name`)."""
        return self._lists.get(issuer)

    def adopting(self, new: RevocationList) -> "Revocations":
        """These lists with a newer one. Raises RevocationError if it is older than the one at hand.

        A number that went back is a replay, unless all that was known had ended before the list was made.
        """
        last = self._lists.get(new.issuer)
        if last is not None and new.number < last.number and new.this_update <= last.next_update:
            raise RevocationError(
                "rollback", f"the list has the number {new.number}, and {last.number} was seen", check=5
            )
        return Revocations((*(each for each in self._lists.values() if each.issuer != new.issuer), new))

    def status(self, chain: VerifiedChain, moment: int) -> CertificateStatus:
        """What the lists say: revoked if any certificate in the chain is; good if the leaf was so at the moment."""
        if not self._lists:
            return UNKNOWN
        path = (*chain.certificates, chain.root) if chain.root else chain.certificates
        return self._status(path, chain.serial, moment)

    def of_path(self, certificates: Sequence[bytes], moment: int) -> CertificateStatus:
        """As `status`, for a chain (DER, leaf first) that path validation has seen. Raises CertificateError."""
        return self._status(certificates, load_certificate(certificates[0]).serial_number, moment)

    def _status(self, certificates: Sequence[bytes], leaf_serial: int, moment: int) -> CertificateStatus:
        leaf = UNKNOWN
        for place, (subject, issuer) in enumerate(pairwise(certificates)):
            known = self._lists.get(issuer_name(issuer))
            if known is None:
                continue
            status = known.of(_serial(subject) if place else leaf_serial, moment)
            if status.state is StatusState.REVOKED:
                return status
            if place == 0:
                leaf = status
        return leaf


NO_REVOCATIONS = Revocations()


@lru_cache(ISSUER_MEMO_LIMIT)
def issuer_name(der: bytes) -> bytes:
    """Name an issuer by its certificate: SHA-256 of subject and key, the same when it is renewed.

    Raises CertificateError.
    """
    issuer = load_certificate(der)
    try:
        spki = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _MALFORMED as error:
        raise CertificateError("key-type", "the issuer's key cannot be read") from error
    return hashlib.sha256(issuer.subject.public_bytes() + spki).digest()


@lru_cache(ISSUER_MEMO_LIMIT)
def _serial(der: bytes) -> int:
    return load_certificate(der).serial_number


def verify_crl(der: bytes, issuer_der: bytes, now: int, *, over: bool = False) -> RevocationList:
    """Verify an issuer's list at the time `now`. Raises RevocationError; the first of these that fails ends it.

    1. size and form                                  5. it has a number (§5.2.3)
    2. by this issuer: name, key identifier           6. no critical extension that is not known, no partial list
    3. the issuer may sign lists: a CA with cRLSign   7. entries: of this issuer only, none critical, none of the future
    4. ECDSA by the issuer's key                      8. not of the future, not over, and not valid for too long

    `over`: take one that is over as well; it still says what is revoked, and no longer what is not.
    """
    crl, issuer = _loaded(der, issuer_der)
    _check_issuer(crl, issuer)
    number = _number(crl)
    _check_extensions(crl)
    this_update = int(crl.last_update_utc.timestamp())
    entries = read_entries(der, crl, this_update + CRL_TOLERANCE)
    next_update = _next_update(crl, this_update)
    if this_update > now + CRL_TOLERANCE:
        raise RevocationError("time", "the list is of the future", check=8)
    if next_update <= now and not over:
        raise RevocationError("expired", f"the next list was due {now - next_update} seconds ago", check=8)
    return RevocationList(issuer_name(issuer_der), number, this_update, next_update, MappingProxyType(entries))


def lists_for(crls: Sequence[bytes], issuers: Sequence[bytes], anchors: TrustAnchors, now: int) -> Revocations:
    """The lists among these octets that are by these issuers (DER) or the root above them; others count for nothing.

    The issuers may be anybody's word: a list counts for chains through its own signer alone.
    """
    found = Revocations()
    for issuer in (*issuers, *_roots_above(issuers, anchors)):
        for crl in crls:
            try:
                found = found.adopting(_verified_at(crl, issuer, now - now % CRL_TOLERANCE))
            except (RevocationError, CertificateError):
                continue
    return found


def _roots_above(issuers: Sequence[bytes], anchors: TrustAnchors) -> list[bytes]:
    try:
        names = [load_certificate(each).issuer for each in issuers[-1:]]
    except CertificateError:
        return []
    return [root.public_bytes(Encoding.DER) for root in anchors.roots if root.subject in names]


@lru_cache(VERIFIED_LISTS_LIMIT)
def _verified_at(crl: bytes, issuer: bytes, now: int) -> RevocationList:
    return verify_crl(crl, issuer, now, over=True)


def _loaded(der: bytes, issuer_der: bytes) -> tuple[x509.CertificateRevocationList, x509.Certificate]:
    if len(der) > CRL_SIZE_LIMIT:
        raise RevocationError("too-large", f"a list has at most {CRL_SIZE_LIMIT} octets", check=1)
    try:
        crl, issuer = x509.load_der_x509_crl(der), load_certificate(issuer_der)
        _ = crl.extensions, crl.issuer, crl.last_update_utc, crl.next_update_utc, crl.signature_algorithm_oid
    except (*_MALFORMED, CertificateError) as error:
        raise RevocationError("malformed", "this is no list of revocations that can be read", check=1) from error
    return crl, issuer


def _check_issuer(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    if crl.issuer.public_bytes() != issuer.subject.public_bytes() or _key_identifiers_differ(crl, issuer):
        raise RevocationError("issuer", "the list is not by the issuer of these certificates", check=2)
    try:
        check_list_signer(issuer)
    except CertificateError as error:
        raise RevocationError("key-usage", str(error), check=3) from error
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or crl.signature_algorithm_oid not in _ECDSA:
        raise RevocationError("algorithm", "the list is not signed with ECDSA", check=4)
    if not crl.is_signature_valid(key):
        raise RevocationError("signature", "the list is not signed by the issuer's key", check=4)


def _key_identifiers_differ(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    authority = [each.value for each in crl.extensions if isinstance(each.value, x509.AuthorityKeyIdentifier)]
    subject = [each.value for each in issuer.extensions if isinstance(each.value, x509.SubjectKeyIdentifier)]
    return len(authority) != 1 or len(subject) != 1 or authority[0].key_identifier != subject[0].digest


def _number(crl: x509.CertificateRevocationList) -> int:
    numbers = [each.value.crl_number for each in crl.extensions if isinstance(each.value, x509.CRLNumber)]
    if len(numbers) != 1 or not 0 <= numbers[0] < 2**159:
        raise RevocationError("number", "the list has no number of at most 20 octets (RFC 5280 §5.2.3)", check=5)
    return numbers[0]


def _check_extensions(crl: x509.CertificateRevocationList) -> None:
    for extension in crl.extensions:
        if extension.oid in _PARTIAL:
            raise RevocationError("partial", "the list is not all of its issuer's revocations", check=6)
        if extension.critical:
            raise RevocationError("critical", f"the extension {extension.oid.dotted_string} is not known", check=6)


def _next_update(crl: x509.CertificateRevocationList, this_update: int) -> int:
    end = crl.next_update_utc
    if end is None:
        raise RevocationError("time", "the list does not say when the next one is due", check=8)
    next_update = int(end.timestamp())
    if not 0 < next_update - this_update <= CRL_LIFETIME_LIMIT:
        raise RevocationError("time", "the list is valid for too long", check=8)
    return next_update


def sign_crl(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    entries: Mapping[int, tuple[int, Reason]],
    *,
    number: int,
    now: int,
    lifetime: int,
) -> bytes:
    """Sign an issuer's list (DER): serial numbers with the time and reason of their revocation."""
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    # Given at once: to add them one by one copies the list each time.
    revoked = [_entry(serial, revoked_at, reason) for serial, (revoked_at, reason) in sorted(entries.items())]
    builder = (
        x509.CertificateRevocationListBuilder(revoked_certificates=revoked)
        .issuer_name(issuer.subject)
        .last_update(datetime.fromtimestamp(now, UTC))
        .next_update(datetime.fromtimestamp(now + lifetime, UTC))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _entry(serial: int, revoked_at: int, reason: Reason) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial)
    builder = builder.revocation_date(datetime.fromtimestamp(revoked_at, UTC))
    if reason is not Reason.unspecified:  # RFC 5280 §5.3.1: that is said by silence
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    return builder.build()
