"""Certificates for this device's own key in logs: which of them it has asked for, received or not."""

from collections.abc import Sequence

from client.storage.store import Store
from identity.authority.wire import PROOF_MAX_AGE
from identity.certificate_fields import load_certificate
from identity.errors import TransparencyError
from identity.transparency.entries import embedded_entry

TRANSIT = 60  # seconds that an answer of the authority may have taken


class OwnEntries:
    """The rows of `own_entry`, and the renewals whose answer may have been lost."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, digest: bytes) -> None:
        """Take what is logged (`Entry.digest`) as this device's own."""
        self._store.execute("INSERT OR IGNORE INTO own_entry VALUES (?)", digest)

    def asked_for(self, digest: bytes, at: int) -> bool:
        """Whether this device received it, or asked at about that time for what it never received: once each."""
        if self._store.row("SELECT 1 FROM own_entry WHERE digest = ?", digest) is not None:
            return True
        row = self._store.row(
            "SELECT rowid FROM renewal_attempt WHERE at BETWEEN ? AND ? AND NOT logged ORDER BY at LIMIT 1",
            at - PROOF_MAX_AGE - TRANSIT,
            at + PROOF_MAX_AGE,
        )
        if row is None:
            return False
        self._store.execute("UPDATE renewal_attempt SET logged = 1 WHERE rowid = ?", row[0])
        self.keep(digest)
        return True


def keep_own_entry(store: Store, chain: Sequence[bytes]) -> None:
    """Take what was logged of a chain that this device has received as its own."""
    if len(chain) > 1:
        try:
            entry = embedded_entry(load_certificate(chain[0]), load_certificate(chain[1]))
        except TransparencyError:
            return  # it names no logs
        OwnEntries(store).keep(entry.digest)
