"""What messages do to each other: edits and withdrawals change a row, reactions gather at it, timers end it.

A row's present words follow from all that was said about it and still stands, so the order in which things arrive, and
what becomes of one's own, make no difference. Only what the same number sent about its own message counts.
"""

import json
from collections.abc import Sequence

from client.errors import ChatError
from client.formats.content import decode
from client.formats.reading import Attached, Edited, read
from client.records.history import History
from client.records.message import FINDABLE, Kind, Message
from client.storage.store import Store
from client.words.wording import describe_text
from identity.number import TelephoneNumber

_STANDING = (
    "SELECT m.id, m.kind, p.framed FROM message m JOIN proof p ON p.message = m.id "
    "LEFT JOIN outbox o ON o.message = m.id WHERE m.replaces = ? "
    "AND m.group_id = ? AND m.sender = ? AND m.place = 'aside' AND coalesce(o.state, '') <> 'failed' ORDER BY m.id"
)


class Relations:
    """Keeps rows in agreement with what was said about them, inside the caller's transaction."""

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history

    def target(self, row: int) -> int | None:
        """The row that an aside row is about; None if this device does not have it, or it is not the sender's own."""
        aside = self._history.get(row)
        name, own_only = (aside.in_reply_to, False) if aside.kind is Kind.REACTION else (aside.replaces, True)
        found = self._store.row(
            "SELECT id, sender FROM message WHERE message_id = ? AND group_id = ? AND message_id <> '' ORDER BY id",
            name,
            aside.group_id,
        )
        if found is None or aside.sender is None or (own_only and found[1] != aside.sender.e164):
            return None
        return int(found[0])

    def apply(self, row: int) -> None:
        """Let an aside row, which was added or failed just now, take effect."""
        target = self.target(row)
        if target is not None and self._history.get(row).kind is not Kind.REACTION:
            self._refresh(target)

    def standing_edit(self, message: Message) -> Message | None:
        """The row of the edit whose words stand in a message's place."""
        if message.latest is None or message.sender is None:
            return None
        standing = self._store.rows(_STANDING, message.message_id, message.group_id, message.sender.e164)
        edits = [row for row, kind, _ in standing if kind == Kind.EDIT]
        return self._history.get(edits[-1]) if edits else None

    def reactions(self, group_id: bytes, message_id: str) -> list[tuple[str, TelephoneNumber, int]]:
        """Who reacted to a message: emoji, number and the reaction's row, in order."""
        rows = self._store.rows(
            "SELECT m.text, m.sender, m.id FROM message m LEFT JOIN outbox o ON o.message = m.id "
            "WHERE m.in_reply_to = ? AND m.kind = 'reaction' AND m.group_id = ? AND m.place = 'aside' "
            "AND m.withdrawn = 0 AND coalesce(o.state, '') <> 'failed' ORDER BY m.id",
            message_id,
            group_id,
        )
        return [(emoji, TelephoneNumber.from_digits(sender[1:]), row) for emoji, sender, row in rows]

    def settle(self, row: int) -> None:
        """Let an own aside row take its last effect, now that it stands in the log.

        What a withdrawal took back is erased; what was about a message that has disappeared meanwhile follows it.
        """
        aside = self._history.get(row)
        if not aside.kind.is_aside:
            return
        target = self.target(row)
        if target is None:
            self._delete(row)
        elif aside.kind is Kind.DELETION:
            self._erase(target)

    def admit_group(self, group_id: bytes, let_go: Sequence[int]) -> None:
        """Move what waited behind a chat, and of what was held back these rows, to the inbox, where it takes effect."""
        self._store.execute(
            "UPDATE message SET place = CASE WHEN kind IN ('edit', 'deletion', 'reaction') THEN 'aside' ELSE 'inbox' "
            "END, why = '', rule = '' WHERE group_id = ? "
            "AND (place = 'request' OR id IN (SELECT value FROM json_each(?)))",
            group_id,
            json.dumps(let_go),
        )
        rows = self._store.rows("SELECT id, kind, text FROM message WHERE group_id = ? ORDER BY id", group_id)
        for row, kind, text in rows:
            if kind in FINDABLE:
                self._history.search.index(row, text)
        for row, kind, _ in rows:
            if Kind(kind).is_aside:
                self.apply(row)

    def forget_group(self, group_id: bytes) -> None:
        """Delete everything that was said in a chat."""
        for (row,) in self._store.rows("SELECT id FROM message WHERE group_id = ?", group_id):
            self._delete(row)

    def start_timers(self, group_id: bytes, seen: int, now: int) -> None:
        """Let what others wrote, up to this row, begin to end, because it has been seen."""
        self._store.execute(
            "UPDATE message SET ends_at = ? + lives_for WHERE group_id = ? AND id <= ? AND lives_for > 0 "
            "AND ends_at IS NULL AND kind = 'received'",
            now,
            group_id,
            seen,
        )

    def start_timer(self, row: int, now: int) -> None:
        """Let an own message begin to end, because everybody can read it now."""
        self._store.execute(
            "UPDATE message SET ends_at = ? + lives_for WHERE id = ? AND lives_for > 0 AND ends_at IS NULL", now, row
        )

    def end(self, now: int) -> list[int]:
        """Delete what is to disappear by now; returns those rows."""
        ended = [row[0] for row in self._store.rows("SELECT id FROM message WHERE ends_at <= ? ORDER BY id", now)]
        with self._store.transaction():
            for row in ended:
                self._delete_with_asides(row)
        return ended

    def next_end(self) -> int | None:
        """When the next message disappears."""
        row = self._store.row("SELECT min(ends_at) FROM message WHERE ends_at IS NOT NULL")
        return None if row is None else row[0]

    def _refresh(self, target: int) -> None:
        message = self._history.get(target)
        if message.sender is None or message.message_id == "":
            return
        standing = self._store.rows(_STANDING, message.message_id, message.group_id, message.sender.e164)
        taken_back = any(kind == Kind.DELETION for _, kind, _ in standing)
        edits = [framed for _, kind, framed in standing if kind == Kind.EDIT]
        latest = _edited(edits[-1]) if edits and message.kind in FINDABLE else None
        self._store.execute("UPDATE message SET withdrawn = ?, latest = ? WHERE id = ?", taken_back, latest, target)
        if message.kind in FINDABLE:
            self._history.search.index(target, "" if taken_back else message.text if latest is None else latest)
        if taken_back and message.state is None:
            self._erase(target)

    def _erase(self, target: int) -> None:
        """Keep of a message only that it was there, and of its edits too; a reaction keeps its emoji."""
        message = self._history.get(target)
        if message.kind not in FINDABLE:
            return
        self._give_up_file(message)
        self._history.search.forget(target)
        self._store.execute(
            "UPDATE message SET text = '', latest = NULL, attached = 0 WHERE id = ? "
            "OR (replaces = ? AND group_id = ? AND kind = 'edit')",
            target,
            message.message_id,
            message.group_id,
        )
        self._store.execute(
            "DELETE FROM proof WHERE message = ? OR message IN "
            "(SELECT id FROM message WHERE replaces = ? AND group_id = ? AND kind = 'edit')",
            target,
            message.message_id,
            message.group_id,
        )

    def _give_up_file(self, message: Message) -> None:
        """Note that the service need not keep the file of an own message any longer."""
        if message.kind is not Kind.SENT or not message.attached or not message.framed:
            return
        reading = read(decode(message.framed))
        if isinstance(reading, Attached):
            self._store.execute("INSERT OR IGNORE INTO blob_due (digest) VALUES (?)", reading.part.content_hash)

    def _delete_with_asides(self, row: int) -> None:
        try:
            message = self._history.get(row)
        except ChatError:
            return  # it went with another one
        if message.message_id:
            for (aside,) in self._store.rows(
                # An edit names also what its message answers: that one's end is not the edit's. What was posted and has
                # not come back stays until then, so that the log's copy is known as one's own (`settle`).
                "SELECT m.id FROM message m LEFT JOIN outbox o ON o.message = m.id WHERE m.group_id = ? "
                "AND ((m.kind IN ('edit', 'deletion') AND m.replaces = ?) "
                "OR (m.kind = 'reaction' AND m.in_reply_to = ?)) "
                "AND coalesce(o.state, '') NOT IN ('sending', 'accepted')",
                message.group_id,
                message.message_id,
                message.message_id,
            ):
                self._delete(aside)
        self._delete(row)

    def _delete(self, row: int) -> None:
        self._history.search.forget(row)
        self._store.execute("DELETE FROM outbox WHERE message = ?", row)
        self._store.execute("DELETE FROM proof WHERE message = ?", row)
        self._store.execute("DELETE FROM message WHERE id = ?", row)


def _edited(framed: bytes) -> str | None:
    if not framed:
        return None
    match read(decode(framed)):
        case Edited() as edited:
            return describe_text(edited)
    return None
