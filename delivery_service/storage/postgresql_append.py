"""Appends on PostgreSQL: application messages of many groups in one transaction, each judged by itself.

The groups' rows are locked in order, then a statement whose snapshot is later than the locks compares and sets. What
else changes a group's epoch, members or log changes its row too, and so waits for the lock or is run again. One trip to
the server carries all of it. Entries of one key never share a transaction: the later gets the answer of the earlier.

An earlier entry is looked for by an order that only the index of keys has: for an equality the planner may choose to
read all that a group has ever said.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg.errors import LockNotAvailable

from delivery_service.errors import RefusedError, StoreError
from delivery_service.storage import rules
from delivery_service.storage.lane import Item
from delivery_service.storage.postgresql_link import FAILURES, Link
from delivery_service.storage.postgresql_works import LOCK, RACES
from delivery_service.storage.values import KINDS, NewEntry, entry_checksum
from delivery_service.wire import Appended

TURNS = 4  # times that a transaction is begun which was lost or raced: a repeat gets the first answer

_APPEND = """
WITH new AS MATERIALIZED (
  SELECT * FROM unnest(
    %(group_id)b::bytea[], %(device)b::bytea[], %(epoch)b::bigint[], %(key)b::bytea[], %(digest)b::bytea[],
    %(at_ms)b::bigint[], %(body)b::bytea[], %(frank)b::bytea[], %(checksum)b::bigint[]
  ) WITH ORDINALITY AS new (group_id, device, epoch, key, digest, at_ms, body, frank, checksum, place)
), judged AS MATERIALIZED (
  SELECT new.*, g.number, g.epoch AS current, g.head, l.seq AS earlier_seq, l.epoch AS earlier_epoch,
    l.digest AS earlier_digest, EXISTS (
      SELECT 1 FROM memberships m WHERE m.group_number = g.number AND m.device = new.device AND m.until IS NULL
    ) AS member
  FROM new LEFT JOIN groups g ON g.group_id = new.group_id
    LEFT JOIN LATERAL (
      SELECT * FROM log WHERE (group_number, log.key) >= (g.number, new.key) ORDER BY group_number, log.key LIMIT 1
    ) l ON l.group_number = g.number AND l.key = new.key
), placed AS MATERIALIZED (
  SELECT *, row_number() OVER (PARTITION BY number, accepted ORDER BY place) AS next
  FROM (SELECT *, earlier_seq IS NULL AND member AND current = epoch AS accepted FROM judged) admitted
), advanced AS (
  UPDATE groups SET head = groups.head + taken.entries,
    unsettled = CASE WHEN groups.unsettled = ALL (taken.devices) THEN groups.unsettled END
  FROM (
    SELECT number, max(next) AS entries, array_agg(device) AS devices FROM placed WHERE accepted GROUP BY number
  ) taken
  WHERE groups.number = taken.number
), inserted AS (
  INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, frank, checksum)
  SELECT number, head + next, epoch, %(kind)s, key, digest, at_ms, body, frank, checksum
  FROM placed WHERE accepted ORDER BY place
)
SELECT number, current, head, member, earlier_seq, earlier_epoch, earlier_digest, accepted, head + next
FROM placed ORDER BY place
"""
_KIND = KINDS.index("application")
_COLUMNS = ("group_id", "device", "epoch", "key", "digest", "at_ms", "body", "frank")


class AppendSession:
    """See Session: the first argument of each request is the entry to append."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def transact(self, items: list[Item]) -> None:
        """See Session."""
        left = list(items)
        try:
            while left:
                batch, left = _distinct(left)
                self._settle(batch)
        except StoreError as error:
            for item in items:
                if item.value is None and item.error is None:
                    item.error = error

    def close(self) -> None:
        """See Session."""
        self._link.close()

    def _settle(self, items: list[Item]) -> None:
        """Appends together; if that fails each group by itself, and if that fails each entry."""
        error = self._turns([item.arguments[0] for item in items], items)
        if error is None:
            return
        parts = _by_group(items)
        if len(parts) == 1:
            if len(items) == 1 or isinstance(error, LockNotAvailable):  # which each of them would wait for again
                for item in items:
                    item.error = StoreError(f"{type(error).__name__}: {error}")
                return
            parts = [[item] for item in items]
        for part in parts:
            self._settle(part)

    def _turns(self, entries: list[NewEntry], items: list[Item]) -> Exception | None:
        for _ in range(TURNS):
            try:
                rows = self._append(entries)
            except FAILURES as error:
                failure = error
                known = self._link.undo()
                if isinstance(error, LockNotAvailable) or (known and not isinstance(error, RACES)):
                    return error
            else:
                for row, entry, item in zip(rows, entries, items, strict=True):
                    _answer(row, entry, item)
                return None
        if isinstance(failure, RACES):
            return failure
        raise StoreError(f"the connection to the database keeps being lost: {failure}") from failure

    def _append(self, entries: Sequence[NewEntry]) -> list[tuple[Any, ...]]:
        values: dict[str, object] = {column: [getattr(entry, column) for entry in entries] for column in _COLUMNS}
        values["checksum"] = [_checksum(entry) for entry in entries]
        connection = self._link.begin()
        with connection.pipeline():
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            connection.execute(LOCK, values, binary=True)
            cursor = connection.execute(_APPEND, {**values, "kind": _KIND}, binary=True)
            connection.execute("COMMIT")
        rows = cursor.fetchall()
        self._link.end(wrote=any(accepted for *_, accepted, _seq in rows))
        return rows


def _checksum(entry: NewEntry) -> int:
    return entry_checksum(entry.epoch, _KIND, entry.key, entry.at_ms, entry.body, entry.frank)


def _distinct(items: Iterable[Item]) -> tuple[list[Item], list[Item]]:
    """Requests with different keys, and those that wait for the answer to the same key."""
    seen: set[tuple[bytes, bytes]] = set()
    batch: list[Item] = []
    later: list[Item] = []
    for item in items:
        entry: NewEntry = item.arguments[0]
        (later if (entry.group_id, entry.key) in seen else batch).append(item)
        seen.add((entry.group_id, entry.key))
    return batch, later


def _by_group(items: Iterable[Item]) -> list[list[Item]]:
    groups: dict[bytes, list[Item]] = {}
    for item in items:
        groups.setdefault(item.arguments[0].group_id, []).append(item)
    return list(groups.values())


def _answer(row: tuple[Any, ...], entry: NewEntry, item: Item) -> None:
    number, epoch, head, member, earlier_seq, earlier_epoch, earlier_digest, accepted, seq = row
    if accepted:
        item.value = Appended(seq, entry.epoch)
        return
    earlier = None if earlier_seq is None else rules.Earlier(earlier_seq, earlier_epoch, earlier_digest)
    try:
        item.value = rules.earlier_answer(earlier, entry.digest)
        if item.value is None:
            rules.admit(None if number is None else rules.Standing(epoch, head, member), entry)
            raise StoreError("the group changed within one transaction")
    except (RefusedError, StoreError) as error:
        item.error = error
