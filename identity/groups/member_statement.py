"""What a member states about its group to the delivery service and to the other members, signed with its leaf's key."""

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

GROUP_ID_LIMIT = 255  # octets
SIGNATURE_LIMIT = 72  # octets of an ECDSA signature over P-256 in DER
_SIGNING = ec.ECDSA(hashes.SHA256())


class MemberStatement(Protocol):
    """A statement of one kind; each kind begins what is signed with a label of its own."""

    __slots__ = ()

    def signed(self) -> bytes:
        """The octets that are signed. Raises ValueError for what cannot be stated."""

    def sign(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """ECDSA with SHA-256, in DER. Raises ValueError."""
        return key.sign(self.signed(), _SIGNING)

    def is_signed(self, signature: bytes, point: bytes) -> bool:
        """Whether the key, an uncompressed point of P-256, has signed this."""
        if len(signature) > SIGNATURE_LIMIT:
            return False
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            key.verify(signature, self.signed(), _SIGNING)
        except (ValueError, InvalidSignature):
            return False
        return True
