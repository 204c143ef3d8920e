"""The Merkle tree of a log (RFC 6962 §2): hashes, inclusion and consistency proofs, made and verified.

A tree of n leaves is a row of complete subtrees, largest first; each is a *node*, named by its level (0 is a leaf) and
its index in that level. Proofs are made from nodes, which never change once they are there, so a log may keep them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

HASH_SIZE = 32  # octets
EMPTY_ROOT = sha256().digest()
PROOF_LIMIT = 64  # hashes: more than any tree that can be counted has levels

Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The complete subtrees of a tree of `size` leaves, largest first: enough to go on, and to know its root."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def extended(self, hashes: Iterable[bytes], keep: Callable[[int, int, bytes], None] | None = None) -> Self:
        """The frontier after more leaves; `keep` is told level, index and hash of every node that comes to be."""
        size, peaks = self.size, list(self.hashes)
        for each in hashes:
            level, index, current = 0, size, each
            if keep is not None:
                keep(level, index, current)
            while index & 1:
                level, index, current = level + 1, index >> 1, node_hash(peaks.pop(), current)
                if keep is not None:
                    keep(level, index, current)
            peaks.append(current)
            size += 1
        return type(self)(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The tree's hash."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def subtree_hash(node: Node, start: int, end: int) -> bytes:
    """The hash over the leaves `start` to `end`, a subtree as RFC 6962 §2.1 divides them."""
    size = end - start
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(size)
    return node_hash(subtree_hash(node, start, middle), subtree_hash(node, middle, end))


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf upwards. `index` < `size`."""
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(subtree_hash(node, middle, end))
            end = middle
        else:
            proof.append(subtree_hash(node, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 §2.1.2. 0 < `old` <= `new`."""
    proof: list[bytes] = []
    start, end = 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(subtree_hash(node, middle, end))
            end = middle
        else:
            proof.append(subtree_hash(node, start, middle))
            start = middle
    if start > 0:
        proof.append(subtree_hash(node, start, end))
    return proof[::-1]


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the proof shows the leaf (its hash) at `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != HASH_SIZE or len(proof) > PROOF_LIMIT:
        return False
    position, last, current = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            current = node_hash(each, current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, each)
        position, last = position >> 1, last >> 1
    return last == 0 and current == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the proof shows the old tree as the beginning of the new one (RFC 9162 §2.1.4.2).

    0 < `old`: every tree goes on from the empty one, and no proof says anything about that.
    """
    if not 0 < old <= new or len(proof) > PROOF_LIMIT:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    return _roots(old - 1, new - 1, path) == (old_root, new_root)


def _roots(position: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots as the path builds them; None if it has another length than it must."""
    while position & 1:
        position, last = position >> 1, last >> 1
    older = newer = path[0]
    for each in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            older, newer = node_hash(each, older), node_hash(each, newer)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            newer = node_hash(newer, each)
        position, last = position >> 1, last >> 1
    return (older, newer) if last == 0 else None


def _split(size: int) -> int:
    """The largest power of two below a size of at least 2."""
    return 1 << (size - 1).bit_length() - 1
