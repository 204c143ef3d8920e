"""Certificates of telephone numbers: trust anchors and chain validation (RFC 8226, RFC 9060, RFC 9118)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.certificate_fields import (
    certificate_attributes,
    certificate_constraints,
    certificate_tn_auth_list,
    check_key_identifiers,
    check_leaf_fields,
    check_signature_algorithms,
    load_certificate,
    load_der,
    p256_key,
    read_extensions,
    read_names,
)
from identity.claim_constraints import ClaimConstraints
from identity.errors import CertificateError
from identity.issuer_path import CHAIN_LENGTH_LIMIT as CHAIN_LENGTH_LIMIT
from identity.issuer_path import IssuerPath, issuer_path, period_at, validate_path
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes
from identity.path_policy import (
    check_certificate_policies,
    check_code_leaf,
    check_pins,
    check_within,
    numbers_of_codes,
)
from identity.tn_auth_list import Coverage, TNAuthList
from identity.transparency.requirement import check_logged
from identity.trust import TRUST_LIST_SIZE_LIMIT as TRUST_LIST_SIZE_LIMIT
from identity.trust import CodeParents, TrustPolicy
from identity.trust import TrustAnchors as TrustAnchors
from identity.uri_identity import check_uri_leaf

CHAIN_MEMO_LIMIT = 4_096  # chains that a ChainVerifier remembers; about 4 kB each
ISSUER_MEMO_LIMIT = 256  # paths of issuers that it remembers
LEAF_MEMO_LIMIT = 2  # leaves whose key check 4 has asked for before check 5 asks the rest; more would be cold memory
LATEST_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment X.509 can state

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A chain that was valid under some anchors from `not_before` to `not_after`; only this module builds it."""

    certificates: tuple[bytes, ...]
    public_key: ec.EllipticCurvePublicKey
    public_point: bytes
    fingerprint: bytes
    tn_auth_list: TNAuthList | None  # None: the leaf speaks for `uris` instead
    bounds: tuple[TNAuthList, ...]
    number: TelephoneNumber | None
    constraints: ClaimConstraints | None
    conflicting_constraints: bool
    not_before: int
    not_after: int
    lifetime: int
    issuer_name: x509.Name
    serial: int
    code_numbers: tuple[TNAuthList, ...] | None = None  # what its directory lists for the leaf's codes, if it has one
    attributes: NumberAttributes | None = None  # what the holder declares of the leaf's numbers
    logged_at: int | None = None  # since when logs that the policy knows vouch for the leaf; None: none does
    uris: tuple[str, ...] = ()  # of a participant without a number (identity.uri_identity)
    root: bytes = b""  # the anchor above `certificates`, DER

    @property
    def issuer(self) -> str:
        """What people call who issued the leaf."""
        names = self.issuer_name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.issuer_name.rfc4514_string()

    def covers(self, number: TelephoneNumber) -> Coverage:
        """Say how the leaf vouches for the number; every list above reaches what the leaf's list holds."""
        if self.tn_auth_list is None:
            return Coverage.NO
        coverage = self.tn_auth_list.covers(number)
        if coverage is Coverage.BY_CODE and self.code_numbers is not None:
            listed = any(numbers.covers(number) is Coverage.BY_NUMBER for numbers in self.code_numbers)
            return coverage if listed else Coverage.NO
        return coverage

    def check_time(self, moment: int) -> None:
        """Raise CertificateError unless every certificate of the chain is valid at that moment."""
        if moment < self.not_before:
            raise CertificateError("not-yet-valid", f"the chain is valid from {self.not_before}, not at {moment}")
        if moment > self.not_after:
            raise CertificateError("expired", f"the chain was valid until {self.not_after}, not at {moment}")


