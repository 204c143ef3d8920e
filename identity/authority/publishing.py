"""The published list of statuses: one signed list for everybody, made anew when it changes and before it grows old."""

from dataclasses import dataclass

from identity.authority.issuer import Issuer
from identity.authority.report_policy import ReportPolicy
from identity.authority.report_records import ReportRecords
from identity.authority.store import AuthorityStore
from identity.reports.status_list import encode_entries


@dataclass(frozen=True, slots=True)
class Published:
    """A list as it is served. It is replaced when the serial in the store differs, or at `renew_at`.

    Before `signed_at`, after the clock was set back, too: nobody takes a list of the future.
    """

    octets: bytes
    serial: int
    signed_at: int
    renew_at: int

    @property
    def etag(self) -> str:
        """Names the list (RFC 9110 §8.8.3)."""
        return f'"{self.serial}"'


class StatusPublisher:
    """Signs the list; holds the last one."""

    def __init__(self, store: AuthorityStore, issuer: Issuer, base_url: str, policy: ReportPolicy) -> None:
        self._store = store
        self._records = ReportRecords(store, policy)
        self._issuer = issuer
        self._base_url = base_url
        self._lifetime = policy.list_lifetime
        self._last: Published | None = None

    def published(self, now: int) -> Published:
        """The list of this moment, with at least half of its life before it."""
        with self._store.transaction():
            last = self._last
            if last is None or not last.signed_at <= now < last.renew_at or last.serial != self._records.serial():
                last = self._last = self._signed(now)
        return last

    def _signed(self, now: int) -> Published:
        self._records.end(now)
        # What the issuer's certificate covers no more would spoil the whole list, and is not for this authority to say.
        statuses = self._records.statuses().items()
        listed = {number: status for number, status in statuses if self._issuer.certifies(number)}
        body, serial = encode_entries(listed), self._records.next_serial()
        signed = self._issuer.sign_list(self._base_url, body, serial, now, self._lifetime)
        half, next_end = now + self._lifetime // 2, self._records.next_end()
        return Published(signed.encode(), serial, now, half if next_end is None else min(half, next_end))
