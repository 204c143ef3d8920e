"""How often and how much: hourly token buckets, and how many may be at work at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from delivery_service.errors import RefusedError

HOUR = 3600
BUCKETS_LIMIT = 100_000  # keys remembered; full buckets are forgotten first
RETRY_AFTER = 1  # seconds, told to those for whom no turn is free


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class HourlyLimit:
    """Allows `per_hour` of something for each key, all at once if need be; `name` is its constant in wire."""

    def __init__(self, per_hour: int, name: str, subject: str) -> None:
        self._per_hour = per_hour
        self._name = name
        self._subject = subject
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, key: str, now: float, amount: int = 1) -> None:
        """Takes `amount`, or raises rate-limited and takes nothing."""
        self.check(key, now, amount)
        self._buckets[key].tokens -= amount

    def check(self, key: str, now: float, amount: int = 1) -> None:
        """Raises rate-limited when less than `amount` is left for the key."""
        tokens = self._refilled(key, now).tokens
        if tokens < amount:
            wait = int((amount - tokens) * HOUR / self._per_hour) + 1
            raise RefusedError(
                "rate-limited",
                f"{self._subject}: {self._per_hour} an hour ({self._name})",
                limit=self._per_hour,
                limit_name=self._name,
                retry_after=wait,
            )

    def has_left(self, key: str, now: float) -> bool:
        """Whether there is one, without taking it."""
        return self._refilled(key, now).tokens >= 1

    def allows(self, key: str, now: float) -> bool:
        """Takes one if there is one."""
        bucket = self._refilled(key, now)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _refilled(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[key] = _Bucket(self._per_hour, now)
        elif now > bucket.at:
            bucket.tokens = min(self._per_hour, bucket.tokens + (now - bucket.at) * self._per_hour / HOUR)
        bucket.at = now
        return bucket

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < BUCKETS_LIMIT:
            return
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < HOUR}
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
