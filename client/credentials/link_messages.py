"""What stands in the boxes (client.credentials.link_channel): JSON, read strictly, its text made harmless at once."""

from typing import Annotated, TypeVar

import msgspec

from client.errors import LinkError
from client.formats.text import safe_line
from client.services.answers import UNREADABLE
from identity.authority.links.wire import BOX_LIMIT

NAME_LIMIT = (
    200  # characters of a device's or a chat's name as they come; what is shown is shorter (client.formats.text)
)
KEYS_LIMIT = 200  # devices of one number
CONTACTS_LIMIT = 300
CHATS_LIMIT = 250  # named in the last box; the others are named by their members
POINT_SIZE = 65  # octets of an uncompressed P-256 point
_ROOM = BOX_LIMIT - 1024  # octets of a message: a box is larger by its nonce and tag

Key = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]  # as in DeviceIdentity.identity
Name = Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)]
Url = Annotated[str, msgspec.Meta(max_length=2000)]
Number = Annotated[str, msgspec.Meta(pattern=r"\A\+[1-9][0-9]{0,14}\Z")]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Point = Annotated[bytes, msgspec.Meta(min_length=POINT_SIZE, max_length=POINT_SIZE)]


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="offer"):
    """The first device, by its key."""

    key: Point


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hello"):
    """The new device: what it is called, its key, and the thumbprint of its account's key there (RFC 7638)."""

    name: Name
    key: Point
    account: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class KnownPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A contact of the account."""

    number: Number
    name: Name
    accepted: bool
    blocked: bool


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="grant"):
    """What the new device is to use; the token is good for its account and its key alone.

    `directory` and `token_authority` are as in AcmeAccount. `siblings`: the number's other devices; `chats`: how many
    chats the new device will be added to.
    """

    number: Number
    authority: Url
    directory: Url
    token_authority: Url
    accepts_terms: bool
    delivery: Url
    anchors: bytes
    token: Annotated[str, msgspec.Meta(max_length=16 * 1024)]
    siblings: Annotated[list[Key], msgspec.Meta(max_length=KEYS_LIMIT)]
    contacts: Annotated[list[KnownPerson], msgspec.Meta(max_length=CONTACTS_LIMIT)]
    chats: Annotated[int, msgspec.Meta(ge=0, le=10**6)]


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ready"):
    """The new device is certified, and others can add it to chats."""


class AddedChat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat that the new device was added to: what it is called, and after which time its messages disappear."""

    group: bytes
    name: Name
    timer: Seconds


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="done"):
    """The new device was added to these chats; `left_out` counts those where that was not possible."""

    chats: Annotated[list[AddedChat], msgspec.Meta(max_length=CHATS_LIMIT)]
    left_out: Annotated[int, msgspec.Meta(ge=0, le=10**6)]


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ended"):
    """The device that writes this goes no further; `why` is in its own words."""

    why: Name


Message = Offer | Hello | Grant | Ready | Done | Ended
M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Write a message. Raises LinkError if it does not fit into a box."""
    octets = msgspec.json.encode(message)
    if len(octets) > _ROOM:
        raise LinkError("what the new device is to be told does not fit into a box", code="link-size")
    return octets


def decode(octets: bytes, expected: type[M]) -> M:
    """Read the message that is expected. Raises LinkError for any other, and if the other device has ended it."""
    try:
        message = msgspec.json.decode(octets, type=Message)
    except UNREADABLE as error:
        raise LinkError(
            "the other device said something that this version does not understand",
            code="link-version",
            hint="Update Ringtrue on both devices, then begin again: ringtrue devices add",
        ) from error
    if isinstance(message, Ended):
        words = safe_line(message.why)
        raise LinkError(f"the other device has ended this: {words}", code="link-ended")
    if not isinstance(message, expected):
        raise LinkError("the other device said something else than this one expected", code="link-version")
    return message
