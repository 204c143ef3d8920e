"""Google's tools for certificate transparency (Go) on our log: heads, proofs, submissions, embedded timestamps."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from identity.authority.folder import open_folder
from identity.authority.issuer import IssuedPath
from identity.authority.keys import certificates_pem
from identity.authority.log.certificate_log import CertificateLog
from identity.authority.log.endpoints import log_routes
from identity.authority.log.folder import FOLDER, open_log, read_log_key
from identity.authority.log.service import open_transparency
from identity.transparency.entries import embedded_entry
from identity.transparency.log_key import LogKey
from identity.transparency.timestamps import embedded_timestamps
from lab.serving import listening
from tests.interop.peers import ALICE, b64, require, run

ENTRIES = 9


@dataclass(frozen=True)
class Served:
    """A log over HTTP where RFC 6962 has it, with what was issued into it."""

    url: str
    log: CertificateLog
    folder: Path
    issued: IssuedPath
    now: int

    async def client(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run ctclient against the log, with its key."""
        key = self.folder / "log.pem"
        key.write_bytes(read_log_key(self.folder / FOLDER))
        command = (require("ctclient"), *arguments, "--log_uri", self.url, "--pub_key", key)
        return await asyncio.to_thread(run, *command)

    async def sctcheck(self, key: LogKey, issued: IssuedPath) -> subprocess.CompletedProcess[bytes]:
        """Run sctcheck on a certificate, with this as the log's key."""
        state = {"usable": {"timestamp": "2020-01-01T00:00:00Z"}}
        log = {
            "description": "a log", "log_id": b64(self.log.log.log_id), "key": b64(key.spki),
            "url": "https://log.example/", "mmd": 3_600, "state": state,
        }  # fmt: skip
        logs, chain = self.folder / "logs.json", self.folder / "chain.pem"
        logs.write_text(json.dumps({"operators": [{"name": "somebody", "email": ["a@example.org"], "logs": [log]}]}))
        chain.write_bytes(issued.pem)
        return await asyncio.to_thread(run, require("sctcheck"), "-check_inclusion=false", "-log_list", logs, chain)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    now = int(time.time())
    store, issuer = open_folder(tmp_path, now, None)
    transparency = open_transparency(tmp_path, "http://unused.example", issuer)
    log = transparency.own
    assert log is not None
    keys = [ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(ENTRIES)]
    issued = [issuer.issue(key, ALICE, now) for key in keys]
    async with listening(lambda _: Starlette(routes=log_routes(log, time.time, "/ct/v1"))) as url:
        yield Served(url, log, tmp_path, issued[-1], now)
    transparency.close()
    store.close()


async def test_a_head_verifies(served: Served) -> None:
    done = await served.client("get-sth")
    head = served.log.head(served.now).head
    assert done.returncode == 0, done.stderr
    assert f"size={ENTRIES + 1}" in done.stdout.decode()
    assert head.root.hex() in done.stdout.decode()


async def test_a_head_by_another_key_does_not(served: Served, tmp_path: Path) -> None:
    open_log(tmp_path / "other", "another", list).close()
    (served.folder / FOLDER / "log.key").write_bytes((tmp_path / "other" / "log.key").read_bytes())
    done = await served.client("get-sth")
    assert done.returncode != 0


async def test_a_consistency_proof_verifies_and_one_for_another_tree_does_not(served: Served) -> None:
    head = served.log.head(served.now).head
    hashes = {}
    for size in (3, 4):
        with served.log._store.transaction():
            hashes[size] = served.log._store.root(size).hex()
    sizes = ("--prev_size", "3", "--size", str(head.size), "--tree_hash", head.root.hex())
    done = await served.client("get-consistency-proof", *sizes, "--prev_hash", hashes[3])
    assert done.returncode == 0, done.stderr
    assert "Verified" in done.stdout.decode()
    assert (await served.client("get-consistency-proof", *sizes, "--prev_hash", hashes[4])).returncode != 0


async def test_the_place_of_a_logged_certificate_verifies(served: Served) -> None:
    leaf, issuer = served.issued.leaf, served.issued.issuer
    (promise,) = embedded_timestamps(leaf)
    named = embedded_entry(leaf, issuer).leaf_hash(promise.timestamp).hex()
    done = await served.client("get-inclusion-proof", "--leaf_hash", named)
    assert done.returncode == 0, done.stderr
    assert f"index {ENTRIES} in tree of size {ENTRIES + 1}" in done.stdout.decode()
    assert "Verified" in done.stdout.decode()


async def test_the_leaf_that_is_computed_from_a_certificate_is_the_one_in_the_tree(served: Served) -> None:
    chain = served.folder / "issuer.pem"
    chain.write_bytes(certificates_pem((served.issued.issuer, served.issued.root)))
    at = str(served.now * 1000)
    done = await served.client("get-inclusion-proof", "--cert_chain", str(chain), "--timestamp", at)
    assert done.returncode == 0, done.stderr
    assert f"index 0 in tree of size {ENTRIES + 1}" in done.stdout.decode()


async def test_a_submission_is_taken_and_its_timestamp_verifies(served: Served) -> None:
    chain = served.folder / "chain.pem"
    chain.write_bytes(served.issued.pem)
    done = await served.client("upload", "--cert_chain", str(chain))
    assert done.returncode == 0, done.stderr
    assert f"LogID: {served.log.log.log_id.hex()}" in done.stdout.decode()
    assert served.log.head(served.now).head.size == ENTRIES + 2


async def test_entries_and_roots_are_read(served: Served) -> None:
    done = await served.client("get-entries", "--first", "0", "--last", str(ENTRIES))
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert shown.count("Index=") == ENTRIES + 1
    assert (shown.count("X.509 certificate"), shown.count("pre-certificate")) == (1, ENTRIES)
    roots = await served.client("get-roots")
    assert "Ringtrue development root" in roots.stdout.decode()


async def test_an_embedded_timestamp_is_valid_for_its_certificate_and_no_other(served: Served) -> None:
    done = await served.sctcheck(served.log.log, served.issued)
    assert done.returncode == 0, done.stderr
    assert "validated" in done.stderr.decode()
    other = LogKey.of("another", ec.generate_private_key(ec.SECP256R1()).public_key())
    assert (await served.sctcheck(other, served.issued)).returncode != 0
