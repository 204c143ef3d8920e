"""The certification authority's memory: published certificates, spent proofs and rate counts."""

from dataclasses import dataclass

from cryptography import x509

from identity.authority.database import Database
from identity.authority.wire import Holding

CERTIFICATE_RETENTION = 90 * 86_400  # seconds after its end in which a path stays published (RFC 8224 §7.4)


@dataclass(frozen=True, slots=True)
class PublishedPath:
    """An issued leaf with its path in PEM (leaf, issuer, root), its last second, and when its number was proved."""

    fingerprint: bytes
    pem: str
    not_after: int
    proved_at: int

    @property
    def serial(self) -> bytes:
        """The leaf's serial number, big-endian."""
        serial = x509.load_pem_x509_certificate(self.pem.encode("ascii")).serial_number
        return serial.to_bytes((serial.bit_length() + 7) // 8)


class AuthorityStore(Database):
    """The certification authority's file; every use is inside `transaction()`."""

    package = "identity.authority"
    scripts = ("schema.sql", "reports.sql", "identity.sql")

    def published(self, fingerprint: bytes) -> PublishedPath | None:
        """Read an issued path by the SHA-256 of its leaf."""
        row = self.row("SELECT path, not_after, proved_at FROM certificates WHERE fingerprint = ?", fingerprint)
        return None if row is None else PublishedPath(fingerprint, *row)

    def has_issued(self) -> bool:
        """Say whether any certificate is on record."""
        return self._connection.execute("SELECT 1 FROM certificates LIMIT 1").fetchone() is not None

    def publish(self, path: PublishedPath) -> None:
        """Write an issued path."""
        row = (path.fingerprint, path.pem, path.not_after, path.proved_at, path.serial)
        self._connection.execute(
            "INSERT INTO certificates (fingerprint, path, not_after, proved_at, serial) VALUES (?, ?, ?, ?, ?)", row
        )

    def hold(self, fingerprint: bytes, digits: str, key: bytes, issued_at: int, *, by_code: bool) -> None:
        """Note for which number and key (SHA-256 of the SPKI) a published certificate is."""
        self._connection.execute(
            "UPDATE certificates SET number = ?, spki = ?, issued_at = ?, by_code = ? WHERE fingerprint = ?",
            (digits, key, issued_at, by_code, fingerprint),
        )

    def holdings(self, digits: str, now: int, limit: int) -> list[Holding]:
        """List the newest certificates of a number that have not ended and are not revoked."""
        rows = self._connection.execute(
            "SELECT fingerprint, spki, issued_at, by_code, not_after FROM certificates "
            "WHERE number = ? AND not_after >= ? AND fingerprint NOT IN (SELECT fingerprint FROM revocations) "
            "ORDER BY issued_at DESC, fingerprint LIMIT ?",
            (digits, now, limit),
        )
        return [
            Holding(name.hex(), key.hex(), issued_at, "code" if by_code else "renewal", not_after)
            for name, key, issued_at, by_code, not_after in rows
        ]

    def prune(self, now: int) -> None:
        """Delete what is of no more use."""
        super().prune(now)
        self.execute("DELETE FROM certificates WHERE not_after <= ?", now - CERTIFICATE_RETENTION)
