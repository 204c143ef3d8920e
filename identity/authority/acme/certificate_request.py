"""Certificate requests (RFC 8555 §7.4): what a PKCS #10 asks for, and whether the order is for that."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.authority.acme.errors import AcmeError
from identity.authority.acme.records import Grant, Order
from identity.base64url import decode_base64url
from identity.certificate_fields import TN_AUTH_LIST_OID
from identity.enrolment.acme_jws import JWK, thumbprint_text
from identity.enrolment.authority_token import check_ca
from identity.enrolment.delegation import DELEGATION_REQUEST_LIMIT
from identity.errors import AuthorityTokenError, CertificateError
from identity.issuing import check_csr


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request whose key's possession is proven; `tn_auth_list` is DER, None if it names none."""

    der: bytes
    key: ec.EllipticCurvePublicKey
    ca: bool
    tn_auth_list: bytes | None

    @property
    def spki(self) -> bytes:
        """SHA-256 of the key's SPKI."""
        return hashlib.sha256(self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def read_certificate_request(text: str) -> CertificateRequest:
    """Read base64url of a PKCS #10. Raises AcmeError."""
    try:
        der = decode_base64url(text.encode("ascii"))
        key = check_csr(der, DELEGATION_REQUEST_LIMIT)
        extensions = {each.oid: each.value for each in x509.load_der_x509_csr(der).extensions}
    except (ValueError, x509.DuplicateExtension) as error:
        raise AcmeError("badCSR", "the certificate request cannot be read") from error
    except CertificateError as error:
        raise AcmeError("badCSR", str(error)) from error
    basic, numbers = extensions.get(x509.BasicConstraints.oid), extensions.get(TN_AUTH_LIST_OID)
    named = numbers.value if isinstance(numbers, x509.UnrecognizedExtension) else None
    return CertificateRequest(der, key, isinstance(basic, x509.BasicConstraints) and basic.ca, named)


def check_certificate_request(requested: CertificateRequest, order: Order, grant: Grant, account: JWK) -> None:
    """Check a request against its order. Raises AcmeError.

    1. it names the ordered TNAuthList, or none (the issuer decides what it certifies)
    2. its key is not the account's (RFC 8555 §11.1)
    3. it is for a CA or an end entity, as the authority token says (check 9 of RFC 9448 §6)
    4. its key is the one that the token names, if it names one
    """
    jwk = JWK.of(requested.key)
    if requested.tn_auth_list not in (None, decode_base64url(order.identifier.encode("ascii"))):
        raise AcmeError("badCSR", "the request names another TNAuthList than the order", identifier=order.about)
    if jwk == account:
        raise AcmeError("badCSR", "the account's key is not certified: make another one")
    try:
        check_ca(grant.ca, requested.ca)
    except AuthorityTokenError as error:
        raise AcmeError("badCSR", f"{error} (RFC 9448 §6, check 9)", check=error.check) from error
    if grant.key not in (None, thumbprint_text(jwk.thumbprint)):
        raise AcmeError("badCSR", "the authority token is for another key")
