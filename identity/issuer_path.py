"""Paths of issuers: from a certificate up to a root (RFC 5280, RFC 9060), and who may sign lists of numbers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification

from identity.certificate_fields import (
    certificate_tn_auth_list,
    check_issuer,
    check_issuer_fields,
    check_key_identifiers,
    check_list_signer,
    check_path_lengths,
    check_signature_algorithms,
    constrains_names,
    load_certificate,
    p256_key,
    policies,
    validity,
)
from identity.errors import CertificateError
from identity.path_policy import bounds_of, check_certificate_policies, check_pins, scope_of
from identity.tn_auth_list import TNAuthList
from identity.trust import TrustAnchors, TrustPolicy, key_hash

CHAIN_LENGTH_LIMIT = 4  # certificates, leaf included, root not
VERIFIER_MEMO_LIMIT = 8  # pairs of anchors and moment: a join asks about all its leaves at one moment
ROOT_MEMO_LIMIT = 64  # roots whose fields are remembered: every path ends at one of a few


@dataclass(frozen=True, slots=True)
class IssuerPath:
    """The certificates above a leaf, issuer first and root last, valid as a path for end entities.

    `scope`: what they delegate to the leaf, None if they say nothing of numbers. `root`: the last one, DER.
    """

    certificates: tuple[x509.Certificate, ...]
    lists: tuple[TNAuthList, ...]
    scope: TNAuthList | None
    not_before: int
    not_after: int
    root: bytes

    @property
    def reusable(self) -> bool:
        """Whether the path says nothing about names: with name constraints each leaf needs the whole validation."""
        return len(self.certificates) > 1 and not any(map(constrains_names, self.certificates))


class _Root(NamedTuple):
    """What a path asks of its root."""

    numbers: TNAuthList | None
    period: tuple[int, int]
    der: bytes


def issuer_path(
    certificates: tuple[x509.Certificate, ...], periods: Sequence[tuple[int, int]], policy: TrustPolicy
) -> IssuerPath:
    """Check what RFC 5280 does not ask of a path of issuers, root last. Raises CertificateError.

    `periods`: when each but the root is valid.
    """
    check_key_identifiers(certificates)
    *below, last = certificates
    root = _root(last)
    lists = bounds_of([*map(_delegated, below), root.numbers], policy)
    scope = scope_of(lists[0], policy) if lists else None
    start, end = root.period
    for begins, ends in periods:
        start, end = max(start, begins), min(end, ends)
    return IssuerPath(certificates, lists, scope, start, end, root.der)


@lru_cache(ROOT_MEMO_LIMIT)
def _root(certificate: x509.Certificate) -> _Root:
    return _Root(_delegated(certificate), validity(certificate), certificate.public_bytes(Encoding.DER))


def _delegated(issuer: x509.Certificate) -> TNAuthList | None:
    check_issuer_fields(issuer)
    return certificate_tn_auth_list(issuer)


class ListSigner(NamedTuple):
    """Who may sign a list: its key, the numbers that it speaks of, and its path with the root, DER."""

    key: ec.EllipticCurvePublicKey
    numbers: TNAuthList
    path: tuple[bytes, ...]


def verify_issuer(
    path: Sequence[bytes], anchors: TrustAnchors, now: int, signers: Collection[bytes] | None = None
) -> ListSigner:
    """Validate a signer of lists, as `verify_issuer_path`.

    The key must be P-256 and for lists (cRLSign): what it signs here is a list of numbers, as a CRL is one of serials.
    `signers`: SHA-256 of the keys (SPKI) that are believed in this matter; None believes every issuer. Raises
    CertificateError.
    """
    issuers = verify_issuer_path(path, anchors, now)
    signer = issuers[0]
    check_list_signer(signer)
    if signers is not None and key_hash(signer) not in signers:
        raise CertificateError("signer", "the list is signed by another issuer than that of one's own certificates")
    numbers = certificate_tn_auth_list(signer)
    if numbers is None:
        raise CertificateError("tn-auth-list", "the issuer's certificate does not say which numbers it speaks of")
    return ListSigner(p256_key(signer), numbers, (*path, _root(issuers[-1]).der))


def verify_issuer_path(path: Sequence[bytes], anchors: TrustAnchors, now: int) -> tuple[x509.Certificate, ...]:
    """Validate an issuer's certificate and those above it, without the root, as `verify_chain` does those of a chain.

    Returns the path with its root. Raises CertificateError.
    """
    if not anchors.roots or not 1 <= len(path) < CHAIN_LENGTH_LIMIT:
        raise CertificateError("untrusted", "the issuer is not below a trusted root")
    certificates = [load_certificate(der) for der in path]
    periods = [period_at(certificate, now) for certificate in certificates]
    found = tuple(validate_path(certificates, anchors.roots, now))
    if found[:-1] != tuple(certificates):
        raise CertificateError("untrusted", "the issuer's path is not exactly issuer to root, without the root")
    check_signature_algorithms(found, anchors.policy.non_ecdsa_issuers)
    issuer_path(found, periods, anchors.policy)
    check_issuer(certificates[0])
    check_path_lengths(found)
    check_pins((found[0], *found), anchors.policy)  # an issuer may be the pinned one itself
    check_certificate_policies(certificates, anchors.policy, leaf=False)
    return found


def issuer_keys(chain: Sequence[bytes]) -> frozenset[bytes]:
    """SHA-256 of the keys (SPKI) of the issuers in a chain, without trusting it. Raises CertificateError."""
    return frozenset(key_hash(load_certificate(der)) for der in chain[1:])


def period_at(certificate: x509.Certificate, now: int) -> tuple[int, int]:
    """First and last second of validity, Unix time. Raises CertificateError unless `now` is among them."""
    not_before, not_after = period = validity(certificate)
    if now < not_before:
        raise CertificateError("not-yet-valid", f"a certificate is valid from {not_before}, not at {now}")
    if now > not_after:
        raise CertificateError("expired", f"a certificate was valid until {not_after}, not at {now}")
    return period


def validate_path(
    certificates: list[x509.Certificate], anchors: tuple[x509.Certificate, ...], now: int
) -> list[x509.Certificate]:
    """Find the path from the first certificate to an anchor at that time (RFC 5280 §6). Raises CertificateError."""
    try:
        return _verifier(anchors, now).verify(certificates[0], certificates[1:]).chain
    except verification.VerificationError as error:
        raise CertificateError("untrusted", f"no path to a trusted root: {str(error)!a}") from error


@lru_cache(VERIFIER_MEMO_LIMIT)
def _verifier(anchors: tuple[x509.Certificate, ...], now: int) -> verification.ClientVerifier:
    leaf_policy, issuer_policy = policies()
    builder = verification.PolicyBuilder().store(verification.Store(list(anchors)))
    builder = builder.time(datetime.fromtimestamp(now, UTC).replace(tzinfo=None)).max_chain_depth(CHAIN_LENGTH_LIMIT)
    return builder.extension_policies(ee_policy=leaf_policy, ca_policy=issuer_policy).build_client_verifier()
