"""What is known of revocations: the list of one's own authority, verified and kept whole, asked without a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from client.credentials.account import Account
from client.finding import Finding
from client.storage.store import Store
from identity.certificate_fields import load_certificate, validity
from identity.errors import IdentityError
from identity.status.revocation import (
    CertificateStatus,
    Revocations,
    StatusState,
    issuer_name,
    verify_crl,
)


class DeviceState(StrEnum):
    """In which state a device's certificate is: the words that people see."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KnownCrl:
    """Which list is in use; `fetched_at`: when the authority last confirmed that it is the present one."""

    number: int
    count: int
    this_update: int
    next_update: int
    fetched_at: int


class KnownRevocations:
    """The list of the issuer of this device's own certificate; what it does not name, it holds against nobody."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._revocations = Revocations()
        self._fetched_at: dict[bytes, int] = {}
        for issuer, der, fetched_at in store.rows("SELECT certificate, list, fetched_at FROM revocation_list"):
            self._load(issuer, der, fetched_at)
        self._issuer = _issuer(account)

    def current(self) -> Revocations:
        """The lists at hand: an unchanging view."""
        return self._revocations

    @property
    def known(self) -> KnownCrl | None:
        """The list of one's own issuer that was last accepted, over or not; None if there never was one."""
        name = None if self._issuer is None else issuer_name(self._issuer)
        found = None if name is None else self._revocations.of_issuer(name)
        if found is None:
            return None
        fetched_at = self._fetched_at[found.issuer]
        return KnownCrl(found.number, len(found.entries), found.this_update, found.next_update, fetched_at)

    @property
    def has_issuer(self) -> bool:
        """Whether there is anybody whose list could be had: a root has none."""
        return self._issuer is not None

    def use_account(self, account: Account) -> None:
        """Go on with a renewed chain, which a renewed issuer may have signed."""
        self._issuer = _issuer(account)

    def adopt(self, der: bytes, now: int) -> KnownCrl:
        """Verify a list that was fetched and keep it. Raises RevocationError, also on one that is older than ours."""
        assert self._issuer is not None, "asked for only where there is an issuer"
        new = verify_crl(der, self._issuer, now)
        self._revocations = self._revocations.adopting(new)
        self._fetched_at[new.issuer] = now
        row = new.issuer, self._issuer, der, now
        self._store.execute("INSERT OR REPLACE INTO revocation_list VALUES (?, ?, ?, ?)", *row)
        return KnownCrl(new.number, len(new.entries), new.this_update, new.next_update, now)

    def confirm(self, now: int) -> None:
        """Note that the authority has no other list."""
        assert self._issuer is not None, "asked for only where there is an issuer"
        name = issuer_name(self._issuer)
        self._store.execute("UPDATE revocation_list SET fetched_at = ? WHERE issuer = ?", now, name)
        self._fetched_at[name] = now

    def status(self, chain: Sequence[bytes], moment: int) -> CertificateStatus:
        """What the lists say of a chain (DER, leaf first). Raises CertificateError if it cannot be read."""
        return self._revocations.of_path(chain, moment)

    def state(self, chain: Sequence[bytes], now: int) -> DeviceState:
        """The word for a device's certificate at this moment. Raises CertificateError if it cannot be read."""
        if self.status(chain, now).state is StatusState.REVOKED:
            return DeviceState.REVOKED
        return DeviceState.VALID if now <= validity(load_certificate(chain[0]))[1] else DeviceState.EXPIRED

    def _load(self, issuer: bytes, der: bytes, fetched_at: int) -> None:
        try:
            known = verify_crl(der, issuer, fetched_at)
        except IdentityError:
            return  # the row is damaged, or was over when it was last confirmed: the next list takes its place
        self._revocations = self._revocations.adopting(known)
        self._fetched_at[known.issuer] = fetched_at


def look_at_revocations(revocations: KnownRevocations, now: int) -> Finding:
    """Whether what is known of revoked certificates is fresh: without that, each one counts until it ends."""
    known = revocations.known
    if known is None:
        if not revocations.has_issuer:
            return Finding("revoked certificates", True, "no issuer stands over this device's but a root")
        return Finding("revoked certificates", False, "no list was fetched yet; run: ringtrue receive")
    if now >= known.next_update:
        since = datetime.fromtimestamp(known.fetched_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Finding("revoked certificates", False, f"the list cannot be refreshed since {since}")
    return Finding("revoked certificates", True, f"{known.count} on the list, which is fresh")


def _issuer(account: Account) -> bytes | None:
    return account.chain[1] if len(account.chain) > 1 else None