def verify_chain(chain: Sequence[bytes], anchors: TrustAnchors, now: int) -> VerifiedChain:
    """Validate a chain (DER, leaf first, without its root) at the time `now`. Raises CertificateError.

    1. size and number of certificates              6. issuers sign with ECDSA, unless the anchors allow others
    2. each certificate parses                      7. claim constraints only in the leaf (RFC 8226 §8)
    3. each is valid at `now`                       8. TNAuthList in the leaf and below each one, within the one above
    4. the path leads to an anchor (RFC 5280)       9. leaf: one P-256 key, CA:false, digitalSignature (RFC 9060 §4)
    5. exactly this path, each AKI = the next SKI

    As the policy of the anchors asks, besides 6, and in 8 for what a code delegates:

    10. it passes an issuer's key that is pinned    12. the leaf holds no service provider code
    11. certificate policies are known ones         13. logs vouch for the leaf, and no timestamp is false (RFC 6962)
    """
    return _verify_path(tuple(chain), anchors, now)[0]


class ChainVerifier:
    """verify_chain with its anchors and a bounded memory of the chains that were valid, and of their issuers."""

    def __init__(self, anchors: TrustAnchors, memo_limit: int = CHAIN_MEMO_LIMIT) -> None:
        self.anchors = anchors
        self.anchors_fingerprint = anchors.fingerprint
        self._memo_limit = memo_limit
        self._chains: dict[tuple[bytes, ...], VerifiedChain] = {}
        self._issuers: dict[tuple[bytes, ...], IssuerPath] = {}
        self._lock = Lock()

    def verify(self, chain: Sequence[bytes], now: int) -> VerifiedChain:
        """Validate at the time `now`; a remembered chain need only be within its time. Raises CertificateError.

        Beyond the time of its remembered path a chain may have another, below a root that was renewed with its key.
        """
        key = tuple(chain)
        known = self._chains.get(key)
        if known is not None and known.not_before <= now <= known.not_after:
            return known
        issuers = self._issuers.get(key[1:])
        if issuers is not None and issuers.not_before <= now <= issuers.not_after:
            verified = _verify_leaf(key, issuers, self.anchors, now)
        else:
            verified, issuers = _verify_path(key, self.anchors, now)
            if issuers.reusable:
                self._remember(self._issuers, ISSUER_MEMO_LIMIT, key[1:], issuers)
        self._remember(self._chains, self._memo_limit, key, verified)
        return verified

    def known(self, chain: Sequence[bytes]) -> VerifiedChain | None:
        """Recall a chain that was valid at some time, if this very chain was verified before."""
        return self._chains.get(tuple(chain))

    def _remember(self, memo: dict[tuple[bytes, ...], T], limit: int, key: tuple[bytes, ...], value: T) -> None:
        with self._lock:
            if len(memo) >= limit:
                del memo[next(iter(memo))]
            memo[key] = value


def _verify_path(chain: tuple[bytes, ...], anchors: TrustAnchors, now: int) -> tuple[VerifiedChain, IssuerPath]:
    if not anchors.roots:
        raise CertificateError("no-anchors", "there is no trust list to check the chain with")
    if not 1 <= len(chain) <= CHAIN_LENGTH_LIMIT:
        raise CertificateError("length", f"a chain has 1 to {CHAIN_LENGTH_LIMIT} certificates, not {len(chain)}")
    certificates = [_leaf(chain[0]), *map(load_der, chain[1:])]
    for certificate in certificates:
        read_extensions(certificate)
        read_names(certificate)  # before path validation, whose errors show names
    period, *periods = [period_at(certificate, now) for certificate in certificates]
    path = validate_path(certificates, anchors.roots, now)
    if path[:-1] != certificates:
        raise CertificateError("order", "the chain is not exactly leaf to root, without the root")
    check_signature_algorithms(certificates, anchors.policy.non_ecdsa_issuers)
    issuers = issuer_path(tuple(path[1:]), periods, anchors.policy)
    verified = _verified(chain, certificates[0], period, issuers, anchors.policy)
    verified.check_time(now)  # from when logs vouch, too
    check_pins((certificates[0], *issuers.certificates), anchors.policy)
    check_certificate_policies(certificates[1:], anchors.policy, leaf=False)
    _check_leaf_policy(certificates[0], verified, anchors.policy)
    return verified, issuers


