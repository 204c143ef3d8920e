"""What ACME signs: flattened JWS with a nonce and an address (RFC 8555 §6.2), and the names of keys (RFC 7638)."""

import hashlib
from collections.abc import Mapping

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.base64url import encode_base64url

ALGORITHM = "ES256"
COORDINATE_SIZE = 32  # octets of a coordinate on P-256


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The public key as a JWK, with the required members alone and in the order of RFC 7638 §3.2."""
    numbers = key.public_numbers()
    x, y = (encode_base64url(value.to_bytes(COORDINATE_SIZE)).decode() for value in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def thumbprint(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of the JWK (RFC 7638)."""
    return hashlib.sha256(msgspec.json.encode(public_jwk(key))).digest()


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """The account key's name inside an authority token (RFC 9447 §4): SHA256 and the thumbprint's octets."""
    return f"SHA256 {thumbprint(key).hex(':').upper()}"


def flattened(key: ec.EllipticCurvePrivateKey, header: Mapping[str, object], payload: bytes) -> bytes:
    """A JWS in the flattened JSON serialization (RFC 7515 §7.2.2), ES256."""
    token = jwt.PyJWS().encode(payload, key, algorithm=ALGORITHM, headers={"typ": "", **header})
    protected, body, signature = token.split(".")
    return msgspec.json.encode({"protected": protected, "payload": body, "signature": signature})
