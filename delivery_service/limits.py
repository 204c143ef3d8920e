"""Token buckets: so many requests an hour for each key, all of them at once if need be."""

from dataclasses import dataclass

from delivery_service.errors import RefusedError

HOUR = 3600
BUCKETS_LIMIT = 100_000  # keys remembered; full buckets are forgotten first


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class HourlyLimit:
    """Allows `per_hour` requests for each key."""

    def __init__(self, per_hour: int, subject: str) -> None:
        self._per_hour = per_hour
        self._subject = subject
        self._buckets: dict[str, _Bucket] = {}

    def check(self, key: str, now: float) -> None:
        """Raises rate-limited when the key has no token left."""
        tokens = self._refilled(key, now).tokens
        if tokens < 1:
            wait = int((1 - tokens) * HOUR / self._per_hour) + 1
            raise RefusedError(
                "rate-limited",
                f"{self._subject}: {self._per_hour} an hour",
                limit=self._per_hour,
                retry_after=wait,
            )

    def take(self, key: str, now: float) -> None:
        """Spends a token that `check` found."""
        self._refilled(key, now).tokens -= 1

    def _refilled(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[key] = _Bucket(self._per_hour, now)
        earned = max(0.0, now - bucket.at) * self._per_hour / HOUR
        bucket.tokens = min(self._per_hour, bucket.tokens + earned)
        bucket.at = now
        return bucket

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < BUCKETS_LIMIT:
            return
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < HOUR}
        if len(self._buckets) >= BUCKETS_LIMIT:
            raise RefusedError("overloaded", "too many different numbers within an hour", retry_after=HOUR)
