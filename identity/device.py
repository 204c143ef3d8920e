"""Devices: from an MLS credential to the number that it belongs to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from identity.certificate_fields import load_certificate, validity
from identity.certificates import CHAIN_MEMO_LIMIT, ChainVerifier, TrustAnchors, VerifiedChain, leaf_number
from identity.errors import BindingError, CertificateError
from identity.number import TelephoneNumber

# A SubjectPublicKeyInfo of P-256 up to its uncompressed point (RFC 5480 §2).
_P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

# Seconds after a certificate's end in which who joins a group accepts its device as a member that is there already.
# With the 7 days that a certificate lives it makes 45 days: a number in the United States is given to nobody else for
# as long after it was given up (47 CFR §52.15(f)(1)(ii)), so that no new holder can be meant.
MEMBER_GRACE = 38 * 86_400

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


class Credential(Protocol):
    """An X.509 credential as the MLS engine shows it."""

    @property
    def chain(self) -> Sequence[bytes]: ...


class Leaf(Protocol):
    """A member's leaf."""

    @property
    def index(self) -> int: ...
    @property
    def credential(self) -> Credential: ...
    @property
    def signature_key(self) -> bytes: ...


class Committed(Protocol):
    """A commit: who made it, as before it, and the leaves whose credential or key it changed, before and after."""

    @property
    def committer(self) -> Leaf | None: ...
    @property
    def updated(self) -> Sequence[tuple[Leaf, Leaf]]: ...


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

    def verify_member(self, chain: Sequence[bytes], signature_key: bytes, now: int) -> DeviceIdentity:
        """Recognise a leaf that stands in a group already: an expired member stays one. Raises as `verify` does.

        1. no certificate of the chain ended more than MEMBER_GRACE before `now`
        2. everything that `verify` checks, at `now` or at the last second before one ended

        For the leaves that who joins a group finds there (RFC 9420 §5.3.1): what comes in is judged by `verify`.
        """
        moment = min([now, *(validity(load_certificate(each))[1] for each in chain)])
        if now - moment > MEMBER_GRACE:
            raise CertificateError("expired", f"the chain was valid until {moment}, which is too long before {now}")
        return self.verify(chain, signature_key, moment)

    def check_committer(self, commit: "Committed", now: int) -> None:
        """Raise CertificateError or BindingError unless the committer's credential after the commit is valid at `now`.

        An expired member can put a valid credential into its leaf by a commit, and change the group by none without.
        """
        if commit.committer is not None:
            index = commit.committer.index
            after = next((new for old, new in commit.updated if old.index == index), commit.committer)
            self.verify(after.credential.chain, after.signature_key, now)

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
