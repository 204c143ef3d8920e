"""The authority's memory: challenges, published certificates, spent proofs and rate counts in one SQLite file."""

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, Self

import apsw

from identity.authority.challenge import Challenge, ChallengeState
from identity.authority.errors import DataFolderError
from identity.authority.wire import Holding
from identity.number import TelephoneNumber

SCHEMA_VERSION = 3
BUSY_TIMEOUT = 5_000  # milliseconds
CHALLENGE_RETENTION = 3_600  # seconds after its end in which a challenge is still known, to say that it expired
CERTIFICATE_RETENTION = 90 * 86_400  # seconds after its end in which a path stays published (RFC 8224 §7.4)

_SCRIPTS = ("schema.sql", "reports.sql", "identity.sql")  # from each version to the next
_CHALLENGE_COLUMNS = "id, number, code_mac, expires_at, state, attempts_left, bound_key, certificate"


@dataclass(frozen=True, slots=True)
class PublishedPath:
    """An issued leaf with its path in PEM (leaf, issuer, root), its last second, and when its number was proved."""

    fingerprint: bytes
    pem: str
    not_after: int
    proved_at: int


class AuthorityStore:
    """One SQLite connection for all threads; every use is inside `transaction()`, which admits one thread at a time.

    `secret` keys what is kept of codes, numbers and addresses. Raises DataFolderError on a file of a newer version.
    """

    def __init__(self, connection: apsw.Connection, secret: bytes) -> None:
        self.secret = secret
        self._connection = connection
        self._lock = Lock()
        _prepare(connection)

    @classmethod
    def open(cls, path: Path, secret: bytes) -> Self:
        """Open the file, or create it readable by its owner alone."""
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return cls(apsw.Connection(str(path)), secret)

    @classmethod
    def in_memory(cls, secret: bytes) -> Self:
        """Open a store that ends with the process."""
        return cls(apsw.Connection(":memory:"), secret)

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the store for one atomic, durable step; an exception undoes it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite undoes some failures by itself
                    self._connection.execute("ROLLBACK")
                raise

    def execute(self, statement: str, *values: str | bytes | int | None) -> int:
        """Run one statement; returns how many rows it changed."""
        self._connection.execute(statement, values)
        return self._connection.changes()

    def rows(self, statement: str, *values: str | bytes | int | None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def challenge(self, challenge_id: str) -> tuple[Challenge, bytes | None] | None:
        """Read a challenge and the fingerprint of the certificate that it led to."""
        row = self._row(f"SELECT {_CHALLENGE_COLUMNS} FROM challenges WHERE id = ?", challenge_id)  # noqa: S608
        if row is None:
            return None
        identifier, digits, mac, expires_at, state, attempts_left, key, certificate = row
        number = TelephoneNumber.from_digits(digits)
        return Challenge(identifier, number, mac, expires_at, ChallengeState(state), attempts_left, key), certificate

    def save_challenge(self, challenge: Challenge, certificate: bytes | None = None) -> None:
        """Write a challenge, new or changed."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO challenges ({_CHALLENGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                challenge.id,
                challenge.number.digits,
                challenge.code_mac,
                challenge.expires_at,
                challenge.state.value,
                challenge.attempts_left,
                challenge.bound_key,
                certificate,
            ),
        )

    def forget_challenge(self, challenge_id: str) -> None:
        """Delete a challenge whose code nobody received."""
        self._connection.execute("DELETE FROM challenges WHERE id = ?", (challenge_id,))

    def published(self, fingerprint: bytes) -> PublishedPath | None:
        """Read an issued path by the SHA-256 of its leaf."""
        row = self._row("SELECT path, not_after, proved_at FROM certificates WHERE fingerprint = ?", fingerprint)
        return None if row is None else PublishedPath(fingerprint, *row)

    def has_issued(self) -> bool:
        """Say whether any certificate is on record."""
        return self._connection.execute("SELECT 1 FROM certificates LIMIT 1").fetchone() is not None

    def publish(self, path: PublishedPath) -> None:
        """Write an issued path."""
        row = (path.fingerprint, path.pem, path.not_after, path.proved_at)
        self._connection.execute(
            "INSERT INTO certificates (fingerprint, path, not_after, proved_at) VALUES (?, ?, ?, ?)", row
        )

    def hold(self, fingerprint: bytes, digits: str, key: bytes, issued_at: int, *, by_code: bool) -> None:
        """Note for which number and key (SHA-256 of the SPKI) a published certificate is."""
        self._connection.execute(
            "UPDATE certificates SET number = ?, spki = ?, issued_at = ?, by_code = ? WHERE fingerprint = ?",
            (digits, key, issued_at, by_code, fingerprint),
        )

    def holdings(self, digits: str, now: int, limit: int) -> list[Holding]:
        """List the newest certificates of a number that have not ended."""
        rows = self._connection.execute(
            "SELECT fingerprint, spki, issued_at, by_code, not_after FROM certificates "
            "WHERE number = ? AND not_after >= ? ORDER BY issued_at DESC, fingerprint LIMIT ?",
            (digits, now, limit),
        )
        return [
            Holding(name.hex(), key.hex(), issued_at, "code" if by_code else "renewal", not_after)
            for name, key, issued_at, by_code, not_after in rows
        ]

    def spend_proof(self, digest: bytes, until: int) -> bool:
        """Note a renewal proof; say whether it is new."""
        self._connection.execute("INSERT OR IGNORE INTO spent_proofs VALUES (?, ?)", (digest, until))
        return self._connection.changes() == 1

    def bucket(self, limit: str, subject: str) -> bytes:
        """Name a rate count without keeping whose it is."""
        return hmac.digest(self.secret, f"rate:{limit}:{subject}".encode(), hashlib.sha256)

    def admissions(self, bucket: bytes, now: int) -> list[int]:
        """List, in order, when each counted request of a bucket ceases to count."""
        rows = self._connection.execute(
            "SELECT until FROM admissions WHERE bucket = ? AND until > ? ORDER BY until", (bucket, now)
        )
        return [until for (until,) in rows]

    def admit(self, bucket: bytes, until: int) -> None:
        """Count one request."""
        self._connection.execute("INSERT INTO admissions VALUES (?, ?)", (bucket, until))

    def prune(self, now: int) -> None:
        """Delete what is of no more use."""
        for statement, moment in (
            ("DELETE FROM challenges WHERE expires_at <= ?", now - CHALLENGE_RETENTION),
            ("DELETE FROM certificates WHERE not_after <= ?", now - CERTIFICATE_RETENTION),
            ("DELETE FROM spent_proofs WHERE until <= ?", now),
            ("DELETE FROM admissions WHERE until <= ?", now),
        ):
            self._connection.execute(statement, (moment,))

    def _row(self, statement: str, key: str | bytes) -> tuple[Any, ...] | None:
        return self._connection.execute(statement, (key,)).fetchone()


def _prepare(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    version = connection.pragma("user_version")
    if version in range(SCHEMA_VERSION):
        with connection:
            for script in _SCRIPTS[version:]:
                connection.execute((files(__package__) / script).read_text("utf-8"))
            connection.pragma("user_version", SCHEMA_VERSION)
    elif version != SCHEMA_VERSION:
        raise DataFolderError(f"the database has version {version}; this program knows version {SCHEMA_VERSION}")
