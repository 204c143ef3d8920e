"""Transparency: what is logged of a certificate, timestamps that lie, and what a policy asks of logs."""

from collections.abc import Callable
from dataclasses import replace

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
from identity.transparency.requirement import CLOCK_TOLERANCE
from identity.transparency.timestamps import SignedTimestamp, embedded_timestamps, sign_timestamp
from identity.trust import TrustAnchors, TrustPolicy
from tests.identity.conftest import ALICE, NOW, Authority, Scene, der, private_key

NOW_MS = NOW * 1000
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
