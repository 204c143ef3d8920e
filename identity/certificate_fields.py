"""Single certificates: parsing within limits, and the fields that STIR's profile of X.509 looks at."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID
from cryptography.x509.verification import Criticality, ExtensionPolicy

from identity.claim_constraints import ClaimConstraints
from identity.errors import CertificateError, ClaimConstraintsError, NumberAttributesError, TNAuthListError
from identity.number_attributes import TN_ATTRIBUTES_OID, NumberAttributes
from identity.tn_auth_list import TNAuthList

CERTIFICATE_SIZE_LIMIT = (
    65_536  # octets of DER: an issuer with thousands of ranges fits, and the leaf of a device has 700
)

CONSTRAINTS_MEMO_LIMIT = 64  # kinds of constraints: an issuer gives all its devices the same
EXTENSIONS_MEMO_LIMIT = 8  # certificates whose extensions lie by identifier: those that are being looked at

TN_AUTH_LIST_OID = ObjectIdentifier("1.3.6.1.5.5.7.1.26")
CLAIM_CONSTRAINTS_OID = ObjectIdentifier("1.3.6.1.5.5.7.1.27")
ENHANCED_CLAIM_CONSTRAINTS_OID = ObjectIdentifier("1.3.6.1.5.5.7.1.33")

_CONSTRAINTS_OIDS = frozenset({CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID})
_ECDSA_OIDS = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
# What cryptography raises on bytes of others while it reads certificates and their extensions. Of a serial number that
# is not positive (RFC 5280 §4.1.2.2) it only warns; where warnings are errors, that arrives here too.
_MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
)

E = TypeVar("E", bound=x509.ExtensionType)


class TNAuthListExtension(x509.ExtensionType):
    """Carries the OID for ExtensionPolicy, which takes a type; the extension itself arrives unrecognised."""

    oid = TN_AUTH_LIST_OID


class ClaimConstraintsExtension(x509.ExtensionType):
    """As TNAuthListExtension, for RFC 8226 §8."""

    oid = CLAIM_CONSTRAINTS_OID


class EnhancedClaimConstraintsExtension(x509.ExtensionType):
    """As TNAuthListExtension, for RFC 9118."""

    oid = ENHANCED_CLAIM_CONSTRAINTS_OID


@cache
def policies() -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """Say which extensions path validation accepts: in the leaf, in issuers. Unknown critical ones are refused."""
    any_criticality = Criticality.AGNOSTIC
    leaf = (
        ExtensionPolicy.permit_all()
        .may_be_present(TNAuthListExtension, any_criticality, None)  # verify_chain says clearly when it is missing
        .may_be_present(ClaimConstraintsExtension, any_criticality, None)
        .may_be_present(EnhancedClaimConstraintsExtension, any_criticality, None)
        .may_be_present(x509.CertificatePolicies, any_criticality, None)  # critical in some carriers' leaves
    )
    issuer = (
        ExtensionPolicy.webpki_defaults_ca()
        .may_be_present(TNAuthListExtension, any_criticality, None)
        .may_be_present(x509.CertificatePolicies, any_criticality, None)
    )
    return leaf, issuer


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse one certificate, its names and extensions included. Raises CertificateError."""
    certificate = load_der(der)
    read_extensions(certificate)
    read_names(certificate)
    return certificate


def load_der(der: bytes) -> x509.Certificate:
    """Parse a certificate of which nothing but its structure is looked at yet. Raises CertificateError."""
    if len(der) > CERTIFICATE_SIZE_LIMIT:
        raise CertificateError("too-large", f"a certificate has at most {CERTIFICATE_SIZE_LIMIT} octets")
    try:
        return x509.load_der_x509_certificate(der)
    except _MALFORMED as error:
        raise CertificateError("malformed", "not a certificate that can be read") from error


def read_extensions(certificate: x509.Certificate) -> None:
    """Raise CertificateError unless extensions and serial number can be read; from then on they can."""
    try:
        _, serial = certificate.extensions, certificate.serial_number
    except _MALFORMED as error:
        raise CertificateError("malformed", "extensions or serial number of a certificate cannot be read") from error
    if serial <= 0:
        raise CertificateError("malformed", "the serial number is not positive (RFC 5280 §4.1.2.2)")


def read_names(certificate: x509.Certificate) -> None:
    """Raise CertificateError unless the names of issuer and subject can be read; from then on they can."""
    try:
        _ = certificate.issuer, certificate.subject
    except _MALFORMED as error:
        raise CertificateError("malformed", "the names in a certificate cannot be read") from error


