"""What ends a group, signed with the key of a member's leaf: a successor takes its place, or it is deleted.

The delivery service cannot make such a statement, and members follow none that is not by somebody who may change the
group (docs/binding.md §3.7).
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

LABEL = b"ringtrue group ending\n"
GROUP_ID_LIMIT = 255  # octets
SIGNATURE_LIMIT = 72  # octets of an ECDSA signature over P-256 in DER
_SIGNING = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class GroupEnding:
    """A group ends; `successor` is the id of the group that takes its place, empty if none does."""

    group_id: bytes
    successor: bytes = b""

    def signed(self) -> bytes:
        """The label, then both ids, each after its length in one octet. Raises ValueError for what is no id."""
        if not 0 < len(self.group_id) <= GROUP_ID_LIMIT or len(self.successor) > GROUP_ID_LIMIT:
            raise ValueError("a group id has 1 to 255 octets")
        return LABEL + b"".join(bytes((len(each),)) + each for each in (self.group_id, self.successor))

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
