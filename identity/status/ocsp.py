"""OCSP (RFC 6960) as STIR uses it: the status of a certificate for one number (draft-ietf-stir-certificates-ocsp).

Requests and responses carry the extension TNQuery, which names the number, in their single extensions. Names and keys
of issuers are hashed by SHA-256, truncated to 160 bits (RFC 7093 §2, option 1). Responses are the issuer's own: no
certificate travels with them. `cryptography` neither writes nor reads single extensions of requests, nor writes those
of responses, so these are ASN.1 here; it parses the responses.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

from identity.base64url import encode_base64url
from identity.certificate_fields import load_certificate, p256_key
from identity.certificates import public_point
from identity.errors import CertificateError, NumberError, RevocationError
from identity.number import TelephoneNumber
from identity.status.ocsp_asn1 import (
    Algorithm,
    Anything,
    BasicOCSPResponse,
    CertID,
    EnclosedText,
    HashAlgorithm,
    OCSPExtension,
    OCSPRequest,
    OCSPResponse,
    ResponseBytes,
    ResponseData,
    RevokedInfo,
    SingleRequest,
    SingleResponse,
    TBSRequest,
)
from identity.status.revocation import CRL_TOLERANCE, CertificateStatus, Reason, StatusState

STAPLE_EXTENSION = 0xF102  # a LeafNode extension, private use (RFC 9420 §17.3): the response about its certificate
TN_QUERY_OID = ObjectIdentifier("1.3.6.1.5.5.7.48.1.10")  # id-pkix-ocsp-stir-tn
REQUEST_SIZE_LIMIT = 1_024  # octets of DER; a request has about 150
RESPONSE_SIZE_LIMIT = 4_096  # octets of DER; a response has about 320, and it is carried in a leaf of the ratchet tree
RESPONSE_LIFETIME_LIMIT = 10 * 86_400  # seconds from thisUpdate to nextUpdate
HASH_SIZE = 20  # octets: SHA-256, truncated
STAPLE_MEMO_LIMIT = 256  # responses that were verified before

_SHA256_OID = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_ECDSA_OID = SignatureAlgorithmOID.ECDSA_WITH_SHA256
_BASIC_OID = ObjectIdentifier("1.3.6.1.5.5.7.48.1.1")
_REASON_CODES = {  # RFC 5280 §5.3.1
    Reason.unspecified: 0,
    Reason.key_compromise: 1,
    Reason.ca_compromise: 2,
    Reason.affiliation_changed: 3,
    Reason.superseded: 4,
    Reason.cessation_of_operation: 5,
    Reason.certificate_hold: 6,
    Reason.privilege_withdrawn: 9,
    Reason.aa_compromise: 10,
}
_MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


@dataclass(frozen=True, slots=True)
class CertificateName:
    """A CertID (RFC 6960 §4.1.1): truncated SHA-256 of the issuer's name and key, and a serial number."""

    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int

    @classmethod
    def of(cls, issuer: x509.Certificate, serial: int) -> "CertificateName":
        """Name a certificate of an issuer with a P-256 key. Raises CertificateError."""
        return cls(_hash(issuer.subject.public_bytes()), _hash(public_point(p256_key(issuer))), serial)

    @property
    def text(self) -> str:
        """One word, for logs."""
        return encode_base64url(self.issuer_key_hash).decode() + f"/{self.serial:x}"


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """What a request asks: of which certificate, and whether it still holds for which number."""

    certificate: CertificateName
    number: TelephoneNumber | None


def encode_query(leaf_der: bytes, issuer_der: bytes, number: TelephoneNumber) -> bytes:
    """Ask for the status of a certificate and whether it still covers the number (DER). Raises CertificateError."""
    name = CertificateName.of(load_certificate(issuer_der), load_certificate(leaf_der).serial_number)
    request = SingleRequest(cert_id=_cert_id(name), extensions=[_tn_query(number)])
    return asn1.encode_der(OCSPRequest(tbs=TBSRequest(requests=[request])))


