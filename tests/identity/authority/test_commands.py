"""`authority serve` and `authority anchors`, over real sockets."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from identity.authority.cli import authority as command
from identity.certificates import TrustAnchors, verify_chain
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from tests.identity.authority.ordering import AcmeAccount, one, private_key

ALICE = TelephoneNumber.from_digits("12025550142")
PROGRAM = [sys.executable, "-c", "from identity.authority.cli import authority; authority()"]


async def test_a_served_authority_enrols_ends_on_sigterm_and_logs_no_number(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as stream:
        arguments = ["serve", "--port", "0", "--data-dir", str(tmp_path / "authority")]
        process = subprocess.Popen([*PROGRAM, *arguments], stderr=stream, stdout=stream)
    try:
        url = until(log, r"Authority at (\S+),")
        chain = await enrol(url, log)
    finally:
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    assert time.monotonic() - started < 5
    assert not list((tmp_path / "authority").rglob("*.sqlite-wal"))
    printed = CliRunner().invoke(command, ["anchors", "--data-dir", str(tmp_path / "authority")])
    assert printed.exit_code == 0
    anchors = TrustAnchors.from_pem(printed.stdout.encode())
    assert verify_chain(chain, anchors, int(time.time())).number == ALICE
    lines = log.read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["Authority at http", "Code for +1 202-555-0142"]


async def enrol(url: str, log: Path) -> list[bytes]:
    async with httpx.AsyncClient() as http:
        account = await AcmeAccount(http, base_url=url).register()
        opened = (await http.post(f"{url}/v1/challenges", json={"number": "+1 202 555 0142"})).json()
        key = private_key()
        request = account.by_code(until(log, r": ([0-9]{6}) "), ALICE, key)
        order = await account.order(one(ALICE))
        await account.answer(order, await account.token(opened["challenge"], request))
        done = (await account.finalize(order, device_csr(key, ALICE))).json()
        assert done["x5u"].startswith(url)
        assert (await http.get(done["x5u"])).status_code == 200
        return await account.chain(done["certificate"])


def until(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["anchors"], 1, "has no authority yet"),
        (["serve", "--host", "0.0.0.0"], 2, "--base-url is needed"),
        (["serve", "--port", "0", "--base-url", "ftp://x"], 2, "is not a base URL"),
        (["serve", "--port", "0", "--allow", "abc"], 2, "is not a number prefix"),
        (["serve", "--port", "0", "--host", "192.0.2.77"], 1, "cannot listen at 192.0.2.77"),
        (["serve", "--port", "99999"], 2, "99999"),
        (["serve", "--port", "0", "--hub", "/nowhere"], 1, "/nowhere holds no franking key"),
        (["serve", "--port", "0", "--hub", "http://127.0.0.1:1"], 1, "start that service first"),
        (["serve", "--port", "0", "--carrier", "/nowhere"], 1, "/nowhere holds no carrier's certificate"),
        (["serve", "--bogus"], 2, "--bogus"),
        (["serve-tokens", "--host", "::"], 2, "--base-url is needed"),
        (["serve-tokens", "--port", "0", "--certificate-authority", "/nowhere"], 1, "/nowhere holds no root"),
        (["serve-certificates", "--port", "0"], 2, "--token-authority"),
        (["serve-certificates", "--port", "0", "--token-authority", "/nowhere"], 1, "/nowhere holds no root"),
        (["token-anchors"], 1, "has no token authority yet"),
    ],
)
def test_a_refused_command_says_why_without_a_traceback(tmp_path, arguments, code, says):
    data_dir = [] if "--bogus" in arguments else ["--data-dir", str(tmp_path / "authority")]

    result = CliRunner().invoke(command, [*arguments, *data_dir])

    assert (result.exit_code, type(result.exception)) == (code, SystemExit)
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "authority").exists()


def test_a_port_in_use_is_an_error_before_keys_are_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(command, ["serve", "--port", port, "--data-dir", str(tmp_path / "authority")])

    assert result.exit_code == 1
    assert "in use" in result.stderr
    assert not (tmp_path / "authority").exists()


def test_open_permissions_end_the_command(tmp_path):
    folder = tmp_path / "authority"
    folder.mkdir(mode=0o755)
    os.chmod(folder, 0o755)

    result = CliRunner().invoke(command, ["serve", "--port", "0", "--data-dir", str(folder)])

    assert result.exit_code == 1
    assert f"chmod 700 {folder}" in result.stderr
