"""Message franking (after draft-ietf-mimi-protocol): what a delivery service can confirm of what it could not read.

    franking_tag  by the sender, in authenticated_data: HMAC-SHA-256(key = the content's salt, framed)
    server_frank  by the service (the hub), on acceptance: HMAC-SHA-256(hub key, franking_tag ‖ context)
    signature     by the service: ECDSA P-256 over franking_tag ‖ context ‖ server_frank
    context       who sent it, to which room, when it was accepted, as the service knows it

Whoever is shown `framed` and the frank can compute the tag again and check the signature. docs/binding.md §6.1.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from identity.certificates import public_point
from identity.errors import FrankingError
from identity.message import number_of_user_uri
from identity.number import TelephoneNumber

FRANK_AAD = 0x0020  # the component of SafeAAD that holds the tag
TAG_SIZE = 32  # octets
SALT_SIZE = 16
HUB_KEY_SIZE = 32
KEY_ID_SIZE = 8
SIGNATURE_SIZE = 64  # r and s, 32 octets each
FRANK_SIZE = KEY_ID_SIZE + TAG_SIZE + SIGNATURE_SIZE
POINT_SIZE = 65  # an uncompressed point of P-256
SECRET_SIZE = HUB_KEY_SIZE + 32
URI_LIMIT = 512  # characters

# SafeAAD { SafeAADItem { uint16 component_id; opaque aad_item_data<V>; } aad_items<V>; } with the tag as its only item.
_AAD = bytes((3 + TAG_SIZE,)) + FRANK_AAD.to_bytes(2) + bytes((TAG_SIZE,))
_LABEL = b"MLS 1.0 FrankingIntegrityTBS"  # as SignWithLabel of RFC 9420 §5.1.2
_MIMI = b"\x18application/mimi-content\x00"  # the type, and no parameters, of ApplicationFraming
_CONTENT = b"\x87\x50"  # an array of seven fields, the first a string of 16 octets: the salt
_LENGTHS = (1, 2, 4)  # octets of a variable-size length, by its first two bits (RFC 9420 §2.1.2)
_SIGNING = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class FrankingContext:
    """What the service knows of a message by itself; `accepted_ms`: Unix milliseconds of its clock."""

    sender_uri: str
    room_uri: str
    accepted_ms: int

    def encode(self) -> bytes:
        """As TLS presentation language: two opaque<V> and a uint64. Raises FrankingError."""
        if not 0 <= self.accepted_ms < 1 << 64:
            raise FrankingError("context", "the time of acceptance cannot be")
        return _uri(self.sender_uri) + _uri(self.room_uri) + self.accepted_ms.to_bytes(8)


@dataclass(frozen=True, slots=True)
class HubKey:
    """The public half of a service's franking key; `point` is uncompressed."""

    point: bytes
    _key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def from_point(cls, point: bytes) -> Self:
        """Read a key as a service states it. Raises FrankingError."""
        if len(point) != POINT_SIZE:
            raise FrankingError("hub-key", f"a franking key is a P-256 point of {POINT_SIZE} octets")
        try:
            return cls(point, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
        except ValueError as error:
            raise FrankingError("hub-key", "the franking key is no point of P-256") from error

    @property
    def key_id(self) -> bytes:
        """8 octets that name the key."""
        return _key_id(self.point)

    def verify(self, tag: bytes, context: FrankingContext, frank: bytes) -> None:
        """Check that the service made this frank for this tag and this context. Raises FrankingError."""
        key_id, server_frank, signature = _parts(frank)
        if key_id != self.key_id:
            raise FrankingError("unknown-hub-key", "the frank names another franking key")
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        try:
            self._key.verify(encode_dss_signature(r, s), _integrity(tag, context, server_frank), _SIGNING)
        except InvalidSignature as error:
            raise FrankingError("frank", "the service did not confirm this text, sender, room and time") from error


@dataclass(frozen=True, slots=True)
class FrankingKey:
    """A service's own franking key: the MAC key that nobody else has, and the key that signs."""

    hub_key: bytes = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)
    public: HubKey

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        return cls.from_octets(secrets.token_bytes(HUB_KEY_SIZE) + scalar.to_bytes(32))

    @classmethod
    def from_octets(cls, octets: bytes) -> Self:
        """Read what `to_octets` wrote. Raises FrankingError."""
        if len(octets) != SECRET_SIZE:
            raise FrankingError("hub-key", f"a franking key has {SECRET_SIZE} octets")
        try:
            key = ec.derive_private_key(int.from_bytes(octets[HUB_KEY_SIZE:]), ec.SECP256R1())
        except ValueError as error:
            raise FrankingError("hub-key", "the octets are no franking key") from error
        return cls(octets[:HUB_KEY_SIZE], key, HubKey.from_point(public_point(key.public_key())))

    def to_octets(self) -> bytes:
        """MAC key and private scalar, for a file that only the service reads."""
        return self.hub_key + self._key.private_numbers().private_value.to_bytes(32)

    def frank(self, tag: bytes, context: FrankingContext) -> bytes:
        """Confirm a tag in its context: key id, server_frank and signature, FRANK_SIZE octets. Raises FrankingError."""
        server_frank = self._mac(tag, context)
        r, s = decode_dss_signature(self._key.sign(_integrity(tag, context, server_frank), _SIGNING))
        return self.public.key_id + server_frank + r.to_bytes(32) + s.to_bytes(32)

    def confirm(self, tag: bytes, context: FrankingContext, frank: bytes) -> None:
        """Check the MAC that only this service can make, and then the signature. Raises FrankingError."""
        if not hmac.compare_digest(_parts(frank)[1], self._mac(tag, context)):
            raise FrankingError("frank", "this service did not frank this text, sender, room and time")
        self.public.verify(tag, context, frank)

    def _mac(self, tag: bytes, context: FrankingContext) -> bytes:
        # Not hmac.digest: for these few octets it lets go of the interpreter's lock, and then waits for other threads.
        return hmac.new(self.hub_key, tag + context.encode(), "sha256").digest()