def decode_query(der: bytes) -> StatusQuery:
    """Read a request for one certificate. Raises RevocationError."""
    if len(der) > REQUEST_SIZE_LIMIT:
        raise RevocationError("too-large", f"a request has at most {REQUEST_SIZE_LIMIT} octets", check=1)
    try:
        tbs = asn1.decode_der(OCSPRequest, der).tbs
    except ValueError as error:
        raise RevocationError("malformed", "this is no OCSP request that can be read", check=1) from error
    if len(tbs.requests) != 1 or tbs.version != 0:
        raise RevocationError("form", "a request asks about one certificate", check=1)
    request = tbs.requests[0]
    extensions = request.extensions or []
    known = {extension.oid: extension.value for extension in extensions}
    if len(known) < len(extensions) or any(each.critical for each in (*extensions, *(tbs.extensions or []))):
        # Ours is not critical, and no other is known (RFC 6960 §4.4: those may be ignored unless they are critical).
        raise RevocationError("critical", "the request has a critical extension, or one twice", check=1)
    cert_id = request.cert_id
    if cert_id.hash_algorithm.algorithm != _SHA256_OID:
        raise RevocationError("hash", "names and keys are hashed by SHA-256, truncated to 160 bits", check=2)
    name = CertificateName(cert_id.issuer_name_hash, cert_id.issuer_key_hash, cert_id.serial)
    return StatusQuery(name, _queried(known.get(TN_QUERY_OID)))


def sign_response(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    query: StatusQuery,
    status: CertificateStatus,
    *,
    now: int,
    lifetime: int,
) -> bytes:
    """Answer a query by the issuer's key (DER): good for the number, or revoked; what is unknown is no answer."""
    single = SingleResponse(
        cert_id=_cert_id(query.certificate),
        status=_stated(status),
        this_update=_time(now),
        next_update=_time(now + lifetime),
        extensions=None if query.number is None else [_tn_query(query.number)],
    )
    responder = _hash(public_point(p256_key(issuer)))
    tbs = ResponseData(responder_key_hash=responder, produced_at=_time(now), responses=[single])
    signature = key.sign(asn1.encode_der(tbs), ec.ECDSA(hashes.SHA256()))
    basic = BasicOCSPResponse(
        tbs=tbs, algorithm=Algorithm(algorithm=_ECDSA_OID), signature=asn1.BitString(signature, 0)
    )
    whole = ResponseBytes(kind=_BASIC_OID, response=asn1.encode_der(basic))
    return asn1.encode_der(OCSPResponse(status=_enumerated(0), response=whole))


@dataclass(frozen=True, slots=True)
class StatusResponse:
    """A response that was verified; `number` is the one that the certificate still covers, if it is good."""

    status: CertificateStatus
    next_update: int
    number: TelephoneNumber | None


def verify_response(
    der: bytes, leaf_der: bytes, issuer_der: bytes, number: TelephoneNumber | None, *, moment: int, now: int
) -> CertificateStatus:
    """Verify a response about a leaf, of use for what was signed at `moment`. Raises RevocationError.

    1. size and form: a successful basic response about one certificate, with no critical extension
    2. it is about this leaf of this issuer: name and key hashed by SHA-256, truncated
    3. it is the issuer's own, signed with the algorithm that the leaf was signed with
    4. not of the future, not valid for too long, and not over at `moment`
    5. not unknown, which is not good
    6. if good, for this number: without TNQuery nobody says that the certificate still covers it

    `number` None: a leaf that speaks for URIs; of it only a revocation is taken.
    """
    response = read_response(der, leaf_der, issuer_der)
    status, begin = response.status, response.status.this_update or 0
    if begin > now + CRL_TOLERANCE or not 0 < response.next_update - begin <= RESPONSE_LIFETIME_LIMIT:
        raise RevocationError("time", "the response is of the future, or valid for too long", check=4)
    if status.state is StatusState.REVOKED:
        return status
    if moment >= response.next_update:
        raise RevocationError("expired", f"the response was of use until {response.next_update}", check=4)
    if status.state is StatusState.UNKNOWN:
        raise RevocationError("unknown", "the issuer does not know the certificate", check=5)
    if number is None or response.number != number:
        raise RevocationError("coverage", f"the response does not say that {number} is still covered", check=6)
    return status


@lru_cache(STAPLE_MEMO_LIMIT)
def read_response(der: bytes, leaf_der: bytes, issuer_der: bytes) -> StatusResponse:
    """Verify by whom a response is and about what, whatever it says and until when. Raises RevocationError."""
    response = _loaded(der)
    try:
        leaf, issuer = load_certificate(leaf_der), load_certificate(issuer_der)
        name, key = CertificateName.of(issuer, leaf.serial_number), p256_key(issuer)
    except CertificateError as error:
        raise RevocationError("issuer", str(error), check=2) from error
    _check_about(response, name)
    _check_signed(response, key, name, leaf)
    end = response.next_update_utc
    if end is None:
        raise RevocationError("time", "the response does not say until when it is of use", check=4)
    return StatusResponse(_status(response), int(end.timestamp()), _covered(response))


