"""Making tokens that no honest client makes: any header, any claims, down to the octets."""

import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from client.formats.framing import ATTESTED_TYPE, Framing, MediaType, encode_framing, encode_opaque
from identity.base64url import decode_base64url, encode_base64url
from identity.passport import canonical_json

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sign_octets(key: ec.EllipticCurvePrivateKey, header: bytes, claims: bytes) -> bytes:
    """Sign header and claims exactly as they are (RFC 7515 §5.1)."""
    signing_input = encode_base64url(header) + b"." + encode_base64url(claims)
    r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
    return signing_input + b"." + encode_base64url(_raw(r, s))


def sign_values(key: ec.EllipticCurvePrivateKey, header: Mapping[str, object], claims: Mapping[str, object]) -> bytes:
    """Sign header and claims in canonical form (RFC 8225 §9)."""
    return sign_octets(key, canonical_json(header), canonical_json(claims))


def with_public_key_as_secret(
    key: ec.EllipticCurvePublicKey, header: Mapping[str, object], claims: Mapping[str, object]
) -> bytes:
    """A token with an HMAC-SHA-512, as long as an ES256 signature, under the PEM of a public key (RFC 8725 §2.1)."""
    signing_input = encode_base64url(canonical_json(header)) + b"." + encode_base64url(canonical_json(claims))
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return signing_input + b"." + encode_base64url(hmac.digest(pem, signing_input, "sha512"))


def msg_header(x5u: str) -> dict[str, object]:
    """The header of an honest token."""
    return {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": x5u}


def with_other_signature(token: bytes) -> bytes:
    """The same token with the second signature that ECDSA allows: s becomes n - s, and it verifies as well."""
    signing_input, _, signature = token.rpartition(b".")
    octets = decode_base64url(signature)
    s = int.from_bytes(octets[32:], "big")
    return signing_input + b"." + encode_base64url(octets[:32] + (P256_ORDER - s).to_bytes(32, "big"))


def with_broken_signature(token: bytes) -> bytes:
    """The same token with one bit of its signature changed."""
    signing_input, _, signature = token.rpartition(b".")
    octets = bytearray(decode_base64url(signature))
    octets[40] ^= 1
    return signing_input + b"." + encode_base64url(bytes(octets))


def attested(proof: bytes, framed: bytes) -> bytes:
    """What `client.formats.framing.wrap` builds, of any size."""
    return encode_framing(Framing(MediaType(ATTESTED_TYPE), encode_opaque(proof) + encode_opaque(framed)))


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
