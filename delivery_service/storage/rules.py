"""Who may append what, when: plain decisions over values."""

from dataclasses import dataclass

from delivery_service.errors import RefusedError
from delivery_service.storage.values import NewEntry
from delivery_service.wire import Appended


@dataclass(frozen=True, slots=True)
class Earlier:
    """An accepted entry that carried the same idempotency key."""

    seq: int
    epoch: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """A group's epoch and head, and whether the asking device is a member."""

    epoch: int
    head: int
    member: bool


def earlier_answer(earlier: Earlier | None, digest: bytes) -> Appended | None:
    """The first answer, for a repeat of the same request."""
    if earlier is None:
        return None
    if earlier.digest != digest:
        raise RefusedError("malformed", "this idempotency key was used for another body")
    return Appended(earlier.seq, earlier.epoch)


def admit(standing: Standing | None, entry: NewEntry) -> None:
    """An entry may be appended by a member in the group's current epoch only."""
    if standing is None:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    if standing.epoch < 0:
        raise RefusedError("group-ended", "the group has ended: its last entry says how")
    if not standing.member:
        raise RefusedError("not-a-member", "only current members may send to this group")
    if standing.epoch != entry.epoch:
        raise RefusedError(
            "stale-epoch",
            f"the entry is for epoch {entry.epoch}, the group is in epoch {standing.epoch}",
            epoch=standing.epoch,
            head=standing.head,
        )
