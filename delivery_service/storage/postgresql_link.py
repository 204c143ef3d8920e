"""A lane's connection to PostgreSQL: found again after it was lost, and cut when it does not answer.

A COMMIT whose answer does not come has an unknown outcome: its requests are answered with a StoreError, and a client
that repeats one with its key learns what became of it.
"""

import os
import socket
import time
from contextlib import suppress

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

from delivery_service.errors import StartError, StoreError
from delivery_service.storage.database import Connection, Database
from delivery_service.storage.lane import POISON

APPLICATION = "ringtrue-delivery"  # what its connections call themselves
SILENCE_LIMIT = 8.0  # seconds that a transaction may take; then its connection is cut
UNDONE = "canceling wait for synchronous replication"  # a warning: committed here, and nobody knows where else
SETTINGS = {
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",  # of a replica that stopped in the midst of a transaction
    "enable_seqscan": "off",  # everything is found by an index, also while the tables are small
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",  # it reads all of a group before it sorts: an index has the order already
    "jit": "off",
}
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS settings (name, value)"

FAILURES = (psycopg.Error, *POISON)


class Link:
    """One connection, used by one thread; `cut_if_silent` may come from another."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._since: float | None = None
        self._doubtful = False

    def open(self) -> Connection:
        """The connection, a new one if there is none. Raises StartError."""
        if self._connection is None or self._connection.closed:
            connection = self._database.connect(autocommit=True, prepare_threshold=0, application_name=APPLICATION)
            connection.prepared_max = None
            connection.adapters.register_dumper(int, Int8BinaryDumper)
            connection.execute(_SET, [list(SETTINGS), list(SETTINGS.values())])
            connection.add_notice_handler(self._noted)
            self._connection = connection
        return self._connection

    def begin(self) -> Connection:
        """The connection for a transaction that begins now. Raises StoreError if the database cannot be reached."""
        self._doubtful = False
        try:
            connection = self.open()
        except (StartError, psycopg.Error) as error:
            raise StoreError(f"the database cannot be reached: {error}") from error
        self._since = time.monotonic()
        return connection

    def end(self) -> None:
        """The transaction was answered. Raises StoreError if its outcome is unknown."""
        self._since = None
        if self._doubtful:
            raise StoreError("nobody confirmed that the standbys have the transaction: repeat the request")

    def undo(self) -> bool:
        """Ends a transaction that failed; false if the connection was lost."""
        self._since = None
        connection = self._connection
        if connection is None:
            return False
        with suppress(psycopg.Error):
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            self.close()
            return False
        return True

    def cut_if_silent(self, now: float) -> None:
        """Ends the connection below a transaction that takes too long, so that its thread goes on."""
        since, connection = self._since, self._connection
        if since is None or connection is None or now - since < SILENCE_LIMIT:
            return
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _noted(self, notice: psycopg.errors.Diagnostic) -> None:
        if (notice.message_primary or "").startswith(UNDONE):
            self._doubtful = True
