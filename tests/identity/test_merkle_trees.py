"""Merkle trees of logs: the published hashes and proofs, and every proof of every tree up to 64."""

from base64 import b64decode
from functools import cache
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from identity.transparency.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    PROOF_LIMIT,
    Frontier,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
)

# Leaves, roots of all their trees, and proofs as the reference tests of RFC 6962 have them.
LEAVES = tuple(
    map(
        bytes.fromhex,
        ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = {  # (index, size): proof
    (0, 1): (),
    (0, 8): (
        "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
        "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
        "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
    ),
    (5, 8): (
        "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
        "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
        "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    ),
    (2, 3): ("+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=",),
}
CONSISTENCY = {  # (old, new): proof
    (1, 1): (),
    (1, 8): (
        "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
        "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
        "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
    ),
    (6, 8): (
        "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
        "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
        "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    ),
}

LIMIT = 64


class Tree:
    """A tree of leaves with every node kept."""

    def __init__(self, leaves: tuple[bytes, ...]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.leaves = [leaf_hash(leaf) for leaf in leaves]
        frontier, self.roots = Frontier(), [Frontier().root]
        for each in self.leaves:
            frontier = frontier.extended([each], self._keep)
            self.roots.append(frontier.root)

    def _keep(self, level: int, index: int, hash_: bytes) -> None:
        assert (level, index) not in self.nodes
        self.nodes[level, index] = hash_

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


@cache
def tree() -> Tree:
    return Tree(tuple(bytes([number]) for number in range(LIMIT)))


def straight_root(leaves: tuple[bytes, ...]) -> bytes:
    """MTH as RFC 6962 §2.1 defines it, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + straight_root(leaves[:split]) + straight_root(leaves[split:])).digest()


def test_the_published_roots_and_proofs() -> None:
    published = Tree(LEAVES)
    assert tuple(root.hex() for root in published.roots) == ROOTS
    for (index, size), proof in INCLUSION.items():
        expected = [b64decode(each) for each in proof]
        assert inclusion_proof(published.node, index, size) == expected
        assert includes(published.leaves[index], index, size, expected, published.roots[size])
    for (old, new), proof in CONSISTENCY.items():
        expected = [b64decode(each) for each in proof]
        assert consistency_proof(published.node, old, new) == expected
        assert consistent(old, published.roots[old], new, published.roots[new], expected)


def test_every_root_is_that_of_the_definition() -> None:
    leaves = tuple(bytes([number]) for number in range(LIMIT))
    assert tree().roots == [straight_root(leaves[:size]) for size in range(LIMIT + 1)]


def test_every_inclusion_proof_holds_for_its_leaf_and_for_no_other() -> None:
    made = tree()
    for size in range(1, LIMIT + 1):
        for index in range(size):
            proof = inclusion_proof(made.node, index, size)
            assert includes(made.leaves[index], index, size, proof, made.roots[size])
            assert not includes(made.leaves[index - 1], index, size, proof, made.roots[size]) or size == 1
            assert not includes(made.leaves[index], index, size, proof, made.roots[size - 1])
            assert not includes(made.leaves[index], index, size, [*proof, bytes(HASH_SIZE)], made.roots[size])
            assert not proof or not includes(made.leaves[index], index, size, proof[:-1], made.roots[size])
            assert not any(
                includes(made.leaves[index], other, size, proof, made.roots[size])
                for other in range(size)
                if other != index
            )


def test_every_consistency_proof_holds_for_its_trees_and_for_no_others() -> None:
    made = tree()
    for new in range(1, LIMIT + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(made.node, old, new)
            assert consistent(old, made.roots[old], new, made.roots[new], proof)
            assert not consistent(old, made.roots[old - 1], new, made.roots[new], proof)
            assert not consistent(old, made.roots[old], new, made.roots[new - 1], proof)
            assert not consistent(old, made.roots[old], new, made.roots[new], [*proof, bytes(HASH_SIZE)])
            assert not proof or not consistent(old, made.roots[old], new, made.roots[new], proof[:-1])


def test_nonsense_is_no_proof() -> None:
    made = tree()
    leaf, root = made.leaves[0], made.roots[8]
    assert not includes(leaf, 8, 8, [], root)
    assert not includes(leaf, -1, 8, [], root)
    assert not includes(b"", 0, 1, [], b"")
    assert not includes(leaf, 0, 2**63, [bytes(HASH_SIZE)] * (PROOF_LIMIT + 1), root)
    assert not consistent(0, EMPTY_ROOT, 8, root, [])
    assert not consistent(8, root, 7, made.roots[7], [])
    assert not consistent(3, made.roots[3], 8, root, [])
    assert not consistent(3, made.roots[3], 2**63, root, [bytes(HASH_SIZE)] * (PROOF_LIMIT + 1))


@given(st.data())
def test_a_tree_with_another_leaf_is_not_consistent_with_this_one(data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(LIMIT)]
    new = data.draw(st.integers(2, LIMIT))
    old = data.draw(st.integers(1, new - 1))
    leaves[data.draw(st.integers(0, old - 1))] = b"another"
    other = Tree(tuple(leaves))
    made = tree()
    for proofs in (made, other):
        proof = consistency_proof(proofs.node, old, new)
        assert not consistent(old, made.roots[old], new, other.roots[new], proof)


@given(st.integers(0, 80), st.integers(0, 80), st.lists(st.binary(min_size=32, max_size=32), max_size=9))
def test_random_hashes_prove_nothing_and_raise_nothing(first: int, second: int, proof: list[bytes]) -> None:
    made = tree()
    root = bytes(HASH_SIZE)
    assert not includes(made.leaves[0], first, second, proof, root)
    assert not consistent(first, made.roots[1], second, root, proof)


@given(st.integers(0, LIMIT), st.integers(0, LIMIT))
def test_a_tree_goes_on_from_its_frontier(first: int, more: int) -> None:
    made = tree()
    middle = Frontier().extended(made.leaves[:first])
    assert middle.root == made.roots[first]
    end = min(first + more, LIMIT)
    assert middle.extended(made.leaves[first:end]).root == made.roots[end]


def test_leaves_and_nodes_are_hashed_apart() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)
