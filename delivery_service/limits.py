"""How often and how much: hourly token buckets, and how many may be at work at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from delivery_service.errors import RefusedError

HOUR = 3600
BUCKETS_LIMIT = 100_000  # keys remembered; full buckets are forgotten first
TOLD_PART = 64  # of a limit, the part that the other replicas may not know of for longer
RETRY_AFTER = 1  # seconds, told to those for whom no turn is free


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    untold: int = 0  # what was taken and the other replicas have not been told


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left of a limit, as replicas tell it: the ms at which it is whole again, or by how many later."""

    name: str
    key: bytes
    ms: int


class HourlyLimit:
    """Allows `per_hour` of something for each key, all at once if need be; `name` is its constant in wire.

    `disguise` names a key where it is kept (delivery_service.allowances).
    """

    def __init__(
        self, per_hour: int, name: str, subject: str, disguise: Callable[[str], bytes] = lambda key: key.encode()
    ) -> None:
        self.name = name
        self._per_hour = per_hour
        self._subject = subject
        self._disguise = disguise
        self._buckets: dict[bytes, _Bucket] = {}

    def spend(self, key: str, now: float, amount: int = 1) -> None:
        """Takes `amount`, or raises rate-limited and takes nothing."""
        self._take(self._allowing(key, now, amount), amount)

    def check(self, key: str, now: float, amount: int = 1) -> None:
        """Raises rate-limited when less than `amount` is left for the key."""
        self._allowing(key, now, amount)

    def has_left(self, key: str, now: float) -> bool:
        """Whether there is one, without taking it."""
        return self._refilled(key, now).tokens >= 1

    def allows(self, key: str, now: float) -> bool:
        """Takes one if there is one."""
        bucket = self._refilled(key, now)
        if bucket.tokens < 1:
            return False
        self._take(bucket, 1)
        return True

    def tell(self) -> list[Allowance]:
        """What was taken since the last call, as how much later it makes each allowance whole.

        Less than a TOLD_PART of the limit waits for more, so that small amounts do not cost a row each time.
        """
        told = []
        for key, bucket in self._buckets.items():
            if bucket.untold * TOLD_PART >= self._per_hour or (bucket.untold and self._per_hour < TOLD_PART):
                told.append(Allowance(self.name, key, round(bucket.untold * self._seconds_each * 1000)))
                bucket.untold = 0
        return told

    def hear(self, allowance: Allowance, now: float) -> None:
        """What all replicas took, as it is stored now; what this one has not told is on top of that.

        Less than nothing is left where replicas took the same at once: it is paid back before the next is allowed.
        """
        bucket = self._buckets.setdefault(allowance.key, _Bucket(0, now))
        taken = max(allowance.ms / 1000 - now, 0) / self._seconds_each
        bucket.tokens, bucket.at = self._per_hour - taken - bucket.untold, now

    @property
    def _seconds_each(self) -> float:
        return HOUR / self._per_hour

    def _allowing(self, key: str, now: float, amount: int) -> _Bucket:
        bucket = self._refilled(key, now)
        if bucket.tokens < amount:
            raise RefusedError(
                "rate-limited",
                f"{self._subject}: {self._per_hour} an hour ({self.name})",
                limit=self._per_hour,
                limit_name=self.name,
                retry_after=int((amount - bucket.tokens) * self._seconds_each) + 1,
            )
        return bucket

    def _take(self, bucket: _Bucket, amount: int) -> None:
        bucket.tokens -= amount
        bucket.untold += amount

    def _refilled(self, key: str, now: float) -> _Bucket:
        name = self._disguise(key)
        bucket = self._buckets.get(name)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[name] = _Bucket(self._per_hour, now)
        elif now > bucket.at:
            bucket.tokens = min(self._per_hour, bucket.tokens + (now - bucket.at) * self._per_hour / HOUR)
        bucket.at = now
        return bucket

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < BUCKETS_LIMIT:
            return
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.at) * self._per_hour / HOUR < self._per_hour
        }
        if len(self._buckets) >= BUCKETS_LIMIT:
            raise RefusedError("overloaded", "too many different numbers within an hour", retry_after=HOUR)


class Turns:
    """Lets `each` of one key be at work at once, and `together` of all keys."""

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._together = together
        self._taken: Counter[str | bytes] = Counter()

    @contextmanager
    def of(self, key: str | bytes) -> Iterator[None]:
        """One turn; refuses overloaded when none is free."""
        if self._taken[key] >= self._each or self._taken.total() >= self._together:
            raise RefusedError("overloaded", "too much of this is under way", retry_after=RETRY_AFTER)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class Lines:
    """Lets `each` of one key be at work at once; more wait in line, and nobody else waits for them."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._lines: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Semaphore:
        """The line of a key, to be entered by `async with`."""
        return self._lines.setdefault(key, asyncio.Semaphore(self._each))
