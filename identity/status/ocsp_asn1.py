"""The ASN.1 of OCSP (RFC 6960 §4), as far as `identity.status.ocsp` writes and reads it itself."""

from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509.oid import ObjectIdentifier


@asn1.sequence
class Algorithm:
    """AlgorithmIdentifier of ecdsa-with-SHA256, which has no parameters (RFC 5758 §3.2)."""

    algorithm: ObjectIdentifier


@asn1.sequence
class HashAlgorithm:
    """AlgorithmIdentifier of a hash; both forms are to be accepted (RFC 4055 §2.1)."""

    algorithm: ObjectIdentifier
    parameters: asn1.Null | None = None


@asn1.sequence
class CertID:
    """Names a certificate by its issuer's name and key, hashed, and its serial number."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


@asn1.sequence
class OCSPExtension:
    """One extension, of a request, a response or a part of one."""

    oid: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(False)] = False
    value: bytes


@asn1.sequence
class SingleRequest:
    """A question about one certificate (Request)."""

    cert_id: CertID
    extensions: Annotated[list[OCSPExtension] | None, asn1.Explicit(0)] = None


@asn1.sequence
class TBSRequest:
    """The questions."""

    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)] = 0
    requests: list[SingleRequest]
    extensions: Annotated[list[OCSPExtension] | None, asn1.Explicit(2)] = None


@asn1.sequence
class OCSPRequest:
    """A request without a signature."""

    tbs: TBSRequest


@asn1.sequence
class Anything:
    """One SEQUENCE around any value."""

    value: asn1.TLV


@asn1.sequence
class RevokedInfo:
    """When and why; the reason is an ENUMERATED."""

    at: asn1.GeneralizedTime
    reason: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class SingleResponse:
    """What is said of one certificate: good or revoked."""

    cert_id: CertID
    status: Annotated[asn1.Null, asn1.Implicit(0)] | Annotated[RevokedInfo, asn1.Implicit(1)]
    this_update: asn1.GeneralizedTime
    next_update: Annotated[asn1.GeneralizedTime | None, asn1.Explicit(0)]
    extensions: Annotated[list[OCSPExtension] | None, asn1.Explicit(1)]


@asn1.sequence
class ResponseData:
    """What the responder, named by its key, signs."""

    responder_key_hash: Annotated[bytes, asn1.Explicit(2)]
    produced_at: asn1.GeneralizedTime
    responses: list[SingleResponse]


@asn1.sequence
class BasicOCSPResponse:
    """The signed answer, without certificates."""

    tbs: ResponseData
    algorithm: Algorithm
    signature: asn1.BitString


@asn1.sequence
class ResponseBytes:
    """An answer of some kind."""

    kind: ObjectIdentifier
    response: bytes


@asn1.sequence
class OCSPResponse:
    """The whole response; its status is an ENUMERATED."""

    status: asn1.TLV
    response: Annotated[ResponseBytes, asn1.Explicit(0)]


@asn1.sequence
class EnclosedText:
    """One SEQUENCE around an IA5String, because `asn1` decodes no bare one."""

    value: asn1.IA5String
