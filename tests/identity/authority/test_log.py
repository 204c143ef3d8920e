"""The log beside the authority: RFC 6962's addresses, what it takes, what it keeps, and what it proves."""

import itertools
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from identity.authority.cli import authority as command
from identity.authority.errors import DataFolderError, RefusedError
from identity.authority.log.certificate_log import HEAD_AGE, CertificateLog
from identity.authority.log.folder import DATABASE, KEY, open_log
from identity.authority.log.wire import (
    ENTRIES_LIMIT,
    MAXIMUM_MERGE_DELAY,
    Chain,
    Consistency,
    Entries,
    Head,
    Logs,
    Proof,
    Roots,
    Timestamp,
)
from identity.certificate_fields import load_certificate
from identity.certificates import verify_chain
from identity.issuing import issue_device_certificate, token_signer_certificate
from identity.number import TelephoneNumber
from identity.transparency.entries import (
    EntryKind,
    certificate_entry,
    embedded_entry,
    precertificate_entry,
    read_extra_data,
    read_leaf,
)
from identity.transparency.heads import SIZE_LIMIT
from identity.transparency.log_key import LogKey
from identity.transparency.merkle import Frontier, consistent, includes, leaf_hash
from identity.transparency.timestamps import SignedTimestamp, embedded_timestamps
from identity.trust import TrustAnchors, TrustPolicy
from tests.identity.conftest import (
    ALICE,
    LEAF_FIELDS,
    NOW,
    Authority,
    any_certificate,
    der,
    key_usage,
    one,
    private_key,
    rsa_key,
    tn_extension,
)  # fmt: skip

from .conftest import Authority as Served
from .conftest import refusal

SCENE = Authority()


@pytest.fixture
def log(tmp_path: Path):
    opened = open_log(tmp_path / "log", "a log", lambda: [SCENE.root])
    yield opened
    opened.close()


def poisoned(number: TelephoneNumber = ALICE, serial: int = 9) -> tuple[bytes, bytes, bytes]:
    """A precertificate with the path above it."""
    issuer, kept = SCENE.issuer(), []

    def take(precertificate: x509.Certificate) -> list[SignedTimestamp]:
        kept.append(precertificate)
        return [SignedTimestamp(bytes(32), 0, b"unsigned")]

    key = private_key(1).public_key()
    issue_device_certificate(SCENE.issuer_key, issuer, key, number, NOW, serial=serial, log=take)
    return der(kept[0]), der(issuer), der(SCENE.root)


def filled(log: CertificateLog, count: int) -> list[SignedTimestamp]:
    return [log.add_pre_chain(poisoned(serial=serial), NOW + serial) for serial in range(1, count + 1)]


async def get(served: Served, path: str, shape: type[msgspec.Struct]) -> msgspec.Struct:
    response = await served.http.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return msgspec.json.decode(response.content, type=shape)


async def test_what_is_enrolled_is_in_the_log_and_proves_it(authority, device) -> None:
    issued = await authority.enrol(device)
    (named,) = (await get(authority, "/v1/logs", Logs)).logs
    key = named.read()

    leaf, issuer = map(load_certificate, issued.chain)
    (promise,) = embedded_timestamps(leaf)
    entry = embedded_entry(leaf, issuer)
    assert promise.is_by(key, entry)

    told = await get(authority, "/stict/v1/get-sth", Head)
    head = told.read()
    assert head.is_by(key, told.tree_head_signature)
    hashed = entry.leaf_hash(promise.timestamp)
    query = httpx.QueryParams({"hash": b64encode(hashed).decode(), "tree_size": head.size})
    proof = await get(authority, f"/stict/v1/get-proof-by-hash?{query}", Proof)
    assert includes(hashed, proof.leaf_index, head.size, proof.audit_path, head.root)

    roots = (await get(authority, "/stict/v1/get-roots", Roots)).certificates
    anchors = await authority.anchors()
    assert roots == [der(root) for root in anchors.roots]
    believed = TrustAnchors(anchors.roots, TrustPolicy(logs=(key,), scts=1))
    assert verify_chain(issued.chain, believed, authority.clock.now).logged_at == promise.timestamp // 1000


