"""One transaction of either engine, in SQL that SQLite and PostgreSQL share; here also SQLite's form of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Protocol

import apsw

PARAMETER = re.compile(r"(?<!:):(\w+)")


class RacedError(Exception):
    """What a work has seen was changed before it could go by it; it is undone and begun again."""


class Transaction(Protocol):
    """Runs statements; `:name` in a statement is the value given by that name.

    A statement means the same on both engines if it stays with these: INTEGER 0 and 1 for truth, ON CONFLICT with its
    columns, RETURNING, FILTER, EXISTS, WITH, and no column beside an aggregate that is not grouped by.
    """

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """All rows."""

    def row(self, statement: str, **values: object) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""

    def value(self, statement: str, **values: object) -> Any:
        """The first column of the first row, None if there is no row."""

    def run(self, statement: str, **values: object) -> int:
        """Changes rows; returns how many."""


class SqliteTransaction:
    """The transaction that is open on a connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute
        self._changes = connection.changes

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """See Transaction."""
        text, bind = _positional(statement)
        return self._execute(text, bind(values)).fetchall()

    def row(self, statement: str, **values: object) -> tuple[Any, ...] | None:
        """See Transaction."""
        text, bind = _positional(statement)
        return self._execute(text, bind(values)).fetchone()

    def value(self, statement: str, **values: object) -> Any:
        """See Transaction."""
        text, bind = _positional(statement)
        row = self._execute(text, bind(values)).fetchone()
        return None if row is None else row[0]

    def run(self, statement: str, **values: object) -> int:
        """See Transaction."""
        text, bind = _positional(statement)
        self._execute(text, bind(values))
        return self._changes()


@cache
def _positional(statement: str) -> tuple[str, Callable[[Mapping[str, object]], Sequence[Any]]]:
    """The statement with ?1, ?2 … and what puts values into that order: apsw binds faster by place than by name."""
    names = list(dict.fromkeys(PARAMETER.findall(statement)))
    text = PARAMETER.sub(lambda match: f"?{names.index(match[1]) + 1}", statement)
    return text, itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]
