"""Devices: from an MLS credential to the number that it belongs to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from identity.certificates import CHAIN_MEMO_LIMIT, ChainVerifier, TrustAnchors, VerifiedChain, leaf_number
from identity.errors import BindingError
from identity.number import TelephoneNumber

# A SubjectPublicKeyInfo of P-256 up to its uncompressed point (RFC 5480 §2).
_P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

_FORBIDDEN = frozenset({"attest", "origid"})  # a messaging-only key signs no call (RFC 8588 §4, §5)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A device of a number; DeviceVerifier makes it."""

    number: TelephoneNumber
    chain: VerifiedChain

    @property
    def identity(self) -> bytes:
        """The number and half of the SHA-256 of the public key: unique to each device key, stable over renewals."""
        return device_name(self.number, self.chain.public_point)


class DeviceVerifier:
    """Decides which MLS credentials are devices (RFC 9420 §5.3.1), with a memory of valid chains."""

    def __init__(self, anchors: TrustAnchors, memo_limit: int = CHAIN_MEMO_LIMIT) -> None:
        self.chains = ChainVerifier(anchors, memo_limit)

    def verify(self, chain: Sequence[bytes], signature_key: bytes, now: int) -> DeviceIdentity:
        """Validate a credential at the time `now`. Raises CertificateError or BindingError.

        1. the chain is valid                      3. its TNAuthList holds exactly one number
        2. its leaf holds the MLS signature key    4. it is for messaging only: needs msgi, forbids attest and origid
        """
        verified = self.chains.verify(chain, now)
        if verified.public_point != signature_key:
            raise BindingError("key", "the certificate is not for the leaf's signature key (RFC 9420 §5.3)", check=4)
        if verified.number is None:
            raise BindingError("number", "a device's certificate holds exactly one number", check=6)
        constraints = verified.constraints
        if constraints is None or verified.conflicting_constraints:
            raise BindingError("constraints", "the certificate is not for messaging only", check=7)
        if "msgi" not in constraints.must_include or not _FORBIDDEN.issubset(constraints.must_exclude):
            raise BindingError("constraints", "the certificate is not for messaging only", check=7)
        return DeviceIdentity(verified.number, verified)

    def check_successor(self, old_chain: Sequence[bytes], new_chain: Sequence[bytes]) -> None:
        """Raise BindingError unless both leaves are for the same single number; CertificateError if unreadable.

        Only numbers are compared: `verify` decides whether the new chain is valid, and the MLS frame that carries it,
        signed by the old leaf, shows continuity. Numbers are recycled, so the same number alone is a new person.
        """
        if not old_chain or not new_chain:
            raise BindingError("successor", "a credential has no certificate", check=6)
        old, new = leaf_number(old_chain[0]), leaf_number(new_chain[0])
        if old is None or old != new:
            raise BindingError("successor", f"the successor is for {new}, not for {old}", check=6)


def device_name(number: TelephoneNumber, point: bytes) -> bytes:
    """`DeviceIdentity.identity` of a number and a P-256 key, which is an uncompressed point of 65 octets."""
    return f"{number.e164}/{spki_hash(point)[:32]}".encode()


def spki_hash(point: bytes) -> str:
    """The SHA-256 of a P-256 key's SubjectPublicKeyInfo, in hexadecimal."""
    return hashlib.sha256(_P256_SPKI + point).hexdigest()


def number_of(identity: bytes) -> TelephoneNumber:
    """The number in `DeviceIdentity.identity`."""
    return TelephoneNumber.from_digits(identity.partition(b"/")[0].decode("ascii").removeprefix("+"))
