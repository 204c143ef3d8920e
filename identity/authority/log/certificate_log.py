"""The log: takes chains, promises their entries, signs heads and proves what is in its tree. Blocking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.errors import RefusedError
from identity.authority.log.accepting import accepted
from identity.authority.log.tree_store import TreeStore
from identity.authority.log.wire import ENTRIES_LIMIT, MAXIMUM_MERGE_DELAY, LoggedEntry
from identity.transparency.entries import extra_data
from identity.transparency.heads import TreeHead
from identity.transparency.log_key import LogKey
from identity.transparency.merkle import consistency_proof, inclusion_proof
from identity.transparency.timestamps import SignedTimestamp, sign_timestamp

HEAD_AGE = MAXIMUM_MERGE_DELAY * 1000 // 2  # milliseconds after which a head is signed anew, though nothing was added


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head and its signature."""

    head: TreeHead
    signature: bytes


class CertificateLog:
    """One tree under one key. Entries are in the tree, on the disk, before their timestamp is given away.

    `roots` tells the roots that count now. `now` is in seconds; every method may raise RefusedError.
    """

    def __init__(
        self,
        store: TreeStore,
        key: ec.EllipticCurvePrivateKey,
        name: str,
        roots: Callable[[], Sequence[x509.Certificate]],
    ) -> None:
        self._store = store
        self._key = key
        self._roots = roots
        self.log = LogKey.of(name, key.public_key())

    @property
    def roots(self) -> Sequence[x509.Certificate]:
        """The roots that a submission may lead to."""
        return self._roots()

    def add_pre_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Log a precertificate; the same one again gets its first timestamp."""
        return self._add(chain, now, precertificate=True)

    def add_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Log a certificate as it is."""
        return self._add(chain, now, precertificate=False)

    def head(self, now: int) -> SignedHead:
        """The head of the whole tree, signed anew if there is more in it or the last one is old."""
        with self._store.transaction():
            size, last = self._store.size, self._store.head()
            if last is not None and last[0].size == size and now * 1000 < last[0].timestamp + HEAD_AGE:
                return SignedHead(*last)
            # A head is never dated before an earlier one, whatever happens to the clock.
            timestamp = now * 1000 if last is None else max(now * 1000, last[0].timestamp)
            head = TreeHead(size, timestamp, self._store.root(size))
            signature = head.sign(self._key)
            self._store.keep_head(head, signature)
        return SignedHead(head, signature)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Prove that the tree of `first` entries is the beginning of that of `second`."""
        with self._store.transaction():
            if not 0 < first <= second <= self._store.size:
                raise RefusedError("malformed", f"0 < first <= second <= {self._store.size}, the size of the tree")
            return consistency_proof(self._store.node, first, second)

    def proof(self, leaf_hash: bytes, size: int) -> tuple[int, list[bytes]]:
        """Where a leaf is, and that it is there in the tree of `size` entries."""
        with self._store.transaction():
            if not 0 < size <= self._store.size:
                raise RefusedError("malformed", f"0 < tree_size <= {self._store.size}, the size of the tree")
            position = self._store.position(leaf_hash)
            if position is None or position >= size:
                raise RefusedError("not-found", "no leaf of that tree has this hash")
            return position, inclusion_proof(self._store.node, position, size)

    def entries(self, start: int, end: int) -> list[LoggedEntry]:
        """The entries from `start` to `end` inclusive, at most ENTRIES_LIMIT."""
        with self._store.transaction():
            if not 0 <= start <= end or start >= self._store.size:
                raise RefusedError("malformed", f"0 <= start <= end, and start < {self._store.size}, the tree's size")
            return self._store.entries(start, min(end + 1, start + ENTRIES_LIMIT))

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _add(self, chain: Sequence[bytes], now: int, *, precertificate: bool) -> SignedTimestamp:
        entry, above = accepted(chain, self.roots, precertificate=precertificate)
        with self._store.transaction():
            given = self._store.timestamp(entry.digest, self.log.log_id)
            if given is not None:
                return given
            last = self._store.head()
            # An entry is never dated before a head that is without it.
            timestamp = now * 1000 if last is None else max(now * 1000, last[0].timestamp)
            made = sign_timestamp(self._key, entry, timestamp)
            leaf_input = entry.leaf_input(timestamp)
            extra = extra_data(entry.kind, chain[0], above)
            self._store.append(entry.digest, entry.leaf_hash(timestamp), leaf_input, extra, made)
        return made
