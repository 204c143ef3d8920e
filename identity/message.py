"""What a received message says, what its recipient knows, and the URIs that join them."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from identity.base64url import encode_base64url
from identity.errors import NumberError
from identity.number import TelephoneNumber


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """What arrived inside the MLS ciphertext: all of it is the sender's word.

    `framed` is the exact octets that `msgi` covers; the URIs are those that the MIMI content in it states.
    """

    passport: bytes | None
    framed: bytes
    sender_uri: str | None
    room_uri: str | None


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What the recipient knows by itself, from its own MLS state and its own clock; nothing comes from the message.

    `sender_chain` and `sender_key` are those of the sender's leaf in the message's epoch; `member_numbers` are the
    distinct numbers in that epoch, the own one included. `arrived` is the recipient's clock. `sender_since` is the last
    second at which the recipient, caught up with the group, knew it *without* this credential; None if the credential
    was there when the recipient joined. The time of processing the sender's entry would be too late a bound: for a
    recipient who was offline, every honest message would seem older than its credential. `staple`: the OCSP response
    that the sender's leaf carries, if it does.
    """

    group_uri: str
    group_id: bytes
    epoch: int
    sender_leaf: int
    sender_chain: tuple[bytes, ...]
    sender_key: bytes
    own_number: TelephoneNumber
    member_numbers: frozenset[TelephoneNumber]
    arrived: int
    sender_since: int | None
    staple: bytes | None = None


def group_uri(host: str, group_id: bytes) -> str:
    """Name a group: the host that carries it, and its MLS group id in unpadded base64url."""
    return f"mimi://{host}{group_path(group_id)}"


@lru_cache(maxsize=256)
def group_path(group_id: bytes) -> str:
    """The end of every URI of this group."""
    return f"/g/{encode_base64url(group_id).decode()}"


def user_uri(host: str, number: TelephoneNumber) -> str:
    """Name a person by number at the host that serves them."""
    return f"mimi://{host}/u/{number.e164}"


def is_user_uri(uri: str, digits: str) -> bool:
    """Say whether the URI names the person with these digits, whichever host serves them."""
    host, _, path = uri.removeprefix("mimi://").partition("/")
    return uri.startswith("mimi://") and bool(host) and path == "u/+" + digits


def number_of_user_uri(uri: str) -> TelephoneNumber | None:
    """The number in a person's URI, whichever host serves them; None if it names nobody by number."""
    digits = uri.rpartition("/u/+")[2]
    try:
        return TelephoneNumber.from_digits(digits) if is_user_uri(uri, digits) else None
    except NumberError:
        return None


@lru_cache(maxsize=64)
def x5u_for(base_url: str, leaf_der: bytes) -> str:
    """Where the authority publishes the chain of this leaf certificate."""
    return f"{base_url}{certificate_path(hashlib.sha256(leaf_der).digest())}"


def certificate_path(fingerprint: bytes) -> str:
    """The end of every `x5u` for the leaf with this SHA-256 fingerprint."""
    return f"/certificates/{fingerprint.hex()}.pem"