def _verify_leaf(chain: tuple[bytes, ...], issuers: IssuerPath, anchors: TrustAnchors, now: int) -> VerifiedChain:
    """Validate a chain whose issuers were validated above another leaf: the leaf alone, with its issuer as anchor."""
    leaf = _leaf(chain[0])
    read_extensions(leaf)
    read_names(leaf)
    period = period_at(leaf, now)
    validate_path([leaf], issuers.certificates[:1], now)
    check_signature_algorithms([leaf], anchors.policy.non_ecdsa_issuers)
    verified = _verified(chain, leaf, period, issuers, anchors.policy)
    verified.check_time(now)
    _check_leaf_policy(leaf, verified, anchors.policy)
    return verified


def _check_leaf_policy(leaf: x509.Certificate, verified: VerifiedChain, policy: TrustPolicy) -> None:
    check_certificate_policies([leaf], policy, leaf=True)
    if verified.tn_auth_list is not None:
        check_code_leaf(verified.tn_auth_list, policy)


def leaf_number(der: bytes) -> TelephoneNumber | None:
    """Read the single number of a leaf certificate without trusting it. Raises CertificateError."""
    entries = certificate_tn_auth_list(load_certificate(der))
    return None if entries is None else entries.number


def leaf_public_point(der: bytes) -> bytes:
    """Read the P-256 key of a leaf certificate without trusting it: 65 octets. Raises CertificateError."""
    return leaf_key(der)[1]


@lru_cache(LEAF_MEMO_LIMIT)
def leaf_key(der: bytes) -> tuple[bytes, bytes]:
    """Read the SHA-256 of a leaf certificate, and its key as `leaf_public_point`. Raises CertificateError."""
    return hashlib.sha256(der).digest(), public_point(p256_key(_leaf(der)))


@lru_cache(LEAF_MEMO_LIMIT)
def _leaf(der: bytes) -> x509.Certificate:
    """Parse a leaf of which nothing was checked."""
    return load_der(der)


def public_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Encode a public key as MLS does: the uncompressed point, 65 octets for P-256 (RFC 9420 §5.1.1)."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _verified(
    chain: tuple[bytes, ...],
    leaf: x509.Certificate,
    period: tuple[int, int],
    issuers: IssuerPath,
    policy: TrustPolicy,
) -> VerifiedChain:
    check_key_identifiers((leaf, issuers.certificates[0]))
    key = check_leaf_fields(leaf)
    leaf_list = certificate_tn_auth_list(leaf)
    if leaf_list is None and not policy.uri_identities:
        raise CertificateError("tn-auth-list", "the leaf has no TNAuthList (RFC 8226 §9)")
    uris = check_uri_leaf(leaf, issuers.certificates, issuers.lists) if leaf_list is None else ()
    if issuers.scope is not None and leaf_list is not None:
        check_within(issuers.scope, leaf_list, policy)
    not_before, not_after = period
    fingerprint, point = leaf_key(chain[0])
    constraints, conflicting = certificate_constraints(leaf)
    logged = check_logged(leaf, issuers.certificates[0], policy)
    return VerifiedChain(
        certificates=chain,
        public_key=key,
        public_point=point,
        fingerprint=fingerprint,
        tn_auth_list=leaf_list,
        bounds=issuers.lists,
        number=None if leaf_list is None else leaf_list.number,
        constraints=constraints,
        conflicting_constraints=conflicting,
        not_before=max(not_before, issuers.not_before, logged.counts_from),
        not_after=min(not_after, issuers.not_after),
        lifetime=not_after - not_before,
        issuer_name=leaf.issuer,
        serial=leaf.serial_number,
        code_numbers=_code_numbers(leaf_list, policy),
        attributes=certificate_attributes(leaf),
        logged_at=logged.at,
        uris=uris,
        root=issuers.root,
    )


def _code_numbers(entries: TNAuthList | None, policy: TrustPolicy) -> tuple[TNAuthList, ...] | None:
    directory = policy.code_parents is CodeParents.DIRECTORY
    return numbers_of_codes(entries, policy) if directory and entries is not None else None
