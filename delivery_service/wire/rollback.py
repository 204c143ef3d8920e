"""Reports of commits that cannot be applied, and the entry that takes a commit back."""

from typing import Annotated

import msgspec

ROLLBACK_WINDOW = 3 * 86400  # seconds from a commit in which it can be taken back, unless it is settled before
ROLLBACK_PENALTY = 3600  # seconds in which a device whose commit was taken back makes none in that group
REPORTS_LIMIT = 20_000  # in one entry: as many as a group has devices
LARGEST = 2**63 - 1

Place = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(max_length=128)]


class Rejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reports that this device cannot apply the commit at `seq`; `commit` is the SHA-256 of its MLSMessage.

    `signature`: by the key of the device's leaf, over identity.groups.rejected_commit.RejectedCommit.
    """

    seq: Place
    commit: Digest
    signature: Signature


class RejectionCounted(msgspec.Struct, frozen=True):
    """How many of how many devices have reported; `rollback` is the entry that took the commit back, 0 if none has."""

    reports: int
    of: int
    rollback: int = 0


class Reported(msgspec.Struct, frozen=True, array_like=True):
    """One device's report: its MLS identity, the commit that it names, the epoch that this ends, and the signature."""

    device: bytes
    seq: Place
    epoch: Place
    commit: Digest
    signature: Signature


class Rollback(msgspec.Struct, frozen=True):
    """The body of a `rollback` entry, in MessagePack.

    Everything from the commit at `seq` on is undone, and the group is in `epoch` again. `of` devices could report.
    """

    seq: Place
    epoch: Place
    of: Place
    reports: Annotated[list[Reported], msgspec.Meta(max_length=REPORTS_LIMIT)]
