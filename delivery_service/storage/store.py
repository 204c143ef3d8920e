"""The store port: what the service asks of its storage, in values; `sqlite.SqliteStore` is the embedded engine.

Every method that changes something answers only after the change is durable, and changes all or nothing. A refused
request raises RefusedError, a failing engine StoreError. Sequence numbers of a group begin at 1 and have no gaps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from delivery_service.quotas import Quotas
from delivery_service.wire import (
    Appended,
    ContactRequested,
    Decision,
    Entry,
    EntryKind,
    Mode,
    Reachability,
    WelcomeItem,
)


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
    """An entry to append if the group is in `epoch`; a proposal brings the observer that has cached it.

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
    """Entries that a device may read; `current` is whether it is a member now."""

    entries: list[Entry]
    head: int
    more: bool
    current: bool


@dataclass(frozen=True, slots=True)
class Heads:
    """A device's groups with the last number that it may read, those it is in now, and its inbox's last position.

    `requests` counts what was new about its number's contacts.
    """

    groups: dict[bytes, int]
    current: frozenset[bytes]
    inbox: int
    requests: int = 0


@dataclass(frozen=True, slots=True)
class NewKeyPackage:
    """A validated key package: its KeyPackageRef, its end in seconds and its MLSMessage."""

    reference: bytes
    not_after: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Stock:
    """Unclaimed one-time key packages of a device, and whether a last-resort one is there."""

    available: int
    last_resort: bool


@dataclass(frozen=True, slots=True)
class KeptOpening:
    """A session that was opened with a device's key; `nonce` is 16 octets of the digest of the signature's nonce."""

    number: int
    at: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob whose pieces are stored: its name, 16 octets, and its idempotency key, digest and size in octets."""

    name: bytes
    key: bytes
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that may be read; `at` is the second at which it arrived."""

    name: bytes
    size: int
    at: int


class Store(Protocol):
    """The storage of one delivery service."""

    async def create_group(self, group: NewGroup) -> Appended:
        """Creates a group, or answers a repeat; refuses group-exists."""

    async def earlier_answer(self, entry: NewEntry) -> Appended | None:
        """The answer to an entry accepted before, None if it could be appended now; refuses as `append` does."""

    async def append(self, entry: NewEntry) -> Appended:
        """Appends an application message or a proposal; refuses unknown-group, not-a-member, stale-epoch, malformed.

        Refuses a proposal not-allowed when its epoch has too many.
        """

    async def commit(self, commit: NewCommit) -> Appended:
        """Appends a commit, starts the next epoch, delivers its Welcomes; refuses as `append` and invalid-handshake."""

    async def observer(self, group_id: bytes) -> bytes:
        """The snapshot of the group's observer; refuses unknown-group."""

    async def read(self, group_id: bytes, device: bytes, after: int) -> ReadEntries:
        """Entries after the cursor within the device's membership; refuses unknown-group, not-a-member, gone."""

    async def heads(self, device: bytes) -> Heads:
        """The heads of the device's groups and of its inbox."""

    async def inbox(self, device: bytes, after: int) -> tuple[list[WelcomeItem], int]:
        """Welcomes after the cursor, and the inbox's last position."""

    async def acknowledge(self, device: bytes, position: int) -> None:
        """Deletes the device's Welcomes up to a position."""

    async def add_key_packages(
        self,
        device: bytes,
        number: str,
        one_time: Sequence[NewKeyPackage],
        last_resort: NewKeyPackage | None,
        now: int,
    ) -> Stock:
        """Adds one-time key packages and replaces the last-resort one; refuses too-large."""

    async def stock(self, device: bytes, now: int) -> Stock:
        """What the device can still hand out."""

    async def references(self, device: bytes, now: int) -> list[bytes]:
        """The KeyPackageRefs of all that the device can still hand out."""

    async def claim(self, approach: Approach, quotas: Quotas, *, sparing: bool = False) -> list[bytes]:
        """Takes one key package of each other device of a number, if `sparing` the last-resort one.

        Refuses unknown-number, no-consent, rate-limited by the quotas on first contacts, no-key-package.
        """

    async def reachability(self, number: str) -> Reachability:
        """How a number may be reached, and whom it has granted or blocked."""

    async def set_mode(self, number: str, mode: Mode, granted: Sequence[str]) -> None:
        """Chooses how a number may be reached, and grants; `open` grants what waits and forgets every grant.

        Refuses too-large.
        """

    async def ask(self, approach: Approach, proof: bytes, quotas: Quotas) -> ContactRequested:
        """Keeps a contact request; refuses unknown-number, not-allowed, no-consent, already-asked, rate-limited."""

    async def waiting(self, number: str, now: int) -> Waiting:
        """The requests that wait for a number, and the grants of its own."""

    async def decide(self, target: str, number: str, decision: Decision) -> None:
        """Grants, refuses, revokes or blocks a number; while the target is `open`, does nothing. Refuses too-large."""

    async def spend_nonce(self, device: bytes, nonce: str, expires_at: int) -> None:
        """Remembers a signature's nonce until `expires_at`; refuses invalid-signature when it was used before."""

    async def note_opening(self, device: bytes, nonce: bytes, at: int) -> None:
        """Adds a session to the device's last openings; the oldest beyond OPENINGS_KEPT is forgotten."""

    async def openings(self, device: bytes) -> list[KeptOpening]:
        """The device's last openings, in order."""

    async def add_piece(self, blob: bytes, position: int, piece: bytes, now: int) -> None:
        """Adds a piece to a blob that arrives; position 0 begins it. Nobody can read it yet."""

    async def finish_blob(self, blob: NewBlob) -> StoredBlob:
        """Makes a blob readable; a repeat of its key drops it and answers with the first. Refuses malformed."""

    async def drop_blob(self, blob: bytes) -> None:
        """Deletes a blob that was not finished; at a start of the store all such blobs are gone."""

    async def blob(self, name: bytes) -> StoredBlob:
        """A finished blob; refuses unknown-blob."""

    async def blob_piece(self, name: bytes, position: int) -> bytes:
        """One piece of a blob; refuses unknown-blob."""

    async def expire_before(self, cutoff: int, now: int) -> int:
        """Deletes what is older than `cutoff`, and what lapsed by `now`; returns how many entries."""


Listener = Callable[[Change | Notified], None]
