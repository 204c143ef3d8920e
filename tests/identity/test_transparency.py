"""Transparency: the published hashes and proofs, every proof of every tree up to 64, and timestamps that lie."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from identity.certificates import ChainVerifier, verify_chain
from identity.errors import CertificateError, TransparencyError
from identity.issuing import Logging, issue_device_certificate
from identity.transparency.entries import (
    ENTRY_LIMIT,
    Entry,
    EntryKind,
    certificate_entry,
    embedded_entry,
    extra_data,
    is_precertificate,
    issuer_key_hash,
    logged_certificate,
    precertificate_entry,
    read_extra_data,
    read_leaf,
    without_poison,
)
from identity.transparency.heads import SIZE_LIMIT, TreeHead
from identity.transparency.log_key import LogKey
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
from identity.transparency.requirement import CLOCK_TOLERANCE
from identity.transparency.timestamps import SignedTimestamp, embedded_timestamps, sign_timestamp
from identity.trust import TrustAnchors, TrustPolicy
from tests.identity.conftest import ALICE, NOW, Authority, Scene, der, private_key

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
NOW_MS = NOW * 1000


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


LOG, OTHER = private_key(71), private_key(72)
LOG_KEY = LogKey.of("first", LOG.public_key())
OTHER_KEY = LogKey.of("second", OTHER.public_key())


def promising(*logs: tuple[ec.EllipticCurvePrivateKey, int]) -> Callable[[x509.Certificate], Logging]:
    """What logs with these keys, at these times (milliseconds), do with a precertificate."""

    def of(issuer: x509.Certificate) -> Logging:
        return lambda poisoned: [sign_timestamp(key, precertificate_entry(poisoned, issuer), at) for key, at in logs]

    return of


def chain_with(authority: Authority, log: Callable[[x509.Certificate], Logging]) -> tuple[bytes, ...]:
    issuer, key = authority.issuer(), private_key(1).public_key()
    leaf = issue_device_certificate(authority.issuer_key, issuer, key, ALICE, NOW, log=log(issuer))
    return der(leaf), der(issuer)


def anchors(authority: Authority, scts: int, *logs: LogKey) -> TrustAnchors:
    return TrustAnchors((authority.root,), TrustPolicy(logs=logs, scts=scts))


def refused(chain: tuple[bytes, ...], believed: TrustAnchors, now: int = NOW) -> str:
    with pytest.raises(CertificateError) as raised:
        verify_chain(chain, believed, now)
    with pytest.raises(CertificateError) as again:
        ChainVerifier(believed).verify(chain, now)
    assert again.value.code == raised.value.code
    return raised.value.code


def test_a_chain_says_since_when_it_is_logged(authority: Authority) -> None:
    chain = chain_with(authority, promising((LOG, NOW_MS + 1_500)))
    assert verify_chain(chain, anchors(authority, 1, LOG_KEY), NOW).logged_at == NOW + 1
    assert verify_chain(chain, anchors(authority, 0, LOG_KEY), NOW).logged_at == NOW + 1
    assert verify_chain(chain, anchors(authority, 0, OTHER_KEY), NOW).logged_at is None
    assert verify_chain(chain, authority.anchors, NOW).logged_at is None


def test_a_chain_that_no_log_vouches_for_is_refused_where_the_policy_asks(authority: Authority) -> None:
    unlogged = authority.device_chain(private_key(1), ALICE)
    assert refused(unlogged, anchors(authority, 1, LOG_KEY)) == "not-logged"
    assert refused(unlogged, anchors(authority, 1)) == "not-logged"
    assert verify_chain(unlogged, anchors(authority, 0, LOG_KEY), NOW).logged_at is None


def test_logs_that_are_not_known_do_not_count(authority: Authority) -> None:
    chain = chain_with(authority, promising((OTHER, NOW_MS)))
    assert refused(chain, anchors(authority, 1, LOG_KEY)) == "not-logged"


def test_each_log_counts_once_and_the_last_one_that_is_needed_says_since_when(authority: Authority) -> None:
    twice = chain_with(authority, promising((LOG, NOW_MS), (LOG, NOW_MS + 1_000)))
    assert refused(twice, anchors(authority, 2, LOG_KEY, OTHER_KEY)) == "not-logged"
    both = chain_with(authority, promising((LOG, NOW_MS), (OTHER, NOW_MS + 5_000)))
    assert verify_chain(both, anchors(authority, 2, LOG_KEY, OTHER_KEY), NOW).logged_at == NOW + 5


def test_a_forged_timestamp_is_refused_even_where_none_is_asked(authority: Authority) -> None:
    def forged(issuer: x509.Certificate) -> Logging:
        honest = promising((OTHER, NOW_MS))(issuer)
        return lambda poisoned: [replace(each, log_id=LOG_KEY.log_id) for each in honest(poisoned)]

    chain = chain_with(authority, forged)
    assert refused(chain, anchors(authority, 1, LOG_KEY)) == "timestamps"
    assert refused(chain, anchors(authority, 0, LOG_KEY)) == "timestamps"


def test_a_timestamp_for_another_certificate_is_refused(authority: Authority) -> None:
    issuer, key = authority.issuer(), private_key(2).public_key()
    other = issue_device_certificate(authority.issuer_key, issuer, key, ALICE, NOW)
    entry = Entry(EntryKind.PRECERTIFICATE, other.tbs_certificate_bytes, issuer_key_hash(issuer))
    chain = chain_with(authority, lambda _: lambda _: [sign_timestamp(LOG, entry, NOW_MS)])
    assert refused(chain, anchors(authority, 1, LOG_KEY)) == "timestamps"


def test_a_timestamp_for_another_issuer_is_refused(authority: Authority) -> None:
    root = authority.root
    chain = chain_with(authority, lambda _: promising((LOG, NOW_MS))(root))
    assert refused(chain, anchors(authority, 1, LOG_KEY)) == "timestamps"


def test_a_timestamp_of_the_future_does_not_count_yet(authority: Authority) -> None:
    later = NOW + CLOCK_TOLERANCE + 10
    chain = chain_with(authority, promising((LOG, later * 1000)))
    believed = anchors(authority, 1, LOG_KEY)
    assert refused(chain, believed) == "not-yet-valid"
    verifier = ChainVerifier(believed)
    verifier.verify(chain, later)
    with pytest.raises(CertificateError):
        verifier.verify(chain, NOW)


def test_a_list_with_octets_that_are_no_timestamps_is_refused(authority: Authority) -> None:
    broken = SignedTimestamp(LOG_KEY.log_id, NOW_MS, b"no signature")
    chain = chain_with(authority, lambda _: lambda _: [broken])
    assert refused(chain, anchors(authority, 1, LOG_KEY)) == "timestamps"


def test_a_precertificate_proves_nothing(authority: Authority) -> None:
    issuer, poisoned = precertificate(authority)
    assert is_precertificate(poisoned)
    assert refused((der(poisoned), der(issuer)), authority.anchors) == "untrusted"


def precertificate(authority: Authority) -> tuple[x509.Certificate, x509.Certificate]:
    issuer, kept, key = authority.issuer(), [], private_key(1).public_key()

    def log(poisoned: x509.Certificate) -> list[SignedTimestamp]:
        kept.append(poisoned)
        return [sign_timestamp(LOG, precertificate_entry(poisoned, issuer), NOW_MS)]

    issue_device_certificate(authority.issuer_key, issuer, key, ALICE, NOW, log=log)
    return issuer, kept[0]


def test_what_is_logged_is_the_certificate_without_timestamps_and_without_poison(authority: Authority) -> None:
    issuer, poisoned = precertificate(authority)
    chain = chain_with(authority, promising((LOG, NOW_MS)))
    leaf = x509.load_der_x509_certificate(chain[0])
    logged = x509.load_der_x509_certificate(logged_certificate(embedded_entry(leaf, issuer)))
    assert [each.oid for each in logged.extensions] == [each.oid for each in leaf.extensions][:-1]
    assert logged.public_key() == leaf.public_key()
    entry = precertificate_entry(poisoned, issuer)
    again = x509.load_der_x509_certificate(logged_certificate(entry))
    assert not is_precertificate(again)
    assert [each.oid for each in again.extensions] == [each.oid for each in poisoned.extensions][:-1]


def test_the_poison_is_there_exactly_once(authority: Authority) -> None:
    issuer, poisoned = precertificate(authority)
    clean = without_poison(poisoned.tbs_certificate_bytes)
    with pytest.raises(TransparencyError) as raised:
        without_poison(clean)
    assert raised.value.code == "poison"
    assert certificate_entry(issuer).kind is EntryKind.CERTIFICATE


@given(st.binary(max_size=300))
def test_any_octets_are_a_tbs_certificate_or_refused(octets: bytes) -> None:
    with pytest.raises(TransparencyError):
        without_poison(octets)


ENTRIES = st.builds(Entry, st.just(EntryKind.CERTIFICATE), st.binary(max_size=99)) | st.builds(
    Entry, st.just(EntryKind.PRECERTIFICATE), st.binary(max_size=99), st.binary(min_size=32, max_size=32)
)


@given(ENTRIES, st.integers(0, 2**64 - 1), st.binary(max_size=9))
def test_leaves_are_read_as_they_were_written(entry: Entry, timestamp: int, extensions: bytes) -> None:
    assert read_leaf(entry.leaf_input(timestamp, extensions)) == (timestamp, entry)


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda kind, rest: bytes((0, 0)) + bytes(9) + kind + rest,
        st.sampled_from((b"\0", b"\1")),
        st.binary(max_size=200),
    )
)
def test_any_octets_are_a_leaf_or_refused(octets: bytes) -> None:
    try:
        timestamp, entry = read_leaf(octets)
    except TransparencyError:
        return
    assert octets.startswith(entry.leaf_input(timestamp)[:-2])


def test_a_leaf_has_a_limit_a_version_and_a_known_type() -> None:
    honest = Entry(EntryKind.CERTIFICATE, b"x").leaf_input(NOW_MS)
    for octets, code in (
        (bytes(ENTRY_LIMIT + 1), "too-large"),
        (b"\1" + honest[1:], "malformed"),
        (honest[:1] + b"\1" + honest[2:], "malformed"),
        (honest[:11] + b"\2" + honest[12:], "malformed"),
        (honest + b"\0", "malformed"),
    ):
        with pytest.raises(TransparencyError) as raised:
            read_leaf(octets)
        assert raised.value.code == code


@given(st.sampled_from(EntryKind), st.binary(max_size=50), st.lists(st.binary(max_size=50), max_size=4))
def test_extra_data_is_read_as_it_was_written(kind: EntryKind, submitted: bytes, chain: list[bytes]) -> None:
    expected = submitted if kind is EntryKind.PRECERTIFICATE else None
    assert read_extra_data(kind, extra_data(kind, submitted, chain)) == (expected, chain)


TIMESTAMPS = st.builds(
    SignedTimestamp,
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=80),
    st.binary(max_size=9),
)


@given(TIMESTAMPS)
def test_timestamps_are_read_as_they_were_written(timestamp: SignedTimestamp) -> None:
    assert SignedTimestamp.decode(timestamp.encode()) == timestamp


@given(TIMESTAMPS, st.integers(min_value=0), st.integers(0, 255))
def test_any_octets_are_a_timestamp_or_refused(timestamp: SignedTimestamp, position: int, octet: int) -> None:
    changed = bytearray(timestamp.encode())
    changed[position % len(changed)] = octet
    for octets in (bytes(changed), bytes(changed[:-1])):
        try:
            assert SignedTimestamp.decode(octets).encode() == octets
        except TransparencyError:
            continue


def test_a_timestamp_of_another_version_or_algorithm_is_passed_over(authority: Authority) -> None:
    chain = chain_with(authority, promising((LOG, NOW_MS)))
    leaf = x509.load_der_x509_certificate(chain[0])
    (own,) = embedded_timestamps(leaf)
    assert own.is_by(LOG_KEY, embedded_entry(leaf, authority.issuer()))
    assert not own.is_by(OTHER_KEY, embedded_entry(leaf, authority.issuer()))
    for octets in (b"\1" + own.encode()[1:], own.encode().replace(b"\x04\x03", b"\x04\x01", 1)):
        with pytest.raises(TransparencyError) as raised:
            SignedTimestamp.decode(octets)
        assert raised.value.code in ("version", "algorithm")


@given(st.integers(0, SIZE_LIMIT), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_head_is_by_the_log_that_signed_it_as_it_is(size: int, timestamp: int, root: bytes) -> None:
    head = TreeHead(size, timestamp, root)
    signature = head.sign(LOG)
    assert head.is_by(LOG_KEY, signature)
    assert not head.is_by(OTHER_KEY, signature)
    assert not replace(head, size=size ^ 1).is_by(LOG_KEY, signature)
    assert not replace(head, root=bytes(32) if any(root) else b"\1" * 32).is_by(LOG_KEY, signature)


@given(st.binary(max_size=90))
def test_any_octets_are_no_signature_of_a_head(octets: bytes) -> None:
    assert not TreeHead(1, NOW_MS, bytes(32)).is_by(LOG_KEY, octets)


@pytest.mark.parametrize(
    ("name", "spki"),
    [("", LOG_KEY.spki), ("log", b""), ("log", bytes(999)), ("log", LOG_KEY.spki[:-1])],
    ids=["no name", "no key", "too long", "cut short"],
)
def test_a_logs_key_is_a_p256_key_with_a_name(name: str, spki: bytes) -> None:
    with pytest.raises(TransparencyError):
        LogKey(name, spki)


@given(st.binary(max_size=200))
def test_any_octets_are_a_logs_key_or_refused(octets: bytes) -> None:
    with pytest.raises(TransparencyError):
        LogKey("log", octets)


def test_since_when_a_chain_is_logged_is_shown_with_the_check(authority: Authority, scene: Scene) -> None:
    assert scene.verify().checks[5].compared.endswith(f"at iat {NOW}")
    scene.chains = ChainVerifier(anchors(authority, 1, LOG_KEY))
    scene.use_chain(chain_with(authority, promising((LOG, NOW_MS))))
    assert scene.verify().checks[5].compared.endswith(f"at iat {NOW}; in a log since {NOW}")


def test_a_message_by_a_certificate_that_is_not_logged_fails_where_the_policy_asks(
    authority: Authority, scene: Scene
) -> None:
    scene.chains = ChainVerifier(anchors(authority, 1, LOG_KEY))
    verification = scene.verify()
    assert verification.failed_check is not None
    assert verification.failed_check.number == 5
    assert verification.reason == "No log vouches for the certificate."
