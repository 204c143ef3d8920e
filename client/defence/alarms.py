"""Alarms: signs that this account's number or this device's key is used elsewhere. Each stays until it is put away."""

from dataclasses import dataclass
from enum import StrEnum

from client.errors import ChatError
from client.storage.store import Row, Store


class AlarmKind(StrEnum):
    """What was seen."""

    CERTIFICATE = "certificate"  # the number was certified for another key
    RENEWAL = "renewal"  # a certificate for this key that this device did not ask for
    SESSION = "session"  # a session at the delivery service that this device did not open
    KEY_PACKAGE = "key-package"  # a key package of this device that it did not make
    MESSAGE = "message"  # an own message in a log that this device did not send
    EVICTION = "eviction"  # the delivery service wants somebody removed for a reason that is false
    LOG = "log"  # a log of certificates was caught, or is a new one


SAME_EVENT = 30  # seconds by which two services may date one event differently
AHEAD = 86_400  # seconds that a service's clock may be ahead of this device's

_NEW_KEY = (
    "Enrol again in a new folder, so that you get a new key (RINGTRUE_HOME=FOLDER ringtrue enroll NUMBER); your "
    "contacts are told that you have a new key. Then have the old key revoked from the new device (ringtrue devices "
    "remove KEY --lost) or by the authority's operator, and report what you did not write."
)
_COPY = "Somebody has a copy of this device's key, or an old copy of this account's folder was used or restored. "
ADVICE = {
    AlarmKind.CERTIFICATE: (
        "If it is another device of yours (you have just linked one?), put it away as yours. If not, remove it "
        f"(ringtrue devices), and ask your operator whether your number was ported or its SIM replaced. {_NEW_KEY}"
    ),
    AlarmKind.RENEWAL: f"{_COPY}If you did neither: {_NEW_KEY}",
    AlarmKind.SESSION: f"{_COPY}If you did neither: {_NEW_KEY}",
    AlarmKind.KEY_PACKAGE: f"{_COPY}Who adds you to a chat may reach them instead. If you did neither: {_NEW_KEY}",
    AlarmKind.LOG: (
        "Who runs the log, or the authority that names it, may hide a certificate for your number from you. Ask the "
        "authority's operator, and others of this authority whether their program says the same. Until then an empty "
        "list of alarms says less than it did."
    ),
    AlarmKind.EVICTION: (
        "Nothing is to be done to keep that device in the chat. Ask the delivery service's operator why, and the "
        "others whether their programs say the same. If it goes on, move to another service."
    ),
    AlarmKind.MESSAGE: f"{_COPY}Ask the others in the chat what it said. If you did neither: {_NEW_KEY}",
}
SIGN = "there is a sign that your number or this device's key is used elsewhere"
OTHER_SIGNS = {
    AlarmKind.EVICTION: "the delivery service wants somebody removed from a chat for a reason that does not hold",
    AlarmKind.LOG: "a log of certificates is not what it has to be",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row. `subject` is what it is about; `happened_at` is by the clock of the service that told of it."""

    id: int
    kind: AlarmKind
    subject: str
    words: str
    happened_at: int
    raised_at: int
    acknowledged_at: int | None

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]


_SELECT = "SELECT id, kind, subject, words, happened_at, raised_at, acknowledged_at FROM alarm"


class Alarms:
    """The rows of `alarm`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def raise_(self, kind: AlarmKind, subject: str, words: str, happened_at: int, now: int) -> bool:
        """Raise an alarm, once for each subject; returns whether it is new. No service's clock is believed for long."""
        happened_at = min(max(happened_at, 0), now + AHEAD)
        insert = "INSERT OR IGNORE INTO alarm (kind, subject, words, happened_at, raised_at) VALUES (?, ?, ?, ?, ?)"
        return self._store.execute(insert, kind, subject, words, happened_at, now) > 0

    def all(self, *, acknowledged: bool = False) -> list[Alarm]:
        """The alarms that wait, the newest first; with `acknowledged` also those that were put away."""
        condition = "" if acknowledged else " WHERE acknowledged_at IS NULL"
        return [_alarm(row) for row in self._store.rows(f"{_SELECT}{condition} ORDER BY id DESC")]

    def near(self, kind: AlarmKind, happened_at: int) -> bool:
        """Whether there was one of this kind for what happened in that minute: another service has told of it."""
        between = (happened_at - SAME_EVENT, happened_at + SAME_EVENT)
        query = "SELECT 1 FROM alarm WHERE kind = ? AND happened_at BETWEEN ? AND ?"
        return self._store.row(query, kind, *between) is not None

    def waiting(self) -> int:
        """How many nobody has put away."""
        row = self._store.row("SELECT count(*) FROM alarm WHERE acknowledged_at IS NULL")
        return 0 if row is None else int(row[0])

    def newest_sign(self) -> str:
        """What kind of sign the newest alarm that waits is, for a person."""
        row = self._store.row("SELECT kind FROM alarm WHERE acknowledged_at IS NULL ORDER BY id DESC LIMIT 1")
        return SIGN if row is None else OTHER_SIGNS.get(AlarmKind(row[0]), SIGN)

    def get(self, alarm: int) -> Alarm:
        """One alarm. Raises ChatError."""
        row = self._store.row(f"{_SELECT} WHERE id = ?", alarm)
        if row is None:
            raise ChatError(f"there is no alarm {alarm}", code="unknown-alarm", hint="See: ringtrue alarms list")
        return _alarm(row)

    def acknowledge(self, alarm: int, now: int) -> None:
        """Put an alarm away. Raises ChatError."""
        self.get(alarm)
        self._store.execute("UPDATE alarm SET acknowledged_at = coalesce(acknowledged_at, ?) WHERE id = ?", now, alarm)


def _alarm(row: Row) -> Alarm:
    id_, kind, *rest = row
    return Alarm(id_, AlarmKind(kind), *rest)
