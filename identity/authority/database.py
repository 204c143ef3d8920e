"""One SQLite file for all threads: transactions, rate counts and spent proofs, as every service here needs them."""

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import apsw

from identity.authority.errors import DataFolderError

BUSY_TIMEOUT = 5_000  # milliseconds

Value = str | bytes | int | None


class Database:
    """One SQLite connection; every use is inside `transaction()`, which admits one thread at a time.

    `secret` keys what is kept of codes, numbers and addresses. Raises DataFolderError on a file of a newer version.
    """

    package: ClassVar[str]
    scripts: ClassVar[Sequence[str]]  # from each version to the next

    def __init__(self, connection: apsw.Connection, secret: bytes) -> None:
        self.secret = secret
        self._connection = connection
        self._lock = Lock()
        self._prepare()

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

    def execute(self, statement: str, *values: Value) -> int:
        """Run one statement; returns how many rows it changed."""
        self._connection.execute(statement, values)
        return self._connection.changes()

    def rows(self, statement: str, *values: Value) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Value) -> tuple[Any, ...] | None:
        """The first row of a query, if there is one."""
        return self._connection.execute(statement, values).fetchone()

    def spend_proof(self, digest: bytes, until: int) -> bool:
        """Note a proof; say whether it is new."""
        return self.execute("INSERT OR IGNORE INTO spent_proofs VALUES (?, ?)", digest, until) == 1

    def bucket(self, limit: str, subject: str) -> bytes:
        """Name a rate count without keeping whose it is."""
        return hmac.digest(self.secret, f"rate:{limit}:{subject}".encode(), hashlib.sha256)

    def admissions(self, bucket: bytes, now: int) -> list[int]:
        """List, in order, when each counted request of a bucket ceases to count."""
        rows = self.rows("SELECT until FROM admissions WHERE bucket = ? AND until > ? ORDER BY until", bucket, now)
        return [until for (until,) in rows]

    def admit(self, bucket: bytes, until: int) -> None:
        """Count one request."""
        self.execute("INSERT INTO admissions VALUES (?, ?)", bucket, until)

    def prune(self, now: int) -> None:
        """Delete what is of no more use."""
        self.execute("DELETE FROM spent_proofs WHERE until <= ?", now)
        self.execute("DELETE FROM admissions WHERE until <= ?", now)

    def _prepare(self) -> None:
        connection, newest = self._connection, len(self.scripts)
        connection.set_busy_timeout(BUSY_TIMEOUT)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        version = connection.pragma("user_version")
        if not 0 <= version <= newest:
            raise DataFolderError(f"the database has version {version}; this program knows version {newest}")
        with connection:
            for script in self.scripts[version:]:
                connection.execute((files(self.package) / script).read_text("utf-8"))
            connection.pragma("user_version", newest)
