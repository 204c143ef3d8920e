"""The encrypted store: one SQLCipher file for all state and history, so that one transaction covers an MLS step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlcipher3 import dbapi2

from client.errors import ClientError, StoreError
from client.storage.home import FILE_MODE
from client.storage.schema import SCHEMA, SCHEMA_VERSION, UPGRADES

Row = tuple[Any, ...]

# The key comes first and raw: SQLCipher then derives nothing (keys.py has done so). The rest is per connection.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a committed step is on the disk before its ciphertext leaves
    "PRAGMA secure_delete = ON",  # deleted keys are overwritten
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",  # KiB of decrypted pages: what a list of 1,000 chats reads
    "PRAGMA locking_mode = EXCLUSIVE",  # one process owns the account; no shared-memory file is needed
)


class Store:
    """One open database. Not for two threads at once: all steps run on the session's one worker thread."""

    def __init__(self, connection: dbapi2.Connection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, path: Path, key: bytes) -> "Store":
        """Open or create the database. Raises StoreError if the key does not fit or the file is damaged."""
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA cipher_log_level = NONE")  # errors are raised, not printed
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            for pragma in PRAGMAS:
                connection.execute(pragma)
            _migrate(connection)
        except dbapi2.DatabaseError as error:
            connection.close()
            raise StoreError(f"{path} cannot be opened: its key does not fit, or the file is damaged") from error
        return cls(connection)

    def close(self) -> None:
        """Close the database; the write-ahead log is merged and removed."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside happen together or not at all; an inner use joins the outer one."""
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.connection.execute("COMMIT")
        except dbapi2.Error as error:
            self._roll_back()
            raise StoreError(f"the store cannot be written: {error}") from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self.connection.in_transaction:  # a full disk makes SQLite roll back by itself
            self.connection.execute("ROLLBACK")

    def execute(self, sql: str, *values: object) -> int:
        """Run one statement; returns how many rows it changed."""
        return cast(int, self._run(sql, values).rowcount)

    def insert(self, sql: str, *values: object) -> int:
        """Run one INSERT; returns the new row's id."""
        return cast(int, self._run(sql, values).lastrowid)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows of a query."""
        return cast("list[Row]", self._run(sql, values).fetchall())

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row of a query, if there is one."""
        return cast("Row | None", self._run(sql, values).fetchone())

    def _run(self, sql: str, values: tuple[object, ...]) -> dbapi2.Cursor:
        try:
            return self.connection.execute(sql, values)
        except UnicodeEncodeError as error:
            hint = "Write it again; what a terminal passes on is to be UTF-8."
            raise ClientError("text with a lone surrogate cannot be kept", code="not-text", hint=hint) from error
        except dbapi2.Error as error:
            raise StoreError(f"the store cannot be used: {error}") from error


def _migrate(connection: dbapi2.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StoreError("the account was written by a newer version of this program; update it")
    script = "".join(UPGRADES[earlier] for earlier in range(version, SCHEMA_VERSION)) if version else SCHEMA
    # executescript commits whatever it finds open, hence the transaction inside the script.
    connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
