"""How a group ends, and what a device or a number has deleted here."""

from typing import Annotated, Literal

import msgspec

DELETION_NOTICE = 7 * 86400  # seconds from a group's closing to its deletion, unless nobody else is in it

GroupId = Annotated[bytes, msgspec.Meta(max_length=255)]
Signature = Annotated[bytes, msgspec.Meta(max_length=128)]


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a group: `successor` takes its place, or it is deleted if that is empty.

    `signature`: by the key of the device's leaf, over identity.groups.group_ending.GroupEnding.
    """

    signature: Signature
    successor: GroupId = b""


class Ended(msgspec.Struct, frozen=True):
    """The entry that says so, and the second from which on the group's log is deleted."""

    seq: int
    deletes_at: int


class GroupEnd(msgspec.Struct, frozen=True):
    """The body of a `successor` or `closing` entry, in MessagePack; `device` is the MLS identity of who signed."""

    device: bytes
    successor: GroupId
    deletes_at: int
    signature: Signature


class DataDeletion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Deletes what the service keeps for this device; with `number` also what it keeps for its number."""

    what: Literal["device", "number"]


class DataDeleted(msgspec.Struct, frozen=True):
    """How much was deleted. What remains is said in docs/protocol.md §6.3."""

    key_packages: int
    welcomes: int
    sessions: int
    contacts: int
