"""What the delivery service says of itself, as it was last heard: how long it keeps things, by which key it evicts."""

from dataclasses import dataclass

from client.credentials.account import Account
from client.storage.store import Store
from client.words.spelling import counted
from delivery_service.wire import Status
from identity.errors import EvictionError
from identity.groups.eviction import IDLE_LEAST, IDLE_MOST, ServiceSender, service_uri

LONGEST = 2**53  # seconds: whatever a service says


@dataclass(frozen=True, slots=True)
class Facts:
    """`retention` and `idle` in seconds; `idle` is 0 where the service counts nobody as idle."""

    retention: int
    sender: ServiceSender | None
    idle: int
    heard_at: int


class ServiceFacts:
    """The row of `service_facts`."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._uri = service_uri(account.host)

    @property
    def known(self) -> Facts | None:
        """What was heard last; None before the first time."""
        row = self._store.row("SELECT retention, key, idle, heard_at FROM service_facts")
        if row is None:
            return None
        retention, key, idle, heard_at = row
        return Facts(retention, None if key is None else ServiceSender(self._uri, key), idle, heard_at)

    def learn(self, status: Status, now: int) -> str | None:
        """Keep what a status says; returns what a person is to be told: that things are kept for less time.

        It has no last full stop, as the words of errors have none.
        """
        before, retention = self.known, max(0, min(status.retention, LONGEST))
        key, idle = self._eviction(status)
        with self._store.transaction():
            values = (retention, key, idle, now)
            self._store.execute("INSERT OR REPLACE INTO service_facts VALUES (1, ?, ?, ?, ?)", *values)
        if before is None or retention >= before.retention:
            return None
        return (
            f"The delivery service keeps messages for {words_for(retention)} from now on, and kept them for "
            f"{words_for(before.retention)} until now. {missed(retention).removesuffix('.')}"
        )

    def _eviction(self, status: Status) -> tuple[bytes | None, int]:
        """The key that a new chat can name, if it is one, and when a member is idle."""
        if status.eviction is None:
            return None, 0
        idle = status.eviction.idle if IDLE_LEAST <= status.eviction.idle <= IDLE_MOST else 0
        try:
            sender = ServiceSender.decode(ServiceSender(self._uri, status.eviction.key).encode())
        except EvictionError:
            return None, idle
        return sender.key, idle


def words_for(seconds: int) -> str:
    """A length of time in whole days, or hours where it is less than two."""
    seconds = max(0, min(seconds, LONGEST))
    return counted(seconds // 86_400, "day") if seconds >= 2 * 86_400 else counted(seconds // 3_600, "hour")


def keeps(retention: int) -> str:
    """The one sentence about how long the service keeps messages."""
    return f"The delivery service keeps messages for {words_for(retention)}."


def kept_for(retention: int) -> str:
    """The same, and what it means."""
    return f"{keeps(retention)} {missed(retention)}"


def missed(retention: int) -> str:
    """What that means."""
    return f"A device that is away for longer than {words_for(retention)} misses what was deleted, and is told so."
