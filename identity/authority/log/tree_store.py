"""A log's file: entries, the nodes of their tree, and the last head that was signed."""

from collections.abc import Sequence

from identity.authority.database import Database
from identity.authority.log.wire import LoggedEntry
from identity.transparency.heads import TreeHead
from identity.transparency.merkle import Frontier, subtree_hash
from identity.transparency.timestamps import SignedTimestamp


class TreeStore(Database):
    """The tables of log.sql; every use is inside `transaction()`."""

    package = "identity.authority.log"
    scripts = ("log.sql",)

    @property
    def size(self) -> int:
        """How many entries there are."""
        row = self.row("SELECT max(position) FROM entry")
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def append(
        self, digest: bytes, leaf_hash: bytes, leaf_input: bytes, extra_data: bytes, timestamp: SignedTimestamp
    ) -> None:
        """Add one entry, and the subtrees that it completes."""
        frontier = self._frontier()
        self.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)",
            frontier.size,
            leaf_hash,
            digest,
            timestamp.timestamp,
            timestamp.signature,
            leaf_input,
            extra_data,
        )
        frontier.extended([leaf_hash], self._keep)

    def timestamp(self, digest: bytes, log_id: bytes) -> SignedTimestamp | None:
        """The timestamp that was given for an entry, if it is there."""
        row = self.row("SELECT timestamp, signature FROM entry WHERE digest = ?", digest)
        return None if row is None else SignedTimestamp(log_id, *row)

    def position(self, leaf_hash: bytes) -> int | None:
        """Where a leaf is."""
        row = self.row("SELECT position FROM entry WHERE leaf_hash = ?", leaf_hash)
        return None if row is None else int(row[0])

    def entries(self, start: int, end: int) -> list[LoggedEntry]:
        """The entries from `start` to before `end`."""
        rows = self.rows(
            "SELECT leaf_input, extra_data FROM entry WHERE position >= ? AND position < ? ORDER BY position",
            start,
            end,
        )
        return [LoggedEntry(*row) for row in rows]

    def node(self, level: int, position: int) -> bytes:
        """The hash of a complete subtree of the tree."""
        row = self.row("SELECT hash FROM node WHERE level = ? AND position = ?", level, position)
        assert row is not None, "the caller stays within the tree"
        return bytes(row[0])

    def root(self, size: int) -> bytes:
        """The hash of the tree of the first `size` entries."""
        return subtree_hash(self.node, 0, size)

    def head(self) -> tuple[TreeHead, bytes] | None:
        """The last head and its signature."""
        row = self.row("SELECT size, timestamp, root, signature FROM head")
        return None if row is None else (TreeHead(*row[:3]), bytes(row[3]))

    def keep_head(self, head: TreeHead, signature: bytes) -> None:
        """Write the head that is told from now on."""
        self.execute(
            "INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?)", head.size, head.timestamp, head.root, signature
        )

    def _frontier(self) -> Frontier:
        size, start, peaks = self.size, 0, list[bytes]()
        for level in _levels(size):
            peaks.append(self.node(level, start >> level))
            start += 1 << level
        return Frontier(size, tuple(peaks))

    def _keep(self, level: int, position: int, hash_: bytes) -> None:
        self.execute("INSERT INTO node VALUES (?, ?, ?)", level, position, hash_)


def _levels(size: int) -> Sequence[int]:
    """The levels of the complete subtrees of a tree, largest first."""
    return [level for level in reversed(range(size.bit_length())) if size >> level & 1]
