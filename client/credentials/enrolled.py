"""What enrolment ends in: a chain that was verified with the trust anchors in hand, and where it is published."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.acme import ADDRESS_HINT
from client.credentials.acme_order import Delivered
from client.errors import EnrolmentError
from identity.binding import DeviceIdentity, DeviceVerifier
from identity.certificates import TrustAnchors, public_point
from identity.errors import IdentityError, PassportError
from identity.message import certificate_path
from identity.number import TelephoneNumber
from identity.passport import check_header

PROFILE_HINT = "The address is to end in /certificates/SHA-256.pem (docs/binding.md): ask the authority's operator."


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device whose chain was verified, and the address where the authority publishes that chain."""

    identity: DeviceIdentity
    x5u: str

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, leaf first, without the root."""
        return self.identity.chain.certificates

    @property
    def published(self) -> str:
        """The base address below which the authority publishes certificates."""
        return self.x5u.removesuffix(_path(self.chain))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a certificate has to be: for this number and key, below one of these roots, at `now`.

    `published`: the base address of certificates. Another server's may be another one (`elsewhere`); it need not say.
    """

    number: TelephoneNumber
    key: ec.EllipticCurvePublicKey
    anchors: TrustAnchors
    now: int
    published: str
    elsewhere: bool


def check_delivered(delivered: Delivered, expected: Expected) -> Enrolled:
    """Verify what an order led to. Raises EnrolmentError.

    1. the chain ends below a root in hand, now     3. it is for the number that was ordered
    2. it is for the device's key, and a device's   4. it is published where checks 2 and 4 of messages look
    """
    chain = _without_root(delivered.chain, expected.anchors)
    try:
        identity = DeviceVerifier(expected.anchors).verify(chain, public_point(expected.key), expected.now)
    except IdentityError as error:
        raise EnrolmentError(f"the certificate from the authority is not acceptable: {error}") from error
    if identity.number != expected.number:
        raise EnrolmentError(f"the authority certified {identity.number}, not {expected.number}")
    return Enrolled(identity, _checked_address(delivered.x5u, _path(chain), expected))


def _checked_address(x5u: str | None, path: str, expected: Expected) -> str:
    ours = expected.published + path
    if x5u is None or x5u == ours:
        return ours
    if not expected.elsewhere:
        words = f"the authority publishes its certificates at {x5u[:300]!a}, which is not below {expected.published}"
        raise EnrolmentError(words, code="address", hint=ADDRESS_HINT)
    try:
        check_header({"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": x5u})
        named = x5u.endswith(path)
    except PassportError:
        named = False
    if not named:
        words = f"the authority publishes its certificate at {x5u[:300]!a}, where no recipient looks for it"
        raise EnrolmentError(words, code="address", hint=PROFILE_HINT)
    return x5u


def _without_root(chain: Sequence[bytes], anchors: TrustAnchors) -> Sequence[bytes]:
    """The chain as a credential has it: a server may add the root that everybody holds."""
    roots = {root.public_bytes(Encoding.DER) for root in anchors.roots}
    return chain[:-1] if chain and chain[-1] in roots else chain


def _path(chain: Sequence[bytes]) -> str:
    return certificate_path(hashlib.sha256(chain[0]).digest())
