"""Reading the history a page at a time, and all chats as a list: queries that take no longer as the history grows."""

from dataclasses import dataclass

from client.defence.admission import Consent, Place
from client.records.chats import Chat, Chats
from client.records.history import History
from client.records.message import Message
from client.records.outbox import OPEN
from client.storage.store import Row, Store

# The subqueries walk the index of listed rows: backwards to the last one, and over what came after the last seen.
_OVERVIEW = """
SELECT c.group_id, m.text, m.latest, m.withdrawn, m.kind, m.sender, m.arrived, m.verdict,
    (SELECT count(*) FROM message u WHERE u.group_id = c.group_id AND u.id > c.seen AND u.place = 'inbox'
        AND u.kind = 'received' AND u.withdrawn = 0),
    (SELECT count(*) FROM message u WHERE u.group_id = c.group_id AND u.id > c.seen AND u.place = 'inbox'
        AND u.mention = 1 AND u.withdrawn = 0), m.id
FROM chat c LEFT JOIN message m ON m.id =
    (SELECT max(l.id) FROM message l WHERE l.group_id = c.group_id AND l.place = 'inbox')
WHERE c.consent = ?
"""
# The condition of a partial index, word for word: only then does SQLite use it.
_APART = "place IN ('request', 'quarantine')"
_WAITING = f"SELECT group_id, sum(state <> 'accepted') FROM outbox WHERE {OPEN} GROUP BY 1"  # noqa: S608 - constant
_HELD = f"SELECT group_id, count(*) FROM message WHERE place = 'quarantine' AND {_APART} GROUP BY 1"  # noqa: S608 - constant
_FAILED = "SELECT group_id, count(*) FROM outbox WHERE state = 'failed' GROUP BY 1"


@dataclass(frozen=True, slots=True)
class Overview:
    """One chat and what its line in a list says; `last_…` are of the last row that is shown, if there is one."""

    chat: Chat
    last_text: str
    last_kind: str
    last_sender: str
    last_at: int | None
    last_verdict: str
    unread: int
    mentions: int
    waiting: int
    failed: int
    quarantined: int
    last_row: int | None = None


class Browsing:
    """Pages and lists."""

    def __init__(self, store: Store, chats: Chats, history: History) -> None:
        self._store = store
        self._chats = chats
        self._history = history

    def page(self, group_id: bytes, before: int | None, limit: int) -> list[Message]:
        """The last rows that are shown in a chat, or those before a row, oldest first."""
        bound = 2**63 - 1 if before is None else before
        return self._history.select(
            "WHERE m.group_id = ? AND m.id < ? AND m.place = 'inbox' ORDER BY m.id DESC LIMIT ?", group_id, bound, limit
        )[::-1]

    def after(self, group_id: bytes, row: int, limit: int) -> list[Message]:
        """The rows that are shown after a row, oldest first."""
        return self._history.select(
            "WHERE m.group_id = ? AND m.id > ? AND m.place = 'inbox' ORDER BY m.id LIMIT ?", group_id, row, limit
        )

    def since(self, row: int, limit: int) -> list[Message]:
        """Every row of any chat after a row, wherever it is shown."""
        return self._history.select("WHERE m.id > ? ORDER BY m.id LIMIT ?", row, limit)

    def last_row(self) -> int:
        """The newest row of all."""
        row = self._store.row("SELECT max(id) FROM message")
        return 0 if row is None or row[0] is None else int(row[0])

    def rows(self, ids: list[int]) -> list[Message]:
        """These rows, in the order given."""
        marks = ", ".join("?" * len(ids))
        found = {message.id: message for message in self._history.select(f"WHERE m.id IN ({marks})", *ids)}
        return [found[id_] for id_ in ids if id_ in found]

    def first_unread(self, group_id: bytes) -> int | None:
        """The oldest row of others that nobody has seen yet."""
        row = self._store.row(
            "SELECT min(m.id) FROM message m JOIN chat c ON c.group_id = m.group_id WHERE m.group_id = ? "
            "AND m.id > c.seen AND m.place = 'inbox' AND m.kind = 'received'",
            group_id,
        )
        return None if row is None else row[0]

    def apart(self, place: Place, group_id: bytes | None = None, limit: int = 1000) -> list[Message]:
        """What is shown elsewhere than in the inbox, newest first."""
        return self._history.select(
            f"WHERE m.place = ? AND m.{_APART} AND (? IS NULL OR m.group_id = ?) ORDER BY m.id DESC LIMIT ?",
            place,
            group_id,
            group_id,
            limit,
        )

    def count_waiting(self) -> int:
        """How many own messages the service has not answered."""
        row = self._store.row(f"SELECT count(*) FROM outbox WHERE state <> 'accepted' AND {OPEN}")  # noqa: S608 - constant
        return 0 if row is None else int(row[0])

    def count_unread(self) -> int:
        """How many messages of others nobody has seen, in all chats of the inbox."""
        row = self._store.row(
            "SELECT count(*) FROM chat c JOIN message u ON u.group_id = c.group_id AND u.id > c.seen "
            "AND u.place = 'inbox' AND u.kind = 'received' AND u.withdrawn = 0 WHERE c.consent = 'inbox'"
        )
        return 0 if row is None else int(row[0])

    def count_waiting_chats(self, consent: Consent) -> int:
        """How many chats of this consent there are, and how many numbers that ask to be let through."""
        row = self._store.row(
            "SELECT (SELECT count(*) FROM chat WHERE consent = ?1) "
            "+ (SELECT count(DISTINCT number) FROM contact_request WHERE consent = ?1)",
            consent,
        )
        return 0 if row is None else int(row[0])

    def count_apart(self, place: Place) -> int:
        """How many rows are shown there."""
        row = self._store.row(f"SELECT count(*) FROM message WHERE place = ? AND {_APART}", place)  # noqa: S608 - constant
        return 0 if row is None else int(row[0])

    def overview(self, consent: Consent, group_id: bytes | None = None) -> list[Overview]:
        """The chats of one kind, or one of them, each with its last row and its counts."""
        known = self._chats.all() if group_id is None else [self._chats.get(group_id)]
        chats = {chat.group_id: chat for chat in known if chat is not None}
        own = self._own_counts()
        held: dict[bytes, int] = dict(self._store.rows(_HELD))
        return [
            _overview(chats[row[0]], row, own.get(row[0], (0, 0)), held.get(row[0], 0))
            for row in self._overview_rows(consent, group_id)
        ]

    def _overview_rows(self, consent: Consent, group_id: bytes | None) -> list[Row]:
        if group_id is None:
            return self._store.rows(_OVERVIEW, consent)
        return self._store.rows(f"{_OVERVIEW} AND c.group_id = ?", consent, group_id)

    def _own_counts(self) -> dict[bytes, tuple[int, int]]:
        waiting: dict[bytes, int] = dict(self._store.rows(_WAITING))
        failed: dict[bytes, int] = dict(self._store.rows(_FAILED))
        return {group: (waiting.get(group, 0), failed.get(group, 0)) for group in waiting.keys() | failed.keys()}


def _overview(chat: Chat, row: Row, own: tuple[int, int], held: int) -> Overview:
    _, text, latest, withdrawn, kind, sender, arrived, verdict, unread, mentions, last = row
    words = "" if withdrawn or text is None else latest if latest is not None else text
    return Overview(chat, words, kind or "", sender or "", arrived, verdict or "", unread, mentions, *own, held, last)
