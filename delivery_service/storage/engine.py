"""The engine port: runs works of the storage in transactions of one database, and tells what they changed.

A work is a function of a Transaction and of values: it reads no clock, does nothing but SQL, keeps nothing, and refuses
only before it has written, since it may be run again from its beginning.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from delivery_service.storage.values import Change, NewEntry, Notified
from delivery_service.wire import Appended

T = TypeVar("T")
Listener: TypeAlias = Callable[[Change | Notified], None]


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine has to do now (requests that wait, and their octets) and has done since its start."""

    waiting: int
    octets: int
    batches: int  # transactions
    batched: int  # requests in them
    failures: int  # requests that ended in a StoreError
    waited: float = 0.0  # seconds that the oldest of the waiting ones has waited

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.waiting + other.waiting,
            self.octets + other.octets,
            self.batches + other.batches,
            self.batched + other.batched,
            self.failures + other.failures,
            max(self.waited, other.waited),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What an engine knows of its database's server: with a database of one's own there is nothing to know."""

    unconfirmed: float = 0.0  # seconds since the begin of the last write that the server confirmed
    timeline: int = 0  # of PostgreSQL: raised by each promotion
    left_behind: int = 0  # connections refused because their server has an older history
    untold: int = 0  # transactions whose reading was not told, because the server confirmed nothing


class Engine(Protocol):
    """One database. RefusedError is the work's own answer or overloaded; a failing engine is StoreError."""

    def start(self, listener: Listener) -> None:
        """Opens the database; the running event loop is answered, and its listener told. Raises StartError."""

    async def stop(self) -> None:
        """Finishes what is queued and closes the database."""

    @property
    def load(self) -> Load:
        """For the metrics; may be read from another thread."""

    @property
    def standing(self) -> Standing:
        """For the metrics; may be read from another thread."""

    def read(self, work: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """The result of a work that only reads, all of it from one moment."""

    def write(
        self,
        work: Callable[..., T],
        *arguments: Any,
        octets: int = 0,
        told: Callable[[T], Change | Notified | None] | None = None,
        group: bytes | None = None,
    ) -> Awaitable[T]:
        """The result of a work, once it is durable; `told` makes of it what watchers must hear.

        `octets`: what the arguments take while they wait. `group`: the one group whose log, members or epoch the work
        changes; on PostgreSQL it waits its turn for that group, where others are run again until nothing comes between.
        """

    def append(self, entry: NewEntry) -> Awaitable[Appended]:
        """Appends an application message or a proposal if its epoch is the group's, or answers a repeat."""
