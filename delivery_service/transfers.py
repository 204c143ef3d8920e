"""Turns for what is large: so much of it is under way at once, and nobody keeps a turn by being slow.

Where no turn is free, a transfer of a number that has more of them than the one that asks gives way, and one that is
slower than SLOWEST whoever it belongs to: the slowest of all these. Its request is refused and may be repeated.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from delivery_service.errors import RefusedError
from delivery_service.limits import RETRY_AFTER

SLOWEST = 32 * 1024  # octets a second
GRACE = 2.0  # seconds before a transfer's own rate counts against it


class Transfer:
    """A turn. It can be lost while octets are `moving`, and not while something is done with them."""

    def __init__(self, key: str, clock: Callable[[], float]) -> None:
        self.key = key
        self._clock = clock
        self._octets = 0
        self._since = 0.0
        self._limit: asyncio.Timeout | None = None
        self._lost = False

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """The time in which the peer sends or reads; ends with overloaded when the turn is lost."""
        self._since = self._clock()
        try:
            async with asyncio.timeout(None) as self._limit:
                yield
        except TimeoutError:
            if not self._lost:
                raise
        finally:
            self._limit = None
        if self._lost:
            raise RefusedError("overloaded", "others needed the turn of a slow transfer", retry_after=RETRY_AFTER)

    def moved(self, octets: int) -> None:
        """So many more octets were sent or read."""
        self._octets += octets

    async def whole(self, chunks: AsyncIterator[bytes]) -> bytes:
        """A body, once all of it is there; refuses overloaded when the turn is lost."""
        parts = []
        async with self.moving():
            async for chunk in chunks:
                self.moved(len(chunk))
                parts.append(chunk)
        return b"".join(parts)

    @property
    def is_moving(self) -> bool:
        """Whether it waits for its peer."""
        return self._limit is not None

    @property
    def is_slow(self) -> bool:
        """Whether it is slower than anybody may be where turns are scarce."""
        return self._clock() - self._since > GRACE and self.rate < SLOWEST

    @property
    def rate(self) -> float:
        """Octets a second until now."""
        return self._octets / max(self._clock() - self._since, 1e-3)

    def give_way(self) -> None:
        """The turn is lost."""
        if self._limit is not None:
            self._lost = True
            self._limit.reschedule(0)
            self._limit = None


class Transfers:
    """Lets `each` of one key be under way at once, and `together` of all keys."""

    def __init__(self, each: int, together: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = each
        self._together = together
        self._clock = clock
        self._under_way: list[Transfer] = []

    def __len__(self) -> int:
        return len(self._under_way)

    @contextmanager
    def of(self, key: str) -> Iterator[Transfer]:
        """One turn; refuses overloaded when none is free and none is taken from another."""
        held = Counter(transfer.key for transfer in self._under_way)
        if held[key] >= self._each or not self._has_room(key, held):
            raise RefusedError("overloaded", "too much of this is under way", retry_after=RETRY_AFTER)
        transfer = Transfer(key, self._clock)
        self._under_way.append(transfer)
        try:
            yield transfer
        finally:
            if transfer in self._under_way:
                self._under_way.remove(transfer)

    def _has_room(self, key: str, held: Counter[str]) -> bool:
        if len(self._under_way) < self._together:
            return True
        fair = held[key] + 1  # what the key will have
        giving = [each for each in self._under_way if each.is_moving and (held[each.key] > fair or each.is_slow)]
        if not giving:
            return False
        slowest = min(giving, key=lambda each: each.rate)
        slowest.give_way()
        self._under_way.remove(slowest)
        return True
