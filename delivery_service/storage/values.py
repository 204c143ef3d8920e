"""What goes into the storage and comes out of it, in values."""

from dataclasses import dataclass
from zlib import crc32

from delivery_service.wire import Entry, EntryKind

# The numbers of log.kind.
KINDS: tuple[EntryKind, ...] = ("application", "proposal", "commit", "rollback", "successor", "closing")


def entry_checksum(epoch: int, kind: int, key: bytes, at_ms: int, body: bytes, frank: bytes | None) -> int:
    """CRC-32 of what an entry says: finds what a disk has changed, not what somebody has."""
    return crc32(frank or b"", crc32(body, crc32(key, crc32(b"%d %d %d " % (epoch, kind, at_ms)))))


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group of one member in epoch 0, with the observer that will judge its handshakes."""

    group_id: bytes
    device: bytes
    key: bytes  # idempotency key, 16 octets
    digest: bytes  # SHA-256 of the request's body
    observer: bytes


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append if the group is in `epoch`; a handshake brings the observer that has processed it.

    `judged`: the version of the stored observer that it was judged from.
    `frank`: of an application message that carries a franking tag; a repeat keeps the first one.
    """

    group_id: bytes
    device: bytes
    kind: EntryKind
    epoch: int
    key: bytes
    digest: bytes
    at_ms: int
    body: bytes
    observer: bytes | None = None
    judged: int = 0
    frank: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewWelcome:
    """A Welcome and the KeyPackageRefs of the devices that it names."""

    body: bytes
    references: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit entry and all that exists only if it is accepted."""

    entry: NewEntry
    welcomes: tuple[NewWelcome, ...]
    added: frozenset[bytes]
    removed: frozenset[bytes]
    renamed: tuple[tuple[bytes, bytes], ...]  # devices whose key, hence name, the commit changed: (before, after)


@dataclass(frozen=True, slots=True)
class Change:
    """What the accepted entry `seq` did to a group: told to the listener after it became durable."""

    group_id: bytes
    seq: int
    joined: frozenset[bytes] = frozenset()
    left: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Notified:
    """Numbers for which something about their contacts is new: told to the listener after it became durable."""

    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Approach:
    """A device that wants to reach a number; `issuer` names who certified its number (delivery_service.sessions)."""

    device: bytes
    number: str
    issuer: bytes
    target: str
    at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a number: requests with what proves them, newest first, and who granted a request of its own."""

    asked: list[tuple[int, bytes]]
    granted: list[str]
    head: int


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """Entries that a device may read; `current` is whether it is a member now.

    `settled`: every commit up to there stands.
    """

    entries: list[Entry]
    head: int
    more: bool
    current: bool
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """A device's groups with the last number that it may read, those it is in now, and its inbox's last position.

    `requests` counts what was new about its number's contacts; `rotate`: its last-resort key package was handed out.
    """

    groups: dict[bytes, int]
    current: frozenset[bytes]
    inbox: int
    requests: int = 0
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class NewKeyPackage:
    """A validated key package: its KeyPackageRef, its end in seconds and its MLSMessage."""

    reference: bytes
    not_after: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Stock:
    """Unclaimed one-time key packages of a device, whether a last-resort one is there, and is to be replaced."""

    available: int
    last_resort: bool
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key packages of a claim, and whether a last-resort one is among them."""

    key_packages: list[bytes]
    last_resort: bool


@dataclass(frozen=True, slots=True)
class KeptOpening:
    """A session that was opened with a device's key; `nonce` is 16 octets of the digest of the signature's nonce."""

    number: int
    at: int
    nonce: bytes
