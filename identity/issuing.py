"""Building certificates: root, issuer, device (the profile of docs/binding.md), and the device's request."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.certificate_fields import (
    ENHANCED_CLAIM_CONSTRAINTS_OID,
    TN_AUTH_LIST_OID,
    certificate_tn_auth_list,
    validity,
)
from identity.claim_constraints import ClaimConstraints
from identity.errors import CertificateError
from identity.number import TelephoneNumber
from identity.number_attributes import TN_ATTRIBUTES_OID, NumberAttributes
from identity.tn_auth_list import Coverage, OneNumber, TNAuthList
from identity.transparency.timestamps import SignedTimestamp, timestamp_list

BACKDATING = 3_600  # seconds before `now`, for clocks that run behind
DEVICE_LIFETIME = 7 * 86_400  # seconds
CSR_SIZE_LIMIT = 4_096  # octets of DER

Logging = Callable[[x509.Certificate], Sequence[SignedTimestamp]]
"""Takes a precertificate to logs, and returns what they promise (RFC 6962 §3.1)."""

MESSAGING_ONLY = ClaimConstraints(must_include=("msgi",), must_exclude=("attest", "origid"))


def create_root(
    name: str, now: int, lifetime: int, *, path_length: int = 1
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make a root key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, root_certificate(key, name, now, lifetime, path_length=path_length)


def root_certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    now: int,
    lifetime: int,
    *,
    serial: int | None = None,
    path_length: int = 1,
) -> x509.Certificate:
    """Build a self-signed root for so many levels of issuers below it."""
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), key.public_key(), (now - BACKDATING, now + lifetime), serial)
    return _sign(_with_ca(builder, path_length), key)


def create_issuer(
    root_key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    name: str,
    authority: TNAuthList,
    now: int,
    lifetime: int,
    *,
    path_length: int = 0,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make an issuer's key and certificate, bounded by the list `authority` (RFC 8226 §9)."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    return key, issuer_certificate(root_key, root, public, name, authority, now, lifetime, path_length=path_length)


def issuer_certificate(
    root_key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    name: str,
    authority: TNAuthList,
    now: int,
    lifetime: int,
    *,
    serial: int | None = None,
    path_length: int = 0,
    log: Logging | None = None,
) -> x509.Certificate:
    """Build an issuer's certificate: a CA for end entities, and so many levels of issuers (`enrolment.delegation`)."""
    period = _period(root, now, lifetime)
    builder = _builder(_name(name), root.subject, key, root_key.public_key(), period, serial)
    builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST_OID, authority.encode()), critical=False)
    return _sign(_with_ca(builder, path_length), root_key, log)


def issue_device_certificate(
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    number: TelephoneNumber,
    now: int,
    lifetime: int = DEVICE_LIFETIME,
    *,
    serial: int | None = None,
    attributes: NumberAttributes | None = None,
    log: Logging | None = None,
) -> x509.Certificate:
    """Issue a messaging-only certificate for one device of one number; it never outlives its issuer.

    `attributes`: what the number's holder declares of it. `log`: gets the promises to embed. Raises CertificateError if
    the issuer's own list does not reach the number, or its own certificate is not valid now.
    """
    authority = certificate_tn_auth_list(issuer)
    if authority is not None and authority.covers(number) is Coverage.NO:
        raise CertificateError("not-covered", f"this issuer does not speak for {number}")
    ski = x509.SubjectKeyIdentifier.from_public_key(key)
    # RFC 8226 §5.2 lets the subject be obscured: the number stands in the TNAuthList alone.
    subject = _name(f"device {ski.digest.hex()[:16]}")
    builder = _builder(subject, issuer.subject, key, issuer_key.public_key(), _period(issuer, now, lifetime), serial)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
    tn_auth_list = TNAuthList((OneNumber(number.digits),)).encode()
    for oid, der in ((TN_AUTH_LIST_OID, tn_auth_list), (ENHANCED_CLAIM_CONSTRAINTS_OID, MESSAGING_ONLY.encode_9118())):
        # Not critical: Go, OpenSSL and SIP servers refuse certificates where these are critical.
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, der), critical=False)
    if attributes is not None:
        declared = x509.UnrecognizedExtension(TN_ATTRIBUTES_OID, attributes.encode())
        builder = builder.add_extension(declared, critical=False)
    return _sign(builder, issuer_key, log)


def token_signer_certificate(
    root_key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    name: str,
    now: int,
    lifetime: int,
) -> x509.Certificate:
    """Build the certificate of a key that signs authority tokens (RFC 9447): it speaks for no number."""
    builder = _builder(_name(name), root.subject, key, root_key.public_key(), _period(root, now, lifetime), None)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return _sign(builder.add_extension(_key_usage(digital_signature=True), critical=True), root_key)


def device_csr(key: ec.EllipticCurvePrivateKey, number: TelephoneNumber) -> bytes:
    """Make a certificate request (PKCS #10, DER) that proves possession of the key and names the number."""
    request = TNAuthList((OneNumber(number.digits),)).encode()
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(number.e164))
    builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST_OID, request), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def check_csr(der: bytes, size_limit: int = CSR_SIZE_LIMIT) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key whose possession the request proves. Raises CertificateError.

    Names and extensions in the request are not read: the issuer decides what it certifies.
    """
    if len(der) > size_limit:
        raise CertificateError("too-large", f"a certificate request has at most {size_limit} octets")
    try:
        request = x509.load_der_x509_csr(der)
        key, proven = request.public_key(), request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise CertificateError("malformed", "not a certificate request that can be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("key-type", "the request's key is not a P-256 key")
    if not proven:
        raise CertificateError("possession", "the request is not signed by its own key")
    return key


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def check_issuing_time(issuer: x509.Certificate, now: int) -> tuple[int, int]:
    """Return from when to when an issuer's own certificate is valid. Raises CertificateError unless that is now."""
    not_before, not_after = validity(issuer)
    if not not_before <= now < not_after:
        raise CertificateError("expired", f"the issuer's own certificate is valid from {not_before} to {not_after}")
    return not_before, not_after


def _period(issuer: x509.Certificate, now: int, lifetime: int) -> tuple[int, int]:
    not_before, not_after = check_issuing_time(issuer, now)
    return max(now - BACKDATING, not_before), min(now + lifetime, not_after)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    period: tuple[int, int],
    serial: int | None,
) -> x509.CertificateBuilder:
    not_before, not_after = (datetime.fromtimestamp(moment, UTC) for moment in period)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _with_ca(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(key_cert_sign=True), critical=True)


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, log: Logging | None = None
) -> x509.Certificate:
    if log is not None:
        poisoned = builder.add_extension(x509.PrecertPoison(), critical=True)
        builder = builder.add_extension(timestamp_list(log(_sign(poisoned, key))), critical=False)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )
