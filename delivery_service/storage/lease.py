"""The lease to read: a short time in which a replica trusts a PostgreSQL server, begun by a write that was confirmed.

A server shows what it has to everybody who asks, also after its standbys have left it for another primary, and after a
restart also what no standby has. It cannot confirm a write then. So what was read is told only while the last write
that the server confirmed began less than LEASE ago, and after the connection that read was made: the standbys that
confirmed it have everything that was there before it, and followed this server then.
"""

import time
from collections.abc import Callable
from threading import Condition

from delivery_service.errors import StoreError

LEASE = 5.0  # seconds after the begin of a confirmed write: a stall of the disks for less refuses no reader
PATIENCE = 3.0  # seconds that a read waits for the next confirmed write; longer than between two heartbeats
_NEVER = float("-inf")


class Lease:
    """What all lanes of one replica know together; moments are those of time.monotonic."""

    def __init__(self, wanted: Callable[[], None]) -> None:
        self._wanted = wanted
        self._changed = Condition()
        self._confirmed: dict[str, float] = {}
        self._doubted = _NEVER
        self.refusals = 0  # reads that were not answered

    def confirm(self, server: str, begun: float) -> None:
        """A write that began then was confirmed by the server."""
        with self._changed:
            if begun > self._confirmed.get(server, _NEVER):
                self._confirmed[server] = begun
                self._changed.notify_all()

    def doubt(self) -> None:
        """A connection was lost, or somebody ended a wait for the standbys: writes from now on count."""
        with self._changed:
            self._doubted = time.monotonic()

    def check(self, server: str, opened: float) -> None:
        """Waits a moment where the lease has run out. Raises StoreError if what a connection read must not be told."""
        with self._changed:
            while not self._holds(server, opened, now := time.monotonic()):
                left = self._ended(server, opened) + PATIENCE - now
                if left <= 0:
                    self.refusals += 1
                    raise StoreError("the server confirms no writes: it may be alone, and what it shows not what is")
                self._wanted()
                self._changed.wait(left)

    def age(self, server: str) -> float:
        """Seconds since the begin of the last confirmed write; infinite before the first."""
        return time.monotonic() - self._confirmed.get(server, _NEVER)

    def _holds(self, server: str, opened: float, now: float) -> bool:
        return self._confirmed.get(server, _NEVER) > max(opened, self._doubted, now - LEASE)

    def _ended(self, server: str, opened: float) -> float:
        """Since when the lease does not hold: who comes late into a long failure does not wait once more."""
        confirmed = self._confirmed.get(server, _NEVER)
        ended = confirmed + LEASE
        return max(opened, min(ended, self._doubted) if self._doubted >= confirmed else ended)
