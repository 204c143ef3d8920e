"""The keys of logs: P-256, named by the SHA-256 of their SubjectPublicKeyInfo (RFC 6962 §3.2)."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from identity.errors import TransparencyError

SPKI_LIMIT = 256  # octets; a P-256 key has 91
NAME_LIMIT = 100  # characters
_KEYS_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log that somebody believes: what people call it, and its key as DER. Raises TransparencyError."""

    name: str
    spki: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LIMIT:
            raise TransparencyError("log-name", f"a log's name has 1 to {NAME_LIMIT} characters")
        _public_key(self.spki)

    @classmethod
    def of(cls, name: str, key: ec.EllipticCurvePublicKey) -> Self:
        """Name a key that is at hand."""
        return cls(name, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the key."""
        return hashlib.sha256(self.spki).digest()

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Say whether the log has signed the octets: ECDSA with SHA-256."""
        try:
            _public_key(self.spki).verify(signature, signed, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def sign(key: ec.EllipticCurvePrivateKey, octets: bytes) -> bytes:
    """Sign as a log does: the same octets get the same signature (RFC 6979)."""
    return key.sign(octets, ec.ECDSA(SHA256(), deterministic_signing=True))


@lru_cache(_KEYS_REMEMBERED)
def _public_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    if len(spki) > SPKI_LIMIT:
        raise TransparencyError("log-key", f"a log's key has at most {SPKI_LIMIT} octets")
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TransparencyError("log-key", "not a public key that can be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TransparencyError("log-key", "a log's key is a P-256 key")
    return key
