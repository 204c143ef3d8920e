"""Signed requests of ACME (RFC 8555 §6.2): flattened JWS with ES256, and the keys that sign them (RFC 7638)."""

import hashlib
from typing import Annotated, Literal, Self

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.base64url import decode_base64url, encode_base64url
from identity.errors import JWSError

ALGORITHM = "ES256"
JOSE_TYPE = "application/jose+json"  # RFC 8555 §6.2

Base64Url = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]*\Z")]
Coordinate = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]  # 32 octets of a P-256 point


class JWK(msgspec.Struct, frozen=True):
    """A P-256 public key. The fields are in the order of its thumbprint (RFC 7638 §3.2)."""

    crv: Literal["P-256"]
    kty: Literal["EC"]
    x: Coordinate
    y: Coordinate

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """The JWK of a P-256 key."""
        numbers = key.public_numbers()
        return cls("P-256", "EC", _coordinate(numbers.x), _coordinate(numbers.y))

    def key(self) -> ec.EllipticCurvePublicKey:
        """The key itself. Raises JWSError if the point is not on the curve."""
        try:
            x, y = (int.from_bytes(decode_base64url(text.encode())) for text in (self.x, self.y))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        except ValueError as error:
            raise JWSError("key", "the JWK is not a point of P-256") from error

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 of the key's canonical form (RFC 7638)."""
        return hashlib.sha256(msgspec.json.encode(self)).digest()


class FlattenedJWS(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed request; an unprotected header is not among its members (RFC 8555 §6.2)."""

    protected: Base64Url
    payload: Base64Url
    signature: Base64Url


class ProtectedHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request is signed for: its address, a nonce, and the key or the account's URL."""

    alg: str
    url: str
    nonce: str | None = None
    jwk: msgspec.Raw = msgspec.Raw()
    kid: str | None = None
    crit: list[str] | None = None


def sign_request(
    key: ec.EllipticCurvePrivateKey, payload: bytes, *, url: str, nonce: str | None, kid: str | None
) -> bytes:
    """Sign a request by the account at `kid`, or by its key alone if that is None; an empty payload is POST-as-GET.

    Only the inner JWS of a key change has no nonce (RFC 8555 §7.3.5).
    """
    headers: dict[str, object] = {"typ": None, "url": url}
    if nonce is not None:
        headers["nonce"] = nonce
    if kid is None:
        headers["jwk"] = msgspec.to_builtins(JWK.of(key.public_key()))
    else:
        headers["kid"] = kid
    protected, middle, signature = jwt.PyJWS().encode(payload, key, algorithm=ALGORITHM, headers=headers).split(".")
    return msgspec.json.encode(FlattenedJWS(protected, middle, signature))


def read_request(body: bytes) -> tuple[FlattenedJWS, ProtectedHeader]:
    """Read a flattened JWS and its header; nothing is verified yet. Raises JWSError."""
    try:
        signed = msgspec.json.decode(body, type=FlattenedJWS)
        return signed, msgspec.json.decode(decode_base64url(signed.protected.encode()), type=ProtectedHeader)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise JWSError("malformed", f"not a flattened JWS of RFC 8555: {error}") from error


def read_jwk(raw: bytes) -> JWK:
    """Read the key in a header. Raises JWSError."""
    try:
        return msgspec.json.decode(raw, type=JWK)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise JWSError("key", f"not a P-256 key as JWK: {error}") from error


def verify_request(signed: FlattenedJWS, key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the payload that `key` signed. Raises JWSError."""
    token = f"{signed.protected}.{signed.payload}.{signed.signature}"
    try:
        payload: bytes = jwt.PyJWS().decode_complete(token, key, algorithms=[ALGORITHM])["payload"]
    except jwt.InvalidTokenError as error:
        raise JWSError("signature", "the request is not signed by its key") from error
    return payload


def thumbprint_text(thumbprint: bytes) -> str:
    """A thumbprint as it stands in JSON: base64url, 43 characters."""
    return encode_base64url(thumbprint).decode("ascii")


def _coordinate(value: int) -> str:
    return encode_base64url(value.to_bytes(32)).decode("ascii")
