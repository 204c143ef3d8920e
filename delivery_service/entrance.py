"""Requests that have arrived and are not begun: how many they are, and how long the one that is begun had to wait.

A busy event loop lets them wait before anything of the service sees them. Nothing was done for a request that is
refused here, so that its repeat is as good as the first.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from delivery_service.errors import RefusedError

WAIT_LIMIT = 0.5  # seconds; a request that had to wait for longer is not begun while too many wait behind it
WAITING_LIMIT = 256  # requests that may wait behind it: so few are done sooner than they would come again
RETRY_AFTER = 1  # seconds

Begin: TypeAlias = Callable[[], None]


class Entrance:
    """Where requests wait for their turn in the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting = 0
        self._waited = 0.0

    @property
    def waiting(self) -> int:
        """How many requests are not begun."""
        return self._waiting

    @property
    def waited(self) -> float:
        """Seconds that the last one had to wait."""
        return self._waited

    def arrive(self) -> Begin:
        """A request waits from now on; the answer, called once, begins it or refuses overloaded."""
        self._waiting += 1
        return partial(self._begin, self._clock())

    def _begin(self, arrived: float) -> None:
        self._waiting -= 1
        self._waited = self._clock() - arrived
        if self._waited > WAIT_LIMIT and self._waiting >= WAITING_LIMIT:
            raise RefusedError("overloaded", "requests wait for too long", retry_after=RETRY_AFTER)
