"""The token authority and the certification authority as two processes that know each other by URL alone."""

import hashlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from click.testing import CliRunner

from identity.authority.cli import authority as command
from identity.certificate_fields import load_certificate
from identity.certificates import TrustAnchors, verify_chain
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from identity.status.revocation import StatusState, verify_crl
from tests.identity.authority.ordering import AcmeAccount, one, private_key

PROGRAM = [sys.executable, "-c", "from identity.authority.cli import authority; authority()"]
ALICE = TelephoneNumber.from_digits("12025550142")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def serving(log: Path, *arguments: str) -> Iterator[None]:
    with log.open("w") as stream:
        process = subprocess.Popen([*PROGRAM, *arguments], stderr=stream, stdout=stream)
    try:
        until(log, r"uthority at (\S+),")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def until(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"{pattern} did not appear in {log.read_text()!r}")


@contextmanager
def two_processes(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of a token authority and a certification authority, each with a folder of its own."""
    tokens, certificates = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    folders = [("--data-dir", str(tmp_path / name)) for name in ("tokens", "certificates")]
    ports = [("--port", url.rpartition(":")[2]) for url in (tokens, certificates)]
    proving = ("serve-tokens", *ports[0], *folders[0], "--certificate-authority", certificates)
    issuing = ("serve-certificates", *ports[1], *folders[1], "--token-authority", tokens)
    with serving(tmp_path / "tokens.log", *proving), serving(tmp_path / "certificates.log", *issuing):
        yield tokens, certificates


def operate(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)])
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_revoked_certificate_is_no_right_at_the_other_authority(tmp_path):
    with two_processes(tmp_path) as (tokens, certificates):
        async with httpx.AsyncClient() as http:
            account, key = await AcmeAccount(http, base_url=certificates).register(), private_key()
            chain = await enrolled(http, account, key, tokens, tmp_path / "tokens.log")
            operate(tmp_path / "certificates", "revoke", hashlib.sha256(chain[0]).hexdigest(), "--reason", "superseded")
            right = account.by_device(chain, key, ALICE, private_key(), int(time.time()), aud=tokens)
            refused = await http.post(f"{tokens}/at/account/device/token", content=msgspec.json.encode(right),
                                      headers={"content-type": "application/json"})  # fmt: skip
    assert refused.status_code == 403
    assert "was revoked" in refused.json()["detail"]


async def test_a_number_that_has_left_is_let_go_at_each_of_the_two(tmp_path):
    with two_processes(tmp_path) as (tokens, certificates):
        async with httpx.AsyncClient() as http:
            account, key = await AcmeAccount(http, base_url=certificates).register(), private_key()
            chain = await enrolled(http, account, key, tokens, tmp_path / "tokens.log")
            issuing = operate(tmp_path / "certificates", "port-out", ALICE.e164)
            proving = operate(tmp_path / "tokens", "port-out", ALICE.e164)
            crl = (await http.get(f"{certificates}/v1/crl")).content
    assert hashlib.sha256(chain[0]).hexdigest() in issuing
    assert "run the same command there" in issuing
    assert proving == "The token authority has forgotten what 1 key had proved.\n"
    serial = load_certificate(chain[0]).serial_number
    assert verify_crl(crl, chain[1], int(time.time())).of(serial, int(time.time())).state is StatusState.REVOKED


async def test_a_device_enrols_and_renews_with_two_processes(tmp_path):
    with two_processes(tmp_path) as (tokens, certificates):
        async with httpx.AsyncClient() as http:
            await enrol_and_renew(http, tokens, certificates, tmp_path / "tokens.log")
    assert not (tmp_path / "tokens" / "authority.sqlite").exists()
    assert not (tmp_path / "certificates" / "tokens").exists()
    assert ALICE.digits not in (tmp_path / "certificates.log").read_text()


async def enrol_and_renew(http: httpx.AsyncClient, tokens: str, certificates: str, log: Path) -> None:
    account, key = await AcmeAccount(http, base_url=certificates).register(), private_key()
    chain = await enrolled(http, account, key, tokens, log)
    anchors = TrustAnchors.from_pem((await http.get(f"{certificates}/v1/anchors.pem")).content)
    assert verify_chain(chain, anchors, int(time.time())).number == ALICE

    renewal = account.by_device(chain, key, ALICE, key, int(time.time()), aud=tokens)
    again = await ordered(account, await account.token("device", renewal, tokens), key)
    assert verify_chain(again, anchors, int(time.time())).number == ALICE
    assert again[0] != chain[0]


async def enrolled(http: httpx.AsyncClient, account: AcmeAccount, key, tokens: str, log: Path) -> list[bytes]:
    """The chain that a code is exchanged for."""
    opened = (await http.post(f"{tokens}/v1/challenges", json={"number": ALICE.e164})).json()
    request = account.by_code(until(log, r"Code for .*: (\d+)"), ALICE, key)
    return await ordered(account, await account.token(opened["challenge"], request, tokens), key)


async def ordered(account: AcmeAccount, authority_token: str, key) -> list[bytes]:
    order = await account.order(one(ALICE))
    answered = await account.answer(order, authority_token)
    assert answered.json()["status"] == "valid", answered.text
    done = (await account.finalize(order, device_csr(key, ALICE))).json()
    return await account.chain(done["certificate"])