async def test_the_issuers_own_certificate_is_in_the_log(authority, device) -> None:
    issued = await authority.enrol(device)
    entries = (await get(authority, "/stict/v1/get-entries?start=0&end=9", Entries)).entries
    kinds = [read_leaf(each.leaf_input)[1].kind for each in entries]
    assert kinds == [EntryKind.CERTIFICATE, EntryKind.PRECERTIFICATE]
    assert read_leaf(entries[0].leaf_input)[1].octets == issued.chain[1]
    precertificate, above = read_extra_data(EntryKind.PRECERTIFICATE, entries[1].extra_data)
    assert precertificate is not None
    assert above[0] == issued.chain[1]


async def test_the_tree_goes_on_over_a_restart(open_at, device, make_device) -> None:
    before = await open_at()
    await before.enrol(device)
    old = (await get(before, "/stict/v1/get-sth", Head)).read()
    key = (await get(before, "/v1/logs", Logs)).logs[0].key

    after = await open_at()
    await after.enrol(make_device())
    new = (await get(after, "/stict/v1/get-sth", Head)).read()

    path = f"/stict/v1/get-sth-consistency?first={old.size}&second={new.size}"
    proof = (await get(after, path, Consistency)).consistency
    assert new.size == old.size + 1
    assert consistent(old.size, old.root, new.size, new.root, proof)
    assert (await get(after, "/v1/logs", Logs)).logs[0].key == key


@pytest.mark.parametrize(
    "query",
    [
        "get-sth-consistency?first=0&second=1", "get-sth-consistency?first=2&second=1",
        "get-sth-consistency?first=1&second=99",
        "get-sth-consistency", "get-sth-consistency?first=x&second=1", "get-entries?start=1&end=0",
        "get-entries?start=99&end=99",
        "get-entries?start=-1&end=0", "get-entries?start=²&end=0", f"get-entries?start={SIZE_LIMIT}0&end=0",
        "get-proof-by-hash?hash=x&tree_size=1", "get-proof-by-hash?hash=AAAA&tree_size=1",
        f"get-proof-by-hash?hash={'A' * 43}=&tree_size=0",
    ],
)  # fmt: skip
async def test_questions_that_make_no_sense_are_refused(authority, device, query, word) -> None:
    await authority.enrol(device)
    assert word(await authority.http.get(f"/stict/v1/{query}")) == "malformed"


async def test_a_leaf_that_is_not_there_is_not_found(authority, device, word) -> None:
    await authority.enrol(device)
    assert word(await authority.http.get(f"/stict/v1/get-proof-by-hash?hash={'A' * 43}=&tree_size=1")) == "not-found"


async def test_a_certificate_can_be_handed_in_by_anybody_once(authority, device) -> None:
    issued = await authority.enrol(device)
    key = (await get(authority, "/v1/logs", Logs)).logs[0].read()
    answers = [
        msgspec.json.decode((await authority.post("/stict/v1/add-chain", Chain(issued.chain))).content, type=Timestamp)
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0].read().is_by(key, certificate_entry(load_certificate(issued.chain[0])))
    assert (await get(authority, "/stict/v1/get-sth", Head)).tree_size == 3


async def test_a_chain_of_another_authority_is_refused(authority) -> None:
    response = await authority.post("/stict/v1/add-pre-chain", Chain(list(poisoned())))
    assert refusal(response)[0] == "submission-refused"


def test_a_precertificate_gets_the_promise_of_this_log_for_it(log: CertificateLog) -> None:
    chain = poisoned()
    entry = precertificate_entry(load_certificate(chain[0]), load_certificate(chain[1]))
    promise = log.add_pre_chain(chain, NOW)
    assert promise.is_by(log.log, entry)
    assert promise.timestamp == NOW * 1000
    assert log.add_pre_chain(chain[:2], NOW + 99) == promise
    assert log.head(NOW).head.size == 1


