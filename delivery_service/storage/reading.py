"""Reading: a group's entries within a membership, heads, and the inbox."""

from collections.abc import Iterable
from typing import Any

from delivery_service.errors import RefusedError
from delivery_service.storage import operation
from delivery_service.storage.consent import contact_head
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import KINDS, Heads, ReadEntries, entry_checksum
from delivery_service.wire import BATCH_ENTRIES, BATCH_OCTETS, COMMIT_LIMIT, Entry, WelcomeItem

# One row for each term of the device; one without a term if it never was a member.
_GROUP = """
SELECT since, until, number, head, floor, EXISTS (SELECT 1 FROM lost_entries l WHERE l.group_number = number), (
  SELECT min(r.first) FROM rollbacks r WHERE r.group_number = groups.number AND r.seq > :after
), (
  SELECT u.seq FROM unsettled u WHERE u.group_number = groups.number AND groups.unsettled IS NOT NULL
) FROM groups LEFT JOIN memberships m ON m.group_number = number AND device = :device
WHERE group_id = :group_id ORDER BY since
"""
_ENTRIES = """
SELECT seq, epoch, kind, key, at_ms, body, frank, checksum FROM log
WHERE group_number = :number AND seq > :low AND seq <= :high ORDER BY seq LIMIT :most
"""
_SIZES = """
SELECT seq, octet_length(body) FROM log
WHERE group_number = :number AND seq > :low AND seq <= :high ORDER BY seq LIMIT :most
"""
_INBOX = """
SELECT position, group_id, seq, at_ms, body FROM inbox JOIN welcomes ON number = welcome
WHERE device = :device AND position > :after AND position <= :last ORDER BY position
"""
_INBOX_SIZES = """
SELECT position, octet_length(body) FROM inbox JOIN welcomes ON number = welcome
WHERE device = :device AND position > :after ORDER BY position LIMIT :most
"""
_HEADS = """
SELECT group_id, max(coalesce(until, head)), count(*) FILTER (WHERE until IS NULL)
FROM memberships JOIN groups ON number = group_number WHERE device = :device GROUP BY group_id
"""
_USED_LAST_RESORT = "SELECT 1 FROM key_packages WHERE device = :device AND state = 3 AND handed_out > 0 LIMIT 1"
_UNWANTED = "DELETE FROM welcomes WHERE number = :number AND NOT EXISTS (SELECT 1 FROM inbox WHERE welcome = :number)"
_FEW = BATCH_OCTETS // COMMIT_LIMIT  # so many entries are never too large for a batch

Interval = tuple[int, int]  # after the first, up to and including the second sequence number


def read(tx: Transaction, group_id: bytes, device: bytes, after: int) -> ReadEntries:
    """Entries after the cursor that fall into the device's memberships, at most one batch of them."""
    rows = tx.rows(_GROUP, group_id=group_id, device=device, after=after)
    if not rows:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    number, head, floor, has_lost, *undone = rows[0][2:]
    settled = min([head, *(first - 1 for first in undone if first is not None)])
    terms: list[tuple[int, int | None]] = [row[:2] for row in rows if row[0] is not None]
    if not terms:
        raise RefusedError("not-a-member", "the device was never a member of this group")
    intervals = [(max(since, after), head if until is None else until) for since, until in terms]
    intervals = [(low, high) for low, high in intervals if low < high]
    if intervals and intervals[0][0] + 1 < floor:
        raise RefusedError("gone", f"entries before {floor} are no longer kept", floor=floor)
    last = terms[-1][1]
    settled = settled if last is None else min(settled, last)  # who was removed does not hear how it goes on
    kept = operation.check_lost(tx, number, intervals[0][0]) if intervals and has_lost else None
    shown = intervals if kept is None else [(low, min(high, kept)) for low, high in intervals if low < kept]
    entries = _entries(tx, number, shown)
    more = bool(intervals) and (not entries or entries[-1].seq < intervals[-1][1])
    return ReadEntries(entries, head if last is None else last, more, last is None, settled)


def heads(tx: Transaction, device: bytes) -> Heads:
    """The last readable sequence number of each group that the device is or was in, and of its inbox."""
    rows = tx.rows(_HEADS, device=device)
    current = frozenset(group_id for group_id, _, member in rows if member)
    requests = contact_head(tx, device.partition(b"/")[0].decode())
    rotate = tx.value(_USED_LAST_RESORT, device=device) is not None
    return Heads({group_id: head for group_id, head, _ in rows}, current, _inbox_head(tx, device), requests, rotate)


def inbox(tx: Transaction, device: bytes, after: int) -> tuple[list[WelcomeItem], int]:
    """Welcomes after the cursor, at most one batch of them, and the inbox's last position."""
    last = _reach(tx.rows(_INBOX_SIZES, device=device, after=after, most=BATCH_ENTRIES), BATCH_OCTETS)
    rows = tx.rows(_INBOX, device=device, after=after, last=last) if last else []
    return [WelcomeItem(*row) for row in rows], _inbox_head(tx, device)


def acknowledge(tx: Transaction, device: bytes, position: int) -> None:
    """Deletes a device's Welcomes up to a position, and the stored copies that nobody waits for any more."""
    done = "DELETE FROM inbox WHERE device = :device AND position <= :position RETURNING welcome"
    drop_welcomes(tx, [number for (number,) in tx.rows(done, device=device, position=position)])


def drop_welcomes(tx: Transaction, numbers: Iterable[int]) -> None:
    """Deletes those of the Welcomes that no inbox points to."""
    for number in sorted(set(numbers)):
        tx.run(_UNWANTED, number=number)


def _entries(tx: Transaction, number: int, intervals: list[Interval]) -> list[Entry]:
    entries: list[Entry] = []
    room = BATCH_OCTETS
    for low, high in intervals:
        if room <= 0 or len(entries) == BATCH_ENTRIES:
            break
        most = BATCH_ENTRIES - len(entries)
        if high - low > _FEW or entries:
            high = _reach(tx.rows(_SIZES, number=number, low=low, high=high, most=most), room)
        rows = tx.rows(_ENTRIES, number=number, low=low, high=high, most=most)
        if not rows:
            raise ValueError(f"the database is damaged: entry {low + 1} of a group is not where it must be")
        for place, row in enumerate(rows, low + 1):
            entries.append(_entry(place, *row))
            room -= len(entries[-1].body)
    return entries


def _entry(place: int, seq: int, epoch: int, kind: int, key: bytes, at_ms: int, body: bytes, *rest: Any) -> Entry:
    """An entry as it was written. Raises ValueError if it is not: SQLite does not look, and a disk may forget."""
    frank, checksum = rest
    if seq != place or checksum not in (None, entry_checksum(epoch, kind, key, at_ms, body, frank)):
        raise ValueError(f"the database is damaged: entry {place} of a group is not what was written")
    return Entry(seq, epoch, KINDS[kind], key.hex(), at_ms, body, frank)


def _reach(sizes: list[tuple[Any, ...]], room: int) -> int:
    """The last of the rows, by number and octets, that a batch takes: it ends after the one that fills it."""
    for number, octets in sizes:
        room -= octets
        if room <= 0:
            return int(number)
    return int(sizes[-1][0]) if sizes else 0


def _inbox_head(tx: Transaction, device: bytes) -> int:
    return tx.value("SELECT head FROM inbox_heads WHERE device = :device", device=device) or 0
