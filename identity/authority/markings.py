"""What an operator knows that numbers do not do: attributes by prefix, which go into every certificate from then on."""

import re
from typing import NamedTuple

from identity.authority.store import AuthorityStore
from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


class Marking(NamedTuple):
    """A prefix (+ and digits; a whole number, too) and what is declared of all numbers that start so."""

    prefix: str
    attributes: NumberAttributes


class Markings:
    """The rows of `number_marking`; every use but `read` is inside the store's transaction."""

    def __init__(self, store: AuthorityStore) -> None:
        self._store = store

    def mark(self, prefix: str, attributes: NumberAttributes) -> None:
        """Declare from now on; what was declared of this very prefix is replaced. Raises NumberError."""
        values = (_checked(prefix), attributes.encode())
        self._store.execute("INSERT OR REPLACE INTO number_marking VALUES (?, ?)", *values)

    def unmark(self, prefix: str) -> bool:
        """Declare it no longer; returns whether it was. Raises NumberError."""
        return self._store.execute("DELETE FROM number_marking WHERE prefix = ?", _checked(prefix)) > 0

    def all(self) -> list[Marking]:
        """All markings, in the order of their prefixes."""
        rows = self._store.rows("SELECT prefix, attributes FROM number_marking ORDER BY prefix")
        return [Marking(prefix, NumberAttributes.decode(der)) for prefix, der in rows]

    def of(self, number: TelephoneNumber) -> NumberAttributes | None:
        """What is declared of a number: by the longest of the prefixes that it starts with."""
        row = self._store.row(
            "SELECT attributes FROM number_marking WHERE substr(?, 1, length(prefix)) = prefix "
            "ORDER BY length(prefix) DESC LIMIT 1",
            number.e164,
        )
        return None if row is None else NumberAttributes.decode(row[0])

    def read(self, number: TelephoneNumber) -> NumberAttributes | None:
        """The same outside a transaction."""
        with self._store.transaction():
            return self.of(number)


def _checked(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise NumberError("prefix", f"{prefix!a} is not a number or the start of one; write it like +1202555")
    return prefix
