"""What this device has seen of each log: its key, its last head, how far it was read, and own promises."""

from collections.abc import Iterable
from dataclasses import dataclass

from client.storage.store import Row, Store
from identity.transparency.heads import TreeHead
from identity.transparency.log_key import LogKey
from identity.transparency.merkle import EMPTY_ROOT, HASH_SIZE, Frontier

_SELECT = "SELECT name, spki, url, size, head_ms, root, read, frontier, since, looked_at FROM certificate_log"


@dataclass(frozen=True, slots=True)
class SeenLog:
    """A log; `head` is the last one that was accepted, `frontier` of what was read. Times are in seconds."""

    key: LogKey
    url: str
    head: TreeHead
    frontier: Frontier
    since: int
    looked_at: int | None


@dataclass(frozen=True, slots=True)
class OwnPromise:
    """A log's promise that an own certificate is in its tree, from `at_ms` (milliseconds) plus the merge delay on."""

    leaf_hash: bytes
    at_ms: int


class LogsSeen:
    """The rows of `certificate_log` and `own_logged`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[SeenLog]:
        """Every log that is watched."""
        return [_log(row) for row in self._store.rows(f"{_SELECT} ORDER BY name, log_id")]

    def get(self, log_id: bytes) -> SeenLog | None:
        """One log."""
        row = self._store.row(f"{_SELECT} WHERE log_id = ?", log_id)
        return None if row is None else _log(row)

    def adopt(self, key: LogKey, url: str, now: int) -> None:
        """Watch a log from now on; where it is may change, its key never."""
        self._store.execute(
            "INSERT INTO certificate_log (log_id, name, spki, url, root, since) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET url = excluded.url",
            key.log_id,
            key.name,
            key.spki,
            url,
            EMPTY_ROOT,
            now,
        )

    def accept(self, log_id: bytes, head: TreeHead) -> None:
        """Hold the log to this head from now on."""
        self._store.execute(
            "UPDATE certificate_log SET size = ?, head_ms = ?, root = ? WHERE log_id = ?",
            head.size,
            head.timestamp,
            head.root,
            log_id,
        )

    def keep_read(self, log_id: bytes, frontier: Frontier) -> None:
        """Keep how far the log was read."""
        values = (frontier.size, b"".join(frontier.hashes), log_id)
        self._store.execute("UPDATE certificate_log SET read = ?, frontier = ? WHERE log_id = ?", *values)

    def in_order(self, log_id: bytes, now: int) -> None:
        """Keep that nothing was wrong."""
        self._store.execute("UPDATE certificate_log SET looked_at = ? WHERE log_id = ?", now, log_id)

    def promised(self, log_id: bytes, promises: Iterable[OwnPromise]) -> None:
        """Keep promises for own certificates, to be held against the tree."""
        for each in promises:
            insert = "INSERT OR IGNORE INTO own_logged (log_id, leaf_hash, at_ms) VALUES (?, ?, ?)"
            self._store.execute(insert, log_id, each.leaf_hash, each.at_ms)

    def unkept(self, log_id: bytes) -> list[OwnPromise]:
        """Promises that were not seen to be kept."""
        rows = self._store.rows("SELECT leaf_hash, at_ms FROM own_logged WHERE log_id = ? AND NOT found", log_id)
        return [OwnPromise(*row) for row in rows]

    def kept(self, log_id: bytes, leaf_hash: bytes) -> None:
        """Note that a promise was kept."""
        update = "UPDATE own_logged SET found = 1 WHERE log_id = ? AND leaf_hash = ?"
        self._store.execute(update, log_id, leaf_hash)


def _log(row: Row) -> SeenLog:
    name, spki, url, size, head_ms, root, read, frontier, since, looked_at = row
    hashes = tuple(frontier[start : start + HASH_SIZE] for start in range(0, len(frontier), HASH_SIZE))
    return SeenLog(LogKey(name, spki), url, TreeHead(size, head_ms, root), Frontier(read, hashes), since, looked_at)
