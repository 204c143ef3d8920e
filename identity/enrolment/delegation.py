"""Delegation of numbers (RFC 9060): an issuer certifies a sub-issuer for part of what it speaks of itself."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.certificate_fields import (
    TN_AUTH_LIST_OID,
    certificate_tn_auth_list,
    check_issuer,
    known_extension,
)
from identity.errors import CertificateError, TNAuthListError
from identity.issuer_path import CHAIN_LENGTH_LIMIT
from identity.issuing import Logging, check_csr, check_issuing_time, issuer_certificate
from identity.path_policy import check_within, scope_of
from identity.tn_auth_list import TN_AUTH_LIST_SIZE_LIMIT, TNAuthList
from identity.trust import DEFAULT_POLICY, TrustPolicy

SUB_ISSUER_LIFETIME = 90 * 86_400  # seconds
ISSUER_NAME_LIMIT = 64  # characters of a common name (RFC 5280 appendix A.1, ub-common-name)
DELEGATION_REQUEST_LIMIT = TN_AUTH_LIST_SIZE_LIMIT + 4_096  # octets of DER
DEPTH_LIMIT = CHAIN_LENGTH_LIMIT - 1  # issuers below a root


@dataclass(frozen=True, slots=True)
class DelegationRequest:
    """What a sub-issuer asks for, its key's possession proven; whether it may have that, its issuer decides."""

    key: ec.EllipticCurvePublicKey
    name: str
    authority: TNAuthList
    path_length: int = 0


def delegation_csr(key: ec.EllipticCurvePrivateKey, name: str, authority: TNAuthList, path_length: int = 0) -> bytes:
    """Make a sub-issuer's request (PKCS #10, DER): CA:true, its name and the numbers. Raises CertificateError."""
    _check_name(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST_OID, authority.encode()), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def check_delegation_request(der: bytes) -> DelegationRequest:
    """Read a sub-issuer's request. Raises CertificateError.

    1. a request signed by its own P-256 key     3. it names the sub-issuer
    2. it is for an issuer: CA:true              4. it has a TNAuthList
    """
    key = check_csr(der, DELEGATION_REQUEST_LIMIT)
    request = x509.load_der_x509_csr(der)
    try:
        extensions = {extension.oid: extension.value for extension in request.extensions}
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, x509.DuplicateExtension) as error:
        raise CertificateError("malformed", "the request's fields cannot be read") from error
    basic = extensions.get(x509.BasicConstraints.oid)
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        raise CertificateError("no-ca", "the request is not for an issuer: it does not ask for CA:true")
    name = str(names[0].value) if len(names) == 1 else ""
    _check_name(name)
    asked = extensions.get(TN_AUTH_LIST_OID)
    if not isinstance(asked, x509.UnrecognizedExtension):
        raise CertificateError("tn-auth-list", "the request does not say for which numbers it is")
    try:
        return DelegationRequest(key, name, TNAuthList.decode(asked.value), basic.path_length or 0)
    except TNAuthListError as error:
        raise CertificateError("tn-auth-list", str(error)) from error


def issue_sub_issuer(
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    name: str,
    authority: TNAuthList,
    now: int,
    lifetime: int = SUB_ISSUER_LIFETIME,
    *,
    path_length: int = 0,
    policy: TrustPolicy = DEFAULT_POLICY,
    serial: int | None = None,
    log: Logging | None = None,
) -> x509.Certificate:
    """Certify a sub-issuer, which may itself have `path_length` levels of issuers below it. Raises CertificateError.

    1. the issuer is a CA that is valid now        4. the list lies within the issuer's, codes as the policy says
    2. its path length leaves room                 5. the name is one, and not the issuer's (RFC 5280 §6.1.4: such a
    3. the key is P-256 and another than its own      certificate would not count towards the path length)

    The certificate never outlives its issuer's.
    """
    check_issuer(issuer)  # RFC 9060 §4
    check_issuing_time(issuer, now)
    room = depth_below(issuer)
    if not 0 <= path_length < room:
        raise CertificateError("path-length", f"this issuer may have {room} levels of issuers below it")
    if not isinstance(key.curve, ec.SECP256R1) or key == issuer_key.public_key():
        raise CertificateError("key-type", "a sub-issuer has a P-256 key of its own")
    own = certificate_tn_auth_list(issuer)
    if own is not None:
        check_within(scope_of(own, policy), authority, policy)
    _check_name(name)
    if name in (str(each.value) for each in issuer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)):
        raise CertificateError("name", "a sub-issuer has another name than its issuer")
    return issuer_certificate(
        issuer_key, issuer, key, name, authority, now, lifetime, serial=serial, path_length=path_length, log=log
    )


def depth_below(issuer: x509.Certificate) -> int:
    """How many levels of issuers a CA's certificate admits below it."""
    basic = known_extension(issuer, x509.BasicConstraints)
    if basic is None or not basic.ca:
        return 0
    return DEPTH_LIMIT if basic.path_length is None else min(basic.path_length, DEPTH_LIMIT)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= ISSUER_NAME_LIMIT or not name.isprintable() or name != name.strip():
        raise CertificateError("name", f"an issuer's name has 1 to {ISSUER_NAME_LIMIT} characters that can be printed")
