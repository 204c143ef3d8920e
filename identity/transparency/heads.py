"""Signed tree heads: what a log says its tree is at a moment (RFC 6962 §3.5)."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from identity.errors import TransparencyError
from identity.transparency.log_key import LogKey, sign
from identity.transparency.merkle import HASH_SIZE
from identity.transparency.timestamps import ECDSA_WITH_SHA256, read_signature
from identity.transparency.tls import Reader, number, vector

SIZE_LIMIT = 2**53 - 1  # entries; beyond it JSON numbers are not exact
_VERSION = 0
_TREE_HASH = 1


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Size and root of a tree, and when (milliseconds since the epoch). Raises TransparencyError."""

    size: int
    timestamp: int
    root: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_LIMIT or not 0 <= self.timestamp < 2**63 or len(self.root) != HASH_SIZE:
            raise TransparencyError("malformed", "a tree head has a size, a time and a hash of 32 octets")

    def signed_octets(self) -> bytes:
        """What a head's signature is over."""
        head = number(_VERSION, 1) + number(_TREE_HASH, 1)
        return head + number(self.timestamp, 8) + number(self.size, 8) + self.root

    def sign(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """The signature as a digitally-signed struct."""
        return ECDSA_WITH_SHA256 + vector(sign(key, self.signed_octets()), 2)

    def is_by(self, log: LogKey, signature: bytes) -> bool:
        """Say whether the log has signed this head."""
        try:
            octets = read_signature(Reader(signature, "a head's signature"))
        except TransparencyError:
            return False
        return log.verifies(octets, self.signed_octets())