def _loaded(der: bytes) -> ocsp.OCSPResponse:
    if len(der) > RESPONSE_SIZE_LIMIT:
        raise RevocationError("too-large", f"a response has at most {RESPONSE_SIZE_LIMIT} octets", check=1)
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise RevocationError("unsuccessful", f"the responder answers {response.response_status.name}", check=1)
        _ = response.serial_number, response.this_update_utc, response.certificate_status, response.next_update_utc
        extensions = (*response.extensions, *response.single_extensions)
    except _MALFORMED as error:
        raise RevocationError("malformed", "this is no OCSP response that can be read", check=1) from error
    if any(extension.critical for extension in extensions):
        raise RevocationError("critical", "the response has a critical extension", check=1)
    return response


def _check_about(response: ocsp.OCSPResponse, name: CertificateName) -> None:
    found = CertificateName(response.issuer_name_hash, response.issuer_key_hash, response.serial_number)
    try:
        algorithm = response.hash_algorithm
    except _MALFORMED as error:
        raise RevocationError("hash", "the response hashes by an algorithm that is not known", check=2) from error
    if found != name or not isinstance(algorithm, hashes.SHA256):
        raise RevocationError("certificate", f"the response is about {found.text}, not about {name.text}", check=2)


def _check_signed(
    response: ocsp.OCSPResponse, key: ec.EllipticCurvePublicKey, name: CertificateName, leaf: x509.Certificate
) -> None:
    oid = response.signature_algorithm_oid
    if response.responder_key_hash != name.issuer_key_hash or oid != leaf.signature_algorithm_oid or oid != _ECDSA_OID:
        raise RevocationError("responder", "the response is not the issuer's own", check=3)
    try:
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise RevocationError("signature", "the response is not signed by the issuer's key", check=3) from error


def _status(response: ocsp.OCSPResponse) -> CertificateStatus:
    this_update = int(response.this_update_utc.timestamp())
    match response.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            return CertificateStatus(StatusState.GOOD, this_update=this_update)
        case ocsp.OCSPCertStatus.REVOKED:
            at = response.revocation_time_utc
            revoked_at = 0 if at is None else min(int(at.timestamp()), this_update)
            return CertificateStatus(StatusState.REVOKED, revoked_at, _reason(response), this_update)
    return CertificateStatus(StatusState.UNKNOWN, this_update=this_update)


def _reason(response: ocsp.OCSPResponse) -> Reason:
    try:
        return response.revocation_reason or Reason.unspecified
    except ValueError:
        return Reason.unspecified  # a reason that there is not takes nothing from the revocation


def _covered(response: ocsp.OCSPResponse) -> TelephoneNumber | None:
    for extension in response.single_extensions:
        if extension.oid == TN_QUERY_OID and isinstance(extension.value, x509.UnrecognizedExtension):
            return _queried(extension.value.value)
    return None


def _queried(value: bytes | None) -> TelephoneNumber | None:
    """The number in a TNQuery: an IA5String of digits."""
    if value is None:
        return None
    try:
        enclosed = b"\x30" + len(value).to_bytes() + value if len(value) < 0x80 else b""
        return TelephoneNumber.from_digits(asn1.decode_der(EnclosedText, enclosed).value.as_str())
    except (ValueError, NumberError) as error:
        raise RevocationError("tn-query", "the TNQuery is not an E.164 number", check=6) from error


def _tn_query(number: TelephoneNumber) -> OCSPExtension:
    return OCSPExtension(oid=TN_QUERY_OID, value=asn1.encode_der(EnclosedText(value=asn1.IA5String(number.digits)))[2:])


def _cert_id(name: CertificateName) -> CertID:
    return CertID(
        hash_algorithm=HashAlgorithm(algorithm=_SHA256_OID, parameters=asn1.Null()),
        issuer_name_hash=name.issuer_name_hash,
        issuer_key_hash=name.issuer_key_hash,
        serial=name.serial,
    )


def _stated(status: CertificateStatus) -> asn1.Null | RevokedInfo:
    if status.state is StatusState.GOOD:
        return asn1.Null()
    at, reason = status.revoked_at or 0, status.reason or Reason.unspecified
    return RevokedInfo(at=_time(at), reason=_enumerated(_REASON_CODES[reason]))


def _enumerated(value: int) -> asn1.TLV:
    return asn1.decode_der(Anything, bytes((0x30, 3, 0x0A, 1, value))).value


def _time(moment: int) -> asn1.GeneralizedTime:
    return asn1.GeneralizedTime(datetime.fromtimestamp(moment, UTC))


def _hash(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:HASH_SIZE]
