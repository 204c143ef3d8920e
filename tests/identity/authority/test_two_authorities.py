"""The token authority and the certification authority as two processes that know each other by URL alone."""

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

from identity.certificates import TrustAnchors, verify_chain
from identity.issuing import device_csr
from identity.number import TelephoneNumber
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


async def test_a_device_enrols_and_renews_with_two_processes(tmp_path):
    tokens, certificates = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    folders = [("--data-dir", str(tmp_path / name)) for name in ("tokens", "certificates")]
    ports = [("--port", url.rpartition(":")[2]) for url in (tokens, certificates)]
    proving = ("serve-tokens", *ports[0], *folders[0], "--certificate-authority", certificates)
    issuing = ("serve-certificates", *ports[1], *folders[1], "--token-authority", tokens)
    with serving(tmp_path / "tokens.log", *proving), serving(tmp_path / "certificates.log", *issuing):
        async with httpx.AsyncClient() as http:
            await enrol_and_renew(http, tokens, certificates, tmp_path / "tokens.log")
    assert not (tmp_path / "tokens" / "authority.sqlite").exists()
    assert not (tmp_path / "certificates" / "tokens").exists()
    assert ALICE.digits not in (tmp_path / "certificates.log").read_text()


async def enrol_and_renew(http: httpx.AsyncClient, tokens: str, certificates: str, log: Path) -> None:
    account, key = await AcmeAccount(http, base_url=certificates).register(), private_key()
    opened = (await http.post(f"{tokens}/v1/challenges", json={"number": ALICE.e164})).json()
    request = account.by_code(until(log, r"Code for .*: (\d+)"), ALICE, key)
    chain = await ordered(account, await account.token(opened["challenge"], request, tokens), key)
    anchors = TrustAnchors.from_pem((await http.get(f"{certificates}/v1/anchors.pem")).content)
    assert verify_chain(chain, anchors, int(time.time())).number == ALICE

    renewal = account.by_device(chain, key, ALICE, key, int(time.time()), aud=tokens)
    again = await ordered(account, await account.token("device", renewal, tokens), key)
    assert verify_chain(again, anchors, int(time.time())).number == ALICE
    assert again[0] != chain[0]


async def ordered(account: AcmeAccount, authority_token: str, key) -> list[bytes]:
    order = await account.order(one(ALICE))
    answered = await account.answer(order, authority_token)
    assert answered.json()["status"] == "valid", answered.text
    done = (await account.finalize(order, device_csr(key, ALICE))).json()
    return await account.chain(done["certificate"])