def load_pem(pem: bytes) -> list[x509.Certificate]:
    """Read certificates in PEM, at least one. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except _MALFORMED as error:
        raise CertificateError("malformed", "not a sequence of PEM certificates") from error


def validity(certificate: x509.Certificate) -> tuple[int, int]:
    """First and last second of validity, Unix time."""
    return int(certificate.not_valid_before_utc.timestamp()), int(certificate.not_valid_after_utc.timestamp())


def p256_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The certificate's key, which must be P-256 (RFC 8226 §4). Raises CertificateError."""
    try:
        key = certificate.public_key()
    except _MALFORMED as error:
        raise CertificateError("key-type", "the leaf's key is not a P-256 key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("key-type", "the leaf's key is not a P-256 key")
    return key


def certificate_tn_auth_list(certificate: x509.Certificate) -> TNAuthList | None:
    """Read the TNAuthList, if the certificate has one. Raises CertificateError."""
    der = _value(certificate, TN_AUTH_LIST_OID)
    try:
        return None if der is None else TNAuthList.decode(der)
    except TNAuthListError as error:
        raise CertificateError("tn-auth-list", str(error)) from error


def certificate_uris(certificate: x509.Certificate) -> tuple[str, ...]:
    """The URIs among the subject's alternative names (RFC 5280 §4.2.1.6)."""
    names = known_extension(certificate, x509.SubjectAlternativeName)
    return () if names is None else tuple(names.get_values_for_type(x509.UniformResourceIdentifier))


def certificate_constraints(certificate: x509.Certificate) -> tuple[ClaimConstraints | None, bool]:
    """Read the claim constraints, and whether both forms are there (against RFC 9118 §3). Raises CertificateError."""
    return _constraints(_value(certificate, CLAIM_CONSTRAINTS_OID), _value(certificate, ENHANCED_CLAIM_CONSTRAINTS_OID))


def certificate_attributes(certificate: x509.Certificate) -> NumberAttributes | None:
    """Read what the holder declares of the numbers, if the certificate says anything. Raises CertificateError."""
    der = _value(certificate, TN_ATTRIBUTES_OID)
    try:
        return None if der is None else NumberAttributes.decode(der)
    except NumberAttributesError as error:
        raise CertificateError("number-attributes", str(error)) from error


@lru_cache(CONSTRAINTS_MEMO_LIMIT)
def _constraints(plain: bytes | None, enhanced: bytes | None) -> tuple[ClaimConstraints | None, bool]:
    try:
        old = None if plain is None else ClaimConstraints.decode_8226(plain)
        new = None if enhanced is None else ClaimConstraints.decode_9118(enhanced)
    except ClaimConstraintsError as error:
        raise CertificateError("claim-constraints", str(error)) from error
    constraints = old if new is None else new
    if constraints is not None and constraints.void:
        constraints = None
    return constraints, old is not None and new is not None


def check_leaf_fields(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Return an end entity's P-256 key. Raises CertificateError if it may not sign, which path validation lets pass."""
    key = p256_key(certificate)
    basic = known_extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise CertificateError("ca-leaf", "a CA certificate does not sign messages (RFC 9060 §4)")
    usage = known_extension(certificate, x509.KeyUsage)
    if usage is None or not usage.digital_signature or usage.key_cert_sign:
        raise CertificateError("key-usage", "the leaf's key is not for digital signatures")
    return key


def check_issuer_fields(certificate: x509.Certificate) -> None:
    """Raise CertificateError if an issuer carries what only end entities may carry (RFC 8226 §8, RFC 9118 §3)."""
    if not _CONSTRAINTS_OIDS.isdisjoint(_extensions(certificate.extensions)):
        raise CertificateError("claim-constraints", "claim constraints are for end entities only")


def check_issuer(certificate: x509.Certificate) -> None:
    """Raise CertificateError unless the certificate is a CA's that certifies others."""
    basic, usage = known_extension(certificate, x509.BasicConstraints), known_extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
        raise CertificateError("no-ca", "the certificate is not an issuer's")


def check_path_lengths(issuers: Sequence[x509.Certificate]) -> None:
    """Raise CertificateError if a path of issuers, root last, is longer than one of them admits above end entities.

    Path validation does not count the last certificate of a path (RFC 5280 §4.2.1.9), which here is an issuer too.
    """
    for below, issuer in enumerate(issuers):
        basic = known_extension(issuer, x509.BasicConstraints)
        if basic is not None and basic.path_length is not None and basic.path_length < below:
            raise CertificateError("path-length", f"an issuer has {below} below it, and admits {basic.path_length}")


def check_list_signer(certificate: x509.Certificate) -> None:
    """Raise CertificateError unless the certificate is a CA's whose key may sign lists (RFC 5280 §4.2.1.3, cRLSign)."""
    basic, usage = known_extension(certificate, x509.BasicConstraints), known_extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or usage is None or not usage.crl_sign:
        raise CertificateError("key-usage", "the key is not an issuer's that may sign lists")


def check_key_identifiers(path: Sequence[x509.Certificate]) -> None:
    """Raise CertificateError unless each certificate names the key of the next (RFC 9060 §5)."""
    for subject, issuer in pairwise(path):
        authority = known_extension(subject, x509.AuthorityKeyIdentifier)
        key = known_extension(issuer, x509.SubjectKeyIdentifier)
        if authority is None or key is None or authority.key_identifier != key.digest:
            raise CertificateError("key-identifiers", "an authority key identifier is not that of the next key")


def check_signature_algorithms(certificates: Sequence[x509.Certificate], allow_others: bool) -> None:
    """Raise CertificateError if an issuer did not sign with ECDSA, unless others are allowed."""
    if allow_others:
        return
    for certificate in certificates:
        if certificate.signature_algorithm_oid not in _ECDSA_OIDS:
            raise CertificateError("issuer-algorithm", "an issuer did not sign with ECDSA")


def constrains_names(certificate: x509.Certificate) -> bool:
    """Say whether the certificate limits the names below it (RFC 5280 §4.2.1.10)."""
    return known_extension(certificate, x509.NameConstraints) is not None


def known_extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The extension of this kind, if the certificate has it."""
    value = _extensions(certificate.extensions).get(kind.oid)
    return value if isinstance(value, kind) else None


def _value(certificate: x509.Certificate, oid: ObjectIdentifier) -> bytes | None:
    value = _extensions(certificate.extensions).get(oid)
    if value is None:
        return None
    return value.value if isinstance(value, x509.UnrecognizedExtension) else value.public_bytes()


@lru_cache(EXTENSIONS_MEMO_LIMIT)
def _extensions(extensions: x509.Extensions) -> Mapping[ObjectIdentifier, x509.ExtensionType]:
    """Sort them by identifier, once for the dozen questions about them; the key is the object, not what it says."""
    return {extension.oid: extension.value for extension in extensions}
