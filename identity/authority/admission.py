"""Which numbers are served at all: those of the authority's prefixes that are not withdrawn."""

from datetime import UTC, datetime
from typing import Protocol

from identity.authority.errors import RefusedError
from identity.authority.issuer import Issuer
from identity.authority.status.remote import ListsAt
from identity.authority.status.revocations import refuse_revoked
from identity.authority.store import AuthorityStore
from identity.certificates import VerifiedChain
from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.prefixes import prefixes_of
from identity.reports.number_status import NumberStatus
from identity.tn_auth_list import Coverage, TNAuthList


class Admission(Protocol):
    """Says no to numbers that a service does not serve."""

    def check(self, number: TelephoneNumber, now: int) -> None:
        """Raise RefusedError for a number that is not served now."""

    def check_certificate(self, chain: VerifiedChain, now: int) -> None:
        """Raise RefusedError for a chain that gives no right any more."""


class ByPrefix:
    """Serves the numbers of a list; a token authority on its own knows that, and the revocations of others."""

    def __init__(self, numbers: TNAuthList, revoked: ListsAt) -> None:
        self._numbers = numbers
        self._revoked = revoked

    def check(self, number: TelephoneNumber, now: int) -> None:
        """Raise RefusedError for a number outside the list."""
        if self._numbers.covers(number) is not Coverage.BY_NUMBER:
            raise RefusedError("number-refused", _served(prefixes_of(self._numbers)))

    def check_certificate(self, chain: VerifiedChain, now: int) -> None:
        """Raise RefusedError for one that its issuer's list names; without the issuer's address none is known."""
        self._revoked.refuse_revoked(chain, now)


class ByAuthority:
    """Serves what the certification authority beside it certifies now."""

    def __init__(self, store: AuthorityStore, issuer: Issuer) -> None:
        self._store = store
        self._issuer = issuer

    def check(self, number: TelephoneNumber, now: int) -> None:
        """Raise RefusedError for a number that gets no certificate; outside a transaction of the authority's store."""
        check_covered(self._issuer, number)
        with self._store.transaction():
            refuse_withdrawn(self._store, number, now)

    def check_certificate(self, chain: VerifiedChain, now: int) -> None:
        """Raise RefusedError for one that was revoked; outside a transaction of the authority's store."""
        with self._store.transaction():
            refuse_revoked(self._store, chain)


def certifiable(text: str) -> TelephoneNumber:
    """Read a number in a request. Raises RefusedError."""
    try:
        return TelephoneNumber.parse(text)
    except NumberError as error:
        raise RefusedError("invalid-number", str(error)) from error


def check_covered(issuer: Issuer, number: TelephoneNumber) -> None:
    """Raise RefusedError for a number that the issuer does not certify."""
    if not issuer.certifies(number):
        raise RefusedError("number-refused", _served(issuer.prefixes))


def refuse_withdrawn(store: AuthorityStore, number: TelephoneNumber, now: int) -> None:
    """Whatever key asks: a new one costs nothing, and a status ends sooner than a number is given to others."""
    for status, ends_at in store.rows("SELECT status, ends_at FROM statuses WHERE number = ?", number.digits):
        if status == NumberStatus.WITHDRAWN and ends_at > now:
            until = datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise RefusedError("number-withdrawn", f"verified reports against {number} count until {until}")


def _served(prefixes: tuple[str, ...]) -> str:
    return f"this authority certifies numbers that start with {', '.join(prefixes)}"
