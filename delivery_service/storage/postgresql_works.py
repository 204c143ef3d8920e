"""Works on PostgreSQL: in transactions that seem to come one after another, and are run again where they cannot."""

import time
from collections import deque
from collections.abc import Callable
from functools import cache
from random import SystemRandom
from typing import Any, TypeVar

import psycopg

from delivery_service.errors import DeliveryError, RefusedError, StoreError
from delivery_service.storage.database import Connection
from delivery_service.storage.lane import RETRY_AFTER, Item, attempt
from delivery_service.storage.postgresql_link import FAILURES, Link
from delivery_service.storage.transaction import PARAMETER, RacedError, Transaction

WRITING = "BEGIN ISOLATION LEVEL SERIALIZABLE"
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
TURNS = 10  # times that a work is begun before its request is refused as overloaded
PAUSE = 0.002  # seconds before the second turn at most; doubled for each other one, up to PAUSE_LIMIT
PAUSE_LIMIT = 0.1
# Something to be written where a work found all done: its answer, too, is given only after standbys have what it saw.
_SEEN = "SELECT pg_logical_emit_message(true, 'ringtrue', '')"
LOCK = "SELECT number FROM groups WHERE group_id = ANY(%(group_id)b) ORDER BY number FOR NO KEY UPDATE"
RACES = (  # what ends well when it is begun again
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.UniqueViolation,  # by a row that came after the work had looked for it
    RacedError,
)

T = TypeVar("T")
_random = SystemRandom()


class PostgresqlTransaction:
    """The transaction that is open on a connection; `changes` counts the rows changed."""

    def __init__(self) -> None:
        self.changes = 0

    def on(self, connection: Connection) -> None:
        """Goes on with another connection."""
        self._execute = connection.execute

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """See Transaction."""
        return self._run(statement, values).fetchall()

    def row(self, statement: str, **values: object) -> tuple[Any, ...] | None:
        """See Transaction."""
        return self._run(statement, values).fetchone()

    def value(self, statement: str, **values: object) -> Any:
        """See Transaction."""
        row = self._run(statement, values).fetchone()
        return None if row is None else row[0]

    def run(self, statement: str, **values: object) -> int:
        """See Transaction."""
        return self._run(statement, values).rowcount

    def _run(self, statement: str, values: dict[str, object]) -> "psycopg.Cursor[tuple[Any, ...]]":
        cursor = self._execute(_named(statement), values, binary=True)
        if not (cursor.statusmessage or "").startswith("SELECT"):
            self.changes += max(cursor.rowcount, 0)
        return cursor


@cache
def _named(statement: str) -> bytes:
    return PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")).encode()


class WorkSession:
    """See Session: several works in one transaction; each alone, and some times, when that fails."""

    def __init__(self, link: Link, begin: str) -> None:
        self._link = link
        self._begin = begin
        self._transaction = PostgresqlTransaction()
        self._lost = False  # whether the last transaction failed with its connection, before its COMMIT

    def transact(self, items: list[Item]) -> None:
        """See Session."""
        left = deque(items)
        try:
            if len(items) > 1 and self._attempt(items) is None:
                return
            while left:
                self._alone(left[0])
                left.popleft()
        except StoreError as error:
            for item in left:
                item.error = error

    def close(self) -> None:
        """See Session."""
        self._link.close()

    def _start(self, connection: Connection, items: list[Item]) -> None:
        connection.execute(self._begin)

    def _alone(self, item: Item) -> None:
        for turn in range(TURNS):
            error = self._attempt([item])
            if error is None:
                return
            item.error = _answer(error)
            if isinstance(error, psycopg.errors.LockNotAvailable):  # others have waited behind it for long enough
                return
            if not isinstance(error, RACES) and (turn or not self._lost):
                return
            time.sleep(_random.uniform(0, min(PAUSE * 2**turn, PAUSE_LIMIT)))

    def _attempt(self, items: list[Item]) -> Exception | None:
        """What undid the transaction, None if it is durable. Raises StoreError if nobody knows."""
        connection, before = self._link.begin(), self._transaction.changes
        self._transaction.on(connection)
        try:
            self._start(connection, items)
            for item in items:
                attempt(item, self._transaction, lambda: self._transaction.changes)
            wrote = self._transaction.changes != before
            if not wrote and self._begin != READING and any(not item.error for item in items):
                connection.execute(_SEEN)
                wrote = True
        except FAILURES as error:
            self._lost = not self._link.undo()
            return error
        try:
            connection.execute("COMMIT")
            self._link.end(wrote=wrote)
        except psycopg.Error as error:
            if self._link.undo():
                self._lost = False
                return error
            raise StoreError("the connection to the database was lost: repeat the request") from error
        return None


class GroupSession(WorkSession):
    """See Session: works that each change one group, behind its row's lock; each statement sees what came before.

    What appends to a group all the time cannot keep such a work from its turn, as it can where works are run again.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link, "BEGIN ISOLATION LEVEL READ COMMITTED")

    def _start(self, connection: Connection, items: list[Item]) -> None:
        super()._start(connection, items)
        connection.execute(LOCK, {"group_id": [item.arguments[0] for item in items]})


def within(tx: Transaction, _group: bytes, work: Callable[..., T], *arguments: Any) -> T:
    """The work of a GroupSession's request."""
    return work(tx, *arguments)


def _answer(error: Exception) -> DeliveryError:
    if isinstance(error, RACES):
        return RefusedError("overloaded", "others keep changing the same", retry_after=RETRY_AFTER)
    return StoreError(f"{type(error).__name__}: {error}")
