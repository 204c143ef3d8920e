"""Contacts: which numbers this account knows, by what names, and which it does not want to hear from."""

from dataclasses import dataclass

from client.defence.admission import Relation
from client.formats.text import safe_name
from client.storage.store import Row, Store
from identity.number import TelephoneNumber

_SELECT = "SELECT number, name, accepted, blocked, dropped FROM contact"


@dataclass(frozen=True, slots=True)
class Contact:
    """A number and what this account keeps of it; `dropped` counts what it tried while it was blocked."""

    number: TelephoneNumber
    name: str = ""
    accepted: bool = False
    blocked: bool = False
    dropped: int = 0


class Contacts:
    """The rows of `contact`."""

    def __init__(self, store: Store, own: TelephoneNumber) -> None:
        self._store = store
        self._own = own

    def all(self) -> list[Contact]:
        """Every contact, by name and number."""
        return [_contact(row) for row in self._store.rows(f"{_SELECT} ORDER BY name = '', name, number")]

    def get(self, number: TelephoneNumber) -> Contact:
        """What is kept of a number; of an unknown one, nothing."""
        row = self._store.row(f"{_SELECT} WHERE number = ?", number.e164)
        return Contact(number) if row is None else _contact(row)

    def relation(self, number: TelephoneNumber) -> Relation:
        """What a number is to this account."""
        if number == self._own:
            return Relation.SELF
        accepted, blocked = self._store.row("SELECT accepted, blocked FROM contact WHERE number = ?", number.e164) or (
            False,
            False,
        )
        return Relation.BLOCKED if blocked else Relation.CONTACT if accepted else Relation.STRANGER

    def names(self) -> dict[str, str]:
        """The name of each number that has one."""
        return dict(self._store.rows("SELECT number, name FROM contact WHERE name <> ''"))

    def blocked(self) -> frozenset[str]:
        """The numbers that this account does not want to hear from."""
        return frozenset(number for (number,) in self._store.rows("SELECT number FROM contact WHERE blocked"))

    def accept(self, number: TelephoneNumber) -> None:
        """Make a number a contact, also one that was blocked: it takes a person's own act to write to it."""
        self._keep(number, "accepted = 1, blocked = 0")

    def block(self, number: TelephoneNumber) -> None:
        """Hear nothing more from a number."""
        self._keep(number, "blocked = 1, accepted = 0")

    def unblock(self, number: TelephoneNumber) -> None:
        """Treat a number as a stranger's again."""
        self._keep(number, "blocked = 0")

    def name(self, number: TelephoneNumber, name: str) -> None:
        """Call a number by a name; an empty one forgets the name."""
        self._keep(number, "name = ?", safe_name(name).text)

    def drop(self, number: TelephoneNumber) -> None:
        """Count what a blocked number tried; another one gets no row by being dropped."""
        self._store.execute("UPDATE contact SET dropped = dropped + 1 WHERE number = ? AND blocked", number.e164)

    def _keep(self, number: TelephoneNumber, change: str, *values: object) -> None:
        with self._store.transaction():
            self._store.execute("INSERT OR IGNORE INTO contact (number) VALUES (?)", number.e164)
            self._store.execute(f"UPDATE contact SET {change} WHERE number = ?", *values, number.e164)  # noqa: S608 - constant


def _contact(row: Row) -> Contact:
    number, name, accepted, blocked, dropped = row
    return Contact(TelephoneNumber.from_digits(number[1:]), name, bool(accepted), bool(blocked), dropped)
