"""What a log takes: chains of certificates for numbers, up to a root that it knows (RFC 6962 §3.1)."""

from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.errors import RefusedError
from identity.certificate_fields import TN_AUTH_LIST_OID, known_extension, load_certificate
from identity.errors import CertificateError, TransparencyError
from identity.transparency.entries import (
    CHAIN_LIMIT,
    Entry,
    certificate_entry,
    is_precertificate,
    precertificate_entry,
)


def accepted(
    chain: Sequence[bytes], roots: Sequence[x509.Certificate], *, precertificate: bool
) -> tuple[Entry, list[bytes]]:
    """Return the entry of a chain's first certificate, and the DER of those above it. Raises RefusedError.

    1. one to CHAIN_LIMIT certificates, each of which can be read
    2. the first is for numbers (TNAuthList), and a precertificate if and only if it was handed in as one
    3. each is signed by the next one, whose key is a CA's for certificates
    4. the last one is a root that the log knows, or is signed by one

    Validity is not looked at: what has expired was issued, too.
    """
    if not 1 <= len(chain) <= CHAIN_LIMIT:
        raise RefusedError("submission-refused", f"a chain has 1 to {CHAIN_LIMIT} certificates, not {len(chain)}")
    try:
        path = [load_certificate(der) for der in chain]
        _check_kind(path[0], precertificate)
        if path[-1] not in roots:
            path.append(_root_above(path[-1], roots))
        for subject, issuer in pairwise(path):
            _check_authority(issuer)
            _check_signed(subject, issuer)
        if len(path) == 1:
            raise CertificateError("root", "a root alone says nothing of what was issued")
        entry = precertificate_entry(path[0], path[1]) if precertificate else certificate_entry(path[0])
    except (CertificateError, TransparencyError) as error:
        raise RefusedError("submission-refused", str(error)) from error
    return entry, [certificate.public_bytes(Encoding.DER) for certificate in path[1:]]


def _check_kind(certificate: x509.Certificate, precertificate: bool) -> None:
    if is_precertificate(certificate) != precertificate:
        asked = "a precertificate, with" if precertificate else "a certificate, without"
        raise CertificateError("poison", f"this address takes {asked} the poison of RFC 6962 §3.1")
    if all(extension.oid != TN_AUTH_LIST_OID for extension in certificate.extensions):
        raise CertificateError("tn-auth-list", "this log is for certificates of numbers (RFC 8226)")


def _root_above(certificate: x509.Certificate, roots: Sequence[x509.Certificate]) -> x509.Certificate:
    for root in roots:
        if root.subject == certificate.issuer and _is_signed(certificate, root):
            return root
    raise CertificateError("untrusted", "the chain leads to no root that this log knows")


def _check_authority(issuer: x509.Certificate) -> None:
    basic, usage = known_extension(issuer, x509.BasicConstraints), known_extension(issuer, x509.KeyUsage)
    if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
        raise CertificateError("key-usage", "a certificate in the chain is not a CA's")


def _check_signed(subject: x509.Certificate, issuer: x509.Certificate) -> None:
    if not _is_signed(subject, issuer):
        raise CertificateError("untrusted", "a certificate is not signed by the next one")


def _is_signed(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
