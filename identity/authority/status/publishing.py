"""The published list of revocations: one signed list for everybody, made anew when it changes and before it ends."""

from dataclasses import dataclass

from identity.authority.issuer import Issuer
from identity.authority.status import revocations
from identity.authority.store import AuthorityStore
from identity.status.revocation import NO_REVOCATIONS, Revocations, verify_crl

CRL_LIFETIME = 86_400  # seconds from thisUpdate to nextUpdate


@dataclass(frozen=True, slots=True)
class PublishedCrl:
    """A list as it is served: DER. It is replaced when the number in the store differs, or at half of its life."""

    der: bytes
    number: int
    issuer: bytes
    signed_at: int

    @property
    def etag(self) -> str:
        """Names the list (RFC 9110 §8.8.3)."""
        return f'"{self.number}"'

    def is_current(self, issuer: bytes, number: int, now: int) -> bool:
        """Whether it may still be served: not after the clock was set back, since nobody takes a list of the future."""
        same = (self.issuer, self.number) == (issuer, number)
        return same and self.signed_at <= now < self.signed_at + CRL_LIFETIME // 2


class CrlPublisher:
    """Signs the list; holds the last one. One of a process, since each list that is signed makes an earlier one old."""

    def __init__(self, store: AuthorityStore, issuer: Issuer) -> None:
        self._store = store
        self._issuer = issuer
        self._last: PublishedCrl | None = None

    def published(self, now: int) -> PublishedCrl:
        """The list of this moment, with at least half of its life before it."""
        with self._store.transaction():
            name, last = self._issuer.revocation_name, self._last
            if last is None or not last.is_current(name, revocations.number(self._store, name), now):
                last = self._last = self._signed(name, now)
        return last

    def _signed(self, name: bytes, now: int) -> PublishedCrl:
        entries = revocations.of_issuer(self._store, name, now)
        number = revocations.next_number(self._store, name)
        return PublishedCrl(self._issuer.sign_crl(entries, number, now, CRL_LIFETIME), number, name, now)


class OwnRevocations:
    """The authority's own list as whoever fetches it sees it, read anew when there is another one."""

    def __init__(self, publisher: CrlPublisher, issuer: Issuer) -> None:
        self._publisher = publisher
        self._issuer = issuer
        self._known: tuple[int, Revocations] = (0, NO_REVOCATIONS)

    def at(self, now: int) -> Revocations:
        """The view at this moment."""
        published = self._publisher.published(now)
        if published.number != self._known[0]:
            known = verify_crl(published.der, self._issuer.certificate, now)
            self._known = published.number, Revocations([known])
        return self._known[1]