def test_what_was_promised_is_on_the_disk_and_in_the_tree(tmp_path: Path) -> None:
    log = open_log(tmp_path, "a log", lambda: [SCENE.root])
    chain = poisoned()
    promise = log.add_pre_chain(chain, NOW)
    # The process ends here without another word: nothing is closed.
    again = open_log(tmp_path, "a log", lambda: [SCENE.root])
    hashed = precertificate_entry(load_certificate(chain[0]), load_certificate(chain[1])).leaf_hash(promise.timestamp)
    assert again.proof(hashed, 1) == (0, [])
    assert again.log == log.log
    log.close()
    again.close()


def test_every_proof_of_a_growing_log_holds(log: CertificateLog) -> None:
    heads, hashes = [], []
    for serial in range(1, 18):
        log.add_pre_chain(poisoned(serial=serial), NOW + serial)
        heads.append(log.head(NOW + serial).head)
        hashes.append(leaf_hash(log.entries(serial - 1, serial - 1)[0].leaf_input))
    assert heads[-1].root == Frontier().extended(hashes).root
    for old, new in itertools.combinations_with_replacement(heads, 2):
        assert consistent(old.size, old.root, new.size, new.root, log.consistency(old.size, new.size))
    for head in heads:
        for hashed in hashes[: head.size]:
            position, proof = log.proof(hashed, head.size)
            assert includes(hashed, position, head.size, proof, head.root)
        for hashed in hashes[head.size :]:
            with pytest.raises(RefusedError):
                log.proof(hashed, head.size)


def test_a_head_is_signed_anew_when_there_is_more_or_when_it_is_old(log: CertificateLog) -> None:
    empty = log.head(NOW)
    assert (empty.head.size, empty.head.root) == (0, Frontier().root)
    assert log.head(NOW + 1) == empty
    assert log.head(NOW + HEAD_AGE // 1000).head.timestamp == (NOW + HEAD_AGE // 1000) * 1000
    filled(log, 1)
    one_entry = log.head(NOW + HEAD_AGE // 1000)
    assert one_entry.head.size == 1
    assert one_entry.head.is_by(log.log, one_entry.signature)
    assert HEAD_AGE < MAXIMUM_MERGE_DELAY * 1000


def test_heads_and_promises_never_go_back_in_time(log: CertificateLog) -> None:
    before = log.head(NOW).head
    promise = log.add_pre_chain(poisoned(), NOW - 500)
    assert promise.timestamp == before.timestamp
    assert log.head(NOW - 500).head.timestamp == before.timestamp


def test_entries_come_in_pages(log: CertificateLog) -> None:
    filled(log, 5)
    assert len(log.entries(0, 10**9)) == 5
    assert [len(log.entries(start, start + 1)) for start in range(5)] == [2, 2, 2, 2, 1]
    assert ENTRIES_LIMIT < 10**9


def issued() -> bytes:
    key = private_key(1).public_key()
    return der(issue_device_certificate(SCENE.issuer_key, SCENE.issuer(), key, ALICE, NOW))


def no_certificates() -> Sequence[bytes]:
    return []


def too_many_certificates() -> Sequence[bytes]:
    return [*poisoned()[:1], *([der(SCENE.issuer())] * 8)]


def no_certificate_at_all() -> Sequence[bytes]:
    return [b"\x30\x00", *poisoned()[1:]]


def no_poison() -> Sequence[bytes]:
    return [issued(), *poisoned()[1:]]


def no_numbers() -> Sequence[bytes]:
    key = private_key(5).public_key()
    return [der(token_signer_certificate(SCENE.root_key, SCENE.root, key, "signer", NOW, 99))]


def without_its_issuer() -> Sequence[bytes]:
    return [poisoned()[0], poisoned()[2]]


def signed_by_somebody_else() -> Sequence[bytes]:
    other = Authority(issuer_key=private_key(77))
    return [poisoned()[0], der(other.issuer()), der(SCENE.root)]


def below_an_end_entity() -> Sequence[bytes]:
    leaf = load_certificate(issued())
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)), (x509.PrecertPoison(), True))
    below = any_certificate(private_key(1), leaf.subject, private_key(2).public_key(), fields)
    return [der(below), der(leaf), *poisoned()[1:]]