@dataclass(frozen=True, slots=True)
class FrankedMessage:
    """What is shown to somebody who is to believe it by its frank alone, without PASSporT and certificate."""

    framed: bytes
    context: FrankingContext
    frank: bytes


@dataclass(frozen=True, slots=True)
class VerifiedFrank:
    """The service's word that `number` sent it the commitment to these octets; only `verify_frank` makes one.

    `replay_key` names the message: SHA-256 of the tag and its context.
    """

    number: TelephoneNumber
    room_uri: str
    accepted_ms: int
    key_id: bytes
    replay_key: bytes


def franking_tag(framed: bytes) -> bytes:
    """The sender's commitment to a framed MIMI content. Raises FrankingError if it is none."""
    return hmac.digest(_salt(framed), framed, "sha256")


def encode_aad(tag: bytes) -> bytes:
    """The authenticated_data that carries a tag: SafeAAD with the item frank_aad."""
    assert len(tag) == TAG_SIZE, "a tag is a SHA-256 HMAC"
    return _AAD + tag


def decode_aad(authenticated_data: bytes) -> bytes | None:
    """The tag in authenticated_data, None if that is empty. Raises FrankingError for anything else."""
    if not authenticated_data:
        return None
    if len(authenticated_data) != len(_AAD) + TAG_SIZE or not authenticated_data.startswith(_AAD):
        raise FrankingError("aad", "authenticated_data holds a franking tag or nothing")
    return authenticated_data[len(_AAD) :]


def verify_frank(message: FrankedMessage, hub_keys: Mapping[bytes, HubKey]) -> VerifiedFrank:
    """Check a franked message by the public keys, by their ids, of services that are believed. Raises FrankingError.

    What is proved is the service's word; who holds a franking key can make this proof about any number and any text.
    """
    key_id = key_id_of(message.frank)
    hub_key = hub_keys.get(key_id)
    if hub_key is None:
        raise FrankingError("unknown-hub-key", f"no service that is known here franks with the key {key_id.hex()}")
    number = number_of_user_uri(message.context.sender_uri)
    if number is None:
        raise FrankingError("context", "the frank's sender is not named by a number")
    tag, context = franking_tag(message.framed), message.context
    hub_key.verify(tag, context, message.frank)
    replay_key = sha256(tag + context.encode()).digest()
    return VerifiedFrank(number, context.room_uri, context.accepted_ms, key_id, replay_key)


def key_id_of(frank: bytes) -> bytes:
    """Which key a frank says it was made with. Raises FrankingError."""
    return _parts(frank)[0]


def _parts(frank: bytes) -> tuple[bytes, bytes, bytes]:
    if len(frank) != FRANK_SIZE:
        raise FrankingError("frank", f"a frank has {FRANK_SIZE} octets")
    return frank[:KEY_ID_SIZE], frank[KEY_ID_SIZE:-SIGNATURE_SIZE], frank[-SIGNATURE_SIZE:]


def _key_id(point: bytes) -> bytes:
    return sha256(point).digest()[:KEY_ID_SIZE]


def _integrity(tag: bytes, context: FrankingContext, server_frank: bytes) -> bytes:
    """SignContent (RFC 9420 §5.1.2): label and content, each an opaque<V>."""
    return _opaque(_LABEL) + _opaque(tag + context.encode() + server_frank)


def _uri(uri: str) -> bytes:
    if not 0 < len(uri) <= URI_LIMIT or not uri.isascii() or not uri.isprintable():
        raise FrankingError("context", "sender and room are named by URIs")
    return _opaque(uri.encode("ascii"))


def _opaque(octets: bytes) -> bytes:
    """`opaque<V>` of less than 16,384 octets (RFC 9420 §2.1.2)."""
    length = len(octets)
    return (bytes((length,)) if length < 1 << 6 else (length | 0x4000).to_bytes(2)) + octets


def _salt(framed: bytes) -> bytes:
    """The salt of a MIMI content, by its place: the encoding is deterministic."""
    start = len(_MIMI)
    extra = framed[start] >> 6 if framed.startswith(_MIMI) and len(framed) > start else 3
    if extra < len(_LENGTHS):
        start += _LENGTHS[extra]
        salt = framed[start + len(_CONTENT) : start + len(_CONTENT) + SALT_SIZE]
        if framed[start : start + len(_CONTENT)] == _CONTENT and len(salt) == SALT_SIZE:
            return salt
    raise FrankingError("content", "the octets are no framed MIMI content with its salt")
