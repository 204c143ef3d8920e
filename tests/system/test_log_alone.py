"""A log in a process of its own: an authority uses it, clients find it, and nobody believes what it has not signed."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from client.credentials.enrolment import EnrolmentClient
from client.credentials.log_client import LogClient
from identity.authority.cli import authority as command
from identity.authority.errors import LogError
from identity.authority.log.endpoints import log_routes, logs_route
from identity.authority.log.folder import open_log
from identity.authority.log.remote import RemoteLog
from identity.authority.log.wire import Log
from identity.certificates import verify_chain
from identity.number import TelephoneNumber
from identity.transparency.entries import certificate_entry
from identity.transparency.log_key import LogKey
from identity.trust import TrustAnchors, TrustPolicy
from lab.serving import listening
from tests.identity.conftest import NOW, Authority, der, private_key

PROGRAM = [sys.executable, "-c", "from identity.authority.cli import authority; authority()"]
ALICE = TelephoneNumber.from_digits("12025550142")


@contextmanager
def running(log: Path, *arguments: str) -> Iterator[str]:
    """One command in its own process; yields the URL that it says."""
    with log.open("w") as stream:
        process = subprocess.Popen([*PROGRAM, *arguments], stderr=stream, stdout=stream)
    try:
        yield until(log, r"at (http://\S+),")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def until(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


async def test_an_authority_logs_what_it_issues_in_a_log_elsewhere(tmp_path: Path) -> None:
    """The log starts first, and fetches the authority's roots when the first certificate comes."""
    port, screen = free_port(), tmp_path / "authority.txt"
    authority = f"http://127.0.0.1:{port}"
    logging = ("serve-log", "--port", "0", "--data-dir", str(tmp_path / "l"), "--certificate-authority", authority)
    with running(tmp_path / "log.txt", *logging) as log_url:
        serving = ("serve", "--port", port, "--data-dir", str(tmp_path / "a"), "--log", log_url)
        with running(screen, *serving):
            async with EnrolmentClient(authority) as enrolment, LogClient(authority) as named:
                (log,) = (await named.logs()).logs
                anchors = await enrolment.anchors()
                opened = await enrolment.challenge(ALICE)
                code, key = until(screen, r": ([0-9]{6}) "), ec.generate_private_key(ec.SECP256R1())
                issued = await enrolment.certify(opened.challenge, code, key, ALICE, anchors)
            believed = TrustAnchors(anchors.roots, TrustPolicy(logs=(log.read(),), scts=1))
            assert verify_chain(issued.chain, believed, int(time.time())).logged_at is not None
            async with LogClient(log.url) as client:
                told = await client.head()
                assert told.read().is_by(log.read(), told.tree_head_signature)
                assert told.tree_size == 2
    assert (log.url, log.name) == (log_url, "Ringtrue development log")


async def test_an_authority_believes_no_timestamp_that_is_not_by_the_log_it_knows(tmp_path: Path) -> None:
    scene = Authority()
    log = open_log(tmp_path, "a log", lambda: [scene.root])
    other = LogKey.of("a log", private_key(99).public_key())
    issuer = scene.issuer()
    chain = [der(issuer), der(scene.root)]
    for key, believed in ((log.log, True), (other, False)):

        def build(url: str, key: LogKey = key) -> Starlette:
            return Starlette(routes=[logs_route([Log(key.name, key.spki, url)]), *log_routes(log, time.time)])

        async with listening(build) as url:
            remote = await asyncio.to_thread(RemoteLog, url)
            if believed:
                timestamp = await asyncio.to_thread(remote.add_chain, chain, NOW)
                assert timestamp.is_by(key, certificate_entry(issuer))
            else:
                with pytest.raises(LogError, match="has not signed"):
                    await asyncio.to_thread(remote.add_chain, chain, NOW)
            remote.close()
    log.close()


def test_a_log_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--data-dir", str(tmp_path / "a"), "--log", "http://127.0.0.1:1"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert "cannot use the log at http://127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.output
