"""Reading from SQLite: a group's entries within a membership, heads, and the inbox."""

from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.storage.consent import contact_head
from delivery_service.storage.groups import KINDS
from delivery_service.storage.store import Heads, ReadEntries
from delivery_service.wire import BATCH_ENTRIES, BATCH_OCTETS, Entry, WelcomeItem

_ENTRIES = """
SELECT seq, epoch, kind, key, at_ms, body, frank FROM log
WHERE group_number = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""
_INBOX = """
SELECT position, group_id, seq, at_ms, body FROM inbox JOIN welcomes ON number = welcome
WHERE device = ? AND position > ? ORDER BY position LIMIT ?
"""
_HEADS = """
SELECT group_id, max(coalesce(until, head)), max(until IS NULL)
FROM memberships JOIN groups ON number = group_number WHERE device = ? GROUP BY number
"""

Interval = tuple[int, int]  # after the first, up to and including the second sequence number


def read(db: apsw.Connection, group_id: bytes, device: bytes, after: int) -> ReadEntries:
    """Entries after the cursor that fall into the device's memberships, at most one batch of them."""
    row = db.execute("SELECT number, head, floor FROM groups WHERE group_id = ?", (group_id,)).get
    if row is None:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    number, head, floor = row
    terms = _terms(db, number, device)
    intervals = [(max(since, after), head if until is None else until) for since, until in terms]
    intervals = [(low, high) for low, high in intervals if low < high]
    if intervals and intervals[0][0] + 1 < floor:
        raise RefusedError("gone", f"entries before {floor} are no longer kept", floor=floor)
    last = terms[-1][1]
    entries = _entries(db, number, intervals)
    more = bool(intervals) and (not entries or entries[-1].seq < intervals[-1][1])
    return ReadEntries(entries, head if last is None else last, more, last is None)


def heads(db: apsw.Connection, device: bytes) -> Heads:
    """The last readable sequence number of each group that the device is or was in, and of its inbox."""
    rows: list[Any] = db.execute(_HEADS, (device,)).fetchall()
    current = frozenset(group_id for group_id, _, member in rows if member)
    requests = contact_head(db, device.partition(b"/")[0].decode())
    return Heads({group_id: head for group_id, head, _ in rows}, current, _inbox_head(db, device), requests)


def inbox(db: apsw.Connection, device: bytes, after: int) -> tuple[list[WelcomeItem], int]:
    """Welcomes after the cursor, at most one batch of them, and the inbox's last position."""
    items, octets = [], 0
    rows: Any = db.execute(_INBOX, (device, after, BATCH_ENTRIES))
    for row in rows:
        items.append(WelcomeItem(*row))
        octets += len(row[4])
        if octets >= BATCH_OCTETS:
            break
    return items, _inbox_head(db, device)


def acknowledge(db: apsw.Connection, device: bytes, position: int) -> None:
    """Deletes a device's Welcomes up to a position, and the stored copies that nobody waits for any more."""
    done = "DELETE FROM inbox WHERE device = ? AND position <= ? RETURNING welcome"
    rows: list[Any] = db.execute(done, (device, position)).fetchall()
    drop_welcomes(db, [number for (number,) in rows])


def drop_welcomes(db: apsw.Connection, numbers: list[int]) -> None:
    """Deletes those of the Welcomes that no inbox points to."""
    for number in set(numbers):
        db.execute(
            "DELETE FROM welcomes WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM inbox WHERE welcome = ?1)", (number,)
        )


def _terms(db: apsw.Connection, number: int, device: bytes) -> list[tuple[int, int | None]]:
    terms: list[Any] = db.execute(
        "SELECT since, until FROM memberships WHERE group_number = ? AND device = ? ORDER BY since", (number, device)
    ).fetchall()
    if not terms:
        raise RefusedError("not-a-member", "the device was never a member of this group")
    return terms


def _entries(db: apsw.Connection, number: int, intervals: list[Interval]) -> list[Entry]:
    entries: list[Entry] = []
    octets = 0
    for low, high in intervals:
        rows: Any = db.execute(_ENTRIES, (number, low, high, BATCH_ENTRIES - len(entries)))
        for seq, epoch, kind, key, at_ms, body, frank in rows:
            entries.append(Entry(seq, epoch, KINDS[kind], key.hex(), at_ms, body, frank))
            octets += len(body)
            if octets >= BATCH_OCTETS:
                return entries
    return entries


def _inbox_head(db: apsw.Connection, device: bytes) -> int:
    head = db.execute("SELECT head FROM inbox_heads WHERE device = ?", (device,)).get
    return head if isinstance(head, int) else 0
