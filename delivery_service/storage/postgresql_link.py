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
from delivery_service.storage.database import Connection
from delivery_service.storage.lane import POISON
from delivery_service.storage.lease import Lease
from delivery_service.storage.servers import Served, Servers

APPLICATION = "ringtrue-delivery"  # what its connections call themselves
SILENCE_LIMIT = 8.0  # seconds that a transaction may take; then its connection is cut
UNDONE = "canceling wait for synchronous replication"  # a warning: committed here, and nobody knows where else
SETTINGS = {
    "lock_timeout": "3s",
    "statement_timeout": "0",  # whatever the database or the role says: SILENCE_LIMIT ends what takes too long
    "transaction_timeout": "0",  # of PostgreSQL 17
    "idle_in_transaction_session_timeout": "10s",  # of a replica that stopped in the midst of a transaction
    "enable_seqscan": "off",  # everything is found by an index, also while the tables are small
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",  # it reads all of a group before it sorts: an index has the order already
    "jit": "off",
}
_SET = """
SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
JOIN pg_settings USING (name)
"""

FAILURES = (psycopg.Error, *POISON)


class Link:
    """One connection, used by one thread; `cut_if_silent` may come from another."""

    def __init__(self, servers: Servers, lease: Lease) -> None:
        self._servers = servers
        self._lease = lease
        self._served: Served | None = None
        self._opened = self._begun = 0.0
        self._since: float | None = None
        self._doubtful = self._to_renew = False

    def open(self) -> Connection:
        """The connection, a new one if there is none, or if its server was left behind. Raises StartError."""
        if self._served is not None and (self._to_renew or self._servers.newest.is_behind(self._served.lineage)):
            self.close()
        if self._served is None or self._served.connection.closed:
            self._to_renew = False
            served = self._servers.connect(autocommit=True, prepare_threshold=0, application_name=APPLICATION)
            self._opened = time.monotonic()
            served.connection.prepared_max = None
            served.connection.adapters.register_dumper(int, Int8BinaryDumper)
            served.connection.execute(_SET, [list(SETTINGS), list(SETTINGS.values())])
            served.connection.add_notice_handler(self._noted)
            self._served = served
        return self._served.connection

    @property
    def server(self) -> str:
        """The name of the server and its history; empty without a connection."""
        return "" if self._served is None else self._served.name

    def begin(self) -> Connection:
        """The connection for a transaction that begins now. Raises StoreError if the database cannot be reached."""
        self._doubtful = False
        try:
            connection = self.open()
        except (StartError, psycopg.Error) as error:
            raise StoreError(f"the database cannot be reached: {error}") from error
        self._since = self._begun = time.monotonic()
        return connection

    def end(self, *, wrote: bool) -> None:
        """The transaction was committed: what it wrote was confirmed, or else what it read is.

        Raises StoreError if its outcome is unknown, or if what it read may not be what the service has.
        """
        self._since = None
        assert self._served is not None
        if self._doubtful:
            self._lease.doubt()
            raise StoreError("nobody confirmed that the standbys have the transaction: repeat the request")
        if self._servers.newest.is_behind(self._served.lineage):
            raise StoreError("the server was left behind by a promotion: repeat the request")
        if wrote:
            self._lease.confirm(self._served.name, self._begun)
        else:
            self._lease.check(self._served.name, self._opened)

    def renew(self) -> None:
        """Lets the next transaction begin with a new connection, and so with a look at the server."""
        self._to_renew = True

    def undo(self) -> bool:
        """Ends a transaction that failed; false if the connection was lost."""
        self._since = None
        if self._served is None:
            return False
        connection = self._served.connection
        with suppress(psycopg.Error):
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            self._lease.doubt()  # the server may have shown what it committed and never confirmed
            self.close()
            return False
        return True

    def cut_if_silent(self, now: float) -> None:
        """Ends the connection below a transaction that takes too long, so that its thread goes on."""
        since = self._since
        if since is not None and now - since >= SILENCE_LIMIT:
            self.cut()

    def cut(self) -> None:
        """Ends the connection below a transaction. The server does not notice while it waits for its standbys."""
        served = self._served
        if self._since is None or served is None:
            return
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(served.connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        if self._served is not None:
            self._served.connection.close()
            self._served = None

    def _noted(self, notice: psycopg.errors.Diagnostic) -> None:
        if (notice.message_primary or "").startswith(UNDONE):
            self._doubtful = True
