"""What this device has read of each group's log: enough of the present and the last epoch to compare with others."""

import hashlib
from dataclasses import dataclass
from enum import Enum, auto

from client.defence.witness import UNKNOWN, Witness, advance, start
from client.storage.store import Store
from delivery_service.wire import Entry

KEPT = 4096  # entries of one epoch whose digests are kept; a witness that speaks of an earlier one says nothing
PRUNE_AT = 256  # entries between two looks at what may go

START = "start"  # the kind of the row with which an epoch begins


class Comparison(Enum):
    """What a member's witness says beside this device's own record."""

    AGREES = auto()
    DIFFERS = auto()
    BEYOND = auto()  # it speaks of entries that this device does not have
    UNKNOWN = auto()  # of what this device has no record of


@dataclass(frozen=True, slots=True)
class Last:
    """The last entry that was dealt with."""

    epoch: int
    seq: int
    digest: bytes
    at_ms: int


class LogRecord:
    """The rows of `log_entry`; every change belongs into the transaction that deals with the entry."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, group_id: bytes, epoch: int, authenticator: bytes, seq: int, at_ms: int = 0) -> None:
        """Begin the record of an epoch at the place of its commit; the epoch before the last one is forgotten."""
        self._store.execute(
            "DELETE FROM log_entry WHERE group_id = ? AND epoch NOT IN (?, ?)", group_id, epoch - 1, epoch
        )
        self._add(group_id, seq, epoch, START, b"", at_ms, start(authenticator, seq))

    def append(self, group_id: bytes, entry: Entry) -> None:
        """Add an entry that was dealt with, readable or not; without a beginning there is no record."""
        last = self.last(group_id)
        if last is None:
            return
        body = hashlib.sha256(entry.body).digest()
        digest = advance(last.digest, entry.seq, entry.kind, body)
        self._add(group_id, entry.seq, last.epoch, entry.kind, body, entry.at_ms, digest)
        if entry.seq % PRUNE_AT == 0:
            self._store.execute("DELETE FROM log_entry WHERE group_id = ? AND seq < ?", group_id, entry.seq - KEPT)

    def miss(self, group_id: bytes, seq: int) -> None:
        """Note that the entries up to this place were not shown: what follows in this epoch cannot be compared."""
        last = self.last(group_id)
        if last is not None:
            self._add(group_id, seq, last.epoch, "missing", b"", last.at_ms, UNKNOWN)

    def cut(self, group_id: bytes, first: int) -> None:
        """Forget everything from an entry on: it was taken back."""
        self._store.execute("DELETE FROM log_entry WHERE group_id = ? AND seq >= ?", group_id, first)

    def forget(self, group_id: bytes) -> None:
        """Forget a group that this device is no member of."""
        self._store.execute("DELETE FROM log_entry WHERE group_id = ?", group_id)

    def last(self, group_id: bytes) -> Last | None:
        """The last entry that was dealt with; None before there is a record."""
        row = self._store.row(
            "SELECT epoch, seq, digest, at_ms FROM log_entry WHERE group_id = ? ORDER BY epoch DESC, seq DESC LIMIT 1",
            group_id,
        )
        return None if row is None else Last(*row)

    def witness(self, group_id: bytes) -> Witness | None:
        """What this device can say about the log now; None where it misses entries or has no record."""
        last = self.last(group_id)
        if last is None or last.digest == UNKNOWN:
            return None
        return Witness(last.epoch, last.seq, last.digest)

    def compare(self, group_id: bytes, witness: Witness) -> Comparison:
        """Hold a member's witness beside this record, which ends before the entry that brought the witness."""
        row = self._store.row(
            "SELECT digest FROM log_entry WHERE group_id = ? AND epoch = ? AND seq = ?",
            group_id,
            witness.epoch,
            witness.seq,
        )
        if row is not None:
            known = row[0] != UNKNOWN
            return (
                (Comparison.AGREES if row[0] == witness.digest else Comparison.DIFFERS) if known else Comparison.UNKNOWN
            )
        return self._without_row(group_id, witness)

    def _without_row(self, group_id: bytes, witness: Witness) -> Comparison:
        last = self.last(group_id)
        if last is None or last.digest == UNKNOWN or witness.epoch > last.epoch:
            return Comparison.UNKNOWN
        if witness.epoch == last.epoch:
            return Comparison.BEYOND if witness.seq > last.seq else Comparison.UNKNOWN
        ended = self._store.row(
            "SELECT a.seq FROM log_entry a JOIN log_entry b USING (group_id) WHERE a.group_id = ? AND a.epoch = ? "
            "AND a.kind = 'start' AND b.epoch = ? AND b.kind = 'start'",
            group_id,
            witness.epoch + 1,
            witness.epoch,
        )
        # An epoch ends at the place of the next one's commit: nobody can have read further in it.
        return Comparison.DIFFERS if ended is not None and witness.seq >= ended[0] else Comparison.UNKNOWN

    def has_read(self, group_id: bytes, body: bytes) -> bool:
        """Whether these octets were dealt with in the present or the last epoch; looks at every row."""
        query = "SELECT 1 FROM log_entry WHERE group_id = ? AND body = ?"
        return self._store.row(query, group_id, hashlib.sha256(body).digest()) is not None

    def is_whole(self, group_id: bytes) -> bool:
        """Whether everything that was dealt with in the present epoch is still here."""
        last = self.last(group_id)
        row = self._store.row(
            "SELECT 1 FROM log_entry WHERE group_id = ? AND epoch = ? AND kind = ?",
            group_id,
            -1 if last is None else last.epoch,
            START,
        )
        return row is not None

    def fill(self, group_id: bytes, entries: list[Entry]) -> None:
        """Put entries that came late into their places, and compute anew what follows them."""
        last = self.last(group_id)
        if last is None:
            return
        for entry in entries:
            body = hashlib.sha256(entry.body).digest()
            self._add(group_id, entry.seq, last.epoch, entry.kind, body, entry.at_ms, UNKNOWN)
        self._recompute(group_id, last.epoch)

    def _recompute(self, group_id: bytes, epoch: int) -> None:
        rows = self._store.rows(
            "SELECT seq, kind, body, digest FROM log_entry WHERE group_id = ? AND epoch = ? ORDER BY seq",
            group_id,
            epoch,
        )
        if rows[0][1] != START:
            return  # the beginning is pruned
        digest, before = rows[0][3], rows[0][0]
        for seq, kind, body, _ in rows[1:]:
            whole = seq == before + 1 and kind != "missing"
            digest, before = advance(digest, seq, kind, body) if whole else UNKNOWN, seq
            self._store.execute(
                "UPDATE log_entry SET digest = ? WHERE group_id = ? AND epoch = ? AND seq = ?",
                digest,
                group_id,
                epoch,
                seq,
            )

    def _add(self, group_id: bytes, seq: int, epoch: int, kind: str, body: bytes, at_ms: int, digest: bytes) -> None:
        self._store.execute(
            "INSERT OR REPLACE INTO log_entry (group_id, seq, epoch, kind, body, at_ms, digest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            group_id,
            seq,
            epoch,
            kind,
            body,
            at_ms,
            digest,
        )