def of_an_unknown_root() -> Sequence[bytes]:
    other = Authority(root_key=private_key(76), issuer_key=private_key(77))
    kept: list[x509.Certificate] = []
    issuer = other.issuer()

    def take(precertificate: x509.Certificate) -> list[SignedTimestamp]:
        kept.append(precertificate)
        return [SignedTimestamp(bytes(32), 0, b"unsigned")]

    issue_device_certificate(other.issuer_key, issuer, private_key(1).public_key(), ALICE, NOW, log=take)
    return [der(kept[0]), der(issuer), der(other.root)]


@pytest.mark.parametrize(
    "chain",
    [
        no_certificates, too_many_certificates, no_certificate_at_all,  # 1
        no_poison, no_numbers,  # 2
        without_its_issuer, signed_by_somebody_else, below_an_end_entity,  # 3
        of_an_unknown_root,  # 4
    ],
)  # fmt: skip
def test_each_check_refuses_a_submission(log: CertificateLog, chain) -> None:
    with pytest.raises(RefusedError) as raised:
        log.add_pre_chain(chain(), NOW)
    assert raised.value.word == "submission-refused"
    assert log.head(NOW).head.size == 0


def test_a_precertificate_is_not_taken_as_a_certificate(log: CertificateLog) -> None:
    with pytest.raises(RefusedError, match="without"):
        log.add_chain(poisoned(), NOW)


def test_a_root_alone_is_refused(log: CertificateLog) -> None:
    with pytest.raises(RefusedError):
        log.add_chain([der(SCENE.root)], NOW)


def test_a_chain_by_an_rsa_issuer_is_taken(tmp_path: Path) -> None:
    """Which algorithms count is for those to say who verify; the log is to show what was issued."""
    ca = ((x509.BasicConstraints(ca=True, path_length=0), True), (key_usage(key_cert_sign=True), True))
    root = any_certificate(
        rsa_key(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")]), rsa_key().public_key(), ca
    )
    leaf = any_certificate(
        rsa_key(), root.subject, private_key(1).public_key(), (*LEAF_FIELDS, tn_extension(one(ALICE)))
    )
    log = open_log(tmp_path, "a log", lambda: [root])
    assert log.add_chain([der(leaf)], NOW).is_by(log.log, certificate_entry(leaf))
    log.close()


def test_a_log_without_its_key_or_its_tree_is_not_begun_again(tmp_path: Path) -> None:
    first = open_log(tmp_path, "a log", lambda: [SCENE.root])
    filled(first, 1)
    first.close()
    key = (tmp_path / KEY).read_bytes()
    (tmp_path / KEY).unlink()
    with pytest.raises(DataFolderError, match=r"no log\.key"):
        open_log(tmp_path, "a log", lambda: [SCENE.root])
    (tmp_path / KEY).write_bytes(key)
    (tmp_path / KEY).chmod(0o600)
    (tmp_path / DATABASE).unlink()
    with pytest.raises(DataFolderError, match=r"no log\.sqlite"):
        open_log(tmp_path, "a log", lambda: [SCENE.root])


def test_an_empty_database_without_a_key_is_no_loss(tmp_path: Path) -> None:
    first = open_log(tmp_path, "a log", lambda: [SCENE.root])
    first.close()
    (tmp_path / KEY).unlink()
    open_log(tmp_path, "a log", lambda: [SCENE.root]).close()


def test_the_key_is_private(tmp_path: Path) -> None:
    open_log(tmp_path, "a log", lambda: [SCENE.root]).close()
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
    (tmp_path / KEY).chmod(0o644)
    with pytest.raises(DataFolderError, match="chmod"):
        open_log(tmp_path, "a log", lambda: [SCENE.root])


async def test_the_operator_can_print_the_key_of_the_log(authority, folder: Path) -> None:
    printed = CliRunner().invoke(command, ["log-key", "--data-dir", str(folder)])
    key = load_pem_public_key(printed.stdout.encode())
    named = (await get(authority, "/v1/logs", Logs)).logs[0]
    assert LogKey.of("log", key) == LogKey("log", named.key)
    missing = CliRunner().invoke(command, ["log-key", "--data-dir", str(folder / "nowhere")])
    assert (missing.exit_code, "has no log yet" in missing.stderr) == (1, True)
