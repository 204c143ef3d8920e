"""`delivery serve` says plainly why it does not start."""

import asyncio
import socket
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from delivery_service.cli import delivery
from delivery_service.franking import write_key
from delivery_service.storage import sqlite
from delivery_service.storage.sqlite import SqliteEngine
from identity.reports.franking import FrankingContext, FrankingKey, franking_tag
from identity.reports.report import Evidence, EvidenceItem, ReportKind


@pytest.fixture
def anchors(tmp_path: Path, now_roots) -> Path:
    file = tmp_path / "anchors.pem"
    file.write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in now_roots.anchors.roots))
    return file


def serve(*arguments: object) -> Result:
    return CliRunner().invoke(delivery, ["serve", "--port", "0", *map(str, arguments)])


def test_it_must_know_whom_to_trust(anchors):
    for arguments in ((), ("--anchors", anchors, "--authority", "http://127.0.0.1:1")):
        result = serve(*arguments)
        assert result.exit_code == 1
        assert "--anchors FILE or --authority URL" in result.stderr


def test_an_authority_that_does_not_answer_is_named():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = serve("--authority", f"http://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"http://127.0.0.1:{port}/v1/anchors.pem" in result.stderr


def test_a_file_without_certificates_is_refused(anchors):
    anchors.write_text("nothing")
    result = serve("--anchors", anchors)
    assert (result.exit_code, "Traceback" in result.stderr) == (1, False)
    assert "trust list" in result.stderr


def test_what_does_not_serve_roots_is_said_to_be_no_authority(anchors):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "no-address"):
        result = serve("--authority", url)
        assert result.exit_code == 1
        assert "check --authority, and that the authority runs" in result.stderr
        assert "developer.mozilla.org" not in result.stderr


@pytest.mark.parametrize("place", ["file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made_is_named(anchors, tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    result = serve("--anchors", anchors, "--data-dir", tmp_path / place)
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert f"the folder {tmp_path / place} cannot be used" in result.stderr
    assert "--data-dir" in result.stderr


@pytest.mark.parametrize(
    "name", ["a b", "chat.example/x", "chat.example:8442", "https://chat.example", "", "ä.example"]
)
def test_a_name_that_no_address_can_have_is_refused(anchors, tmp_path, name):
    result = serve("--anchors", anchors, "--data-dir", tmp_path / "data", "--name", name)
    assert (result.exit_code, "chat.example" in result.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


def test_an_old_sqlite_is_refused(anchors, monkeypatch):
    monkeypatch.setattr("delivery_service.cli.apsw.sqlite_lib_version", lambda: "3.40.1")
    result = serve("--anchors", anchors)
    assert result.exit_code == 1
    assert "3.51.3" in result.stderr


def test_a_taken_port_is_named(anchors):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        result = serve("--anchors", anchors, "--port", taken)
    assert result.exit_code == 1
    assert f"cannot listen at 127.0.0.1 port {taken}: Address already in use; choose" in result.stderr
    assert "Errno" not in result.stderr


async def test_a_folder_in_use_and_a_newer_schema_are_refused(anchors, tmp_path, monkeypatch):
    engine = SqliteEngine(tmp_path / "data")
    engine.start(lambda change: None)
    arguments = ("--anchors", anchors, "--data-dir", tmp_path / "data")
    in_use = await asyncio.to_thread(serve, *arguments)
    await engine.stop()
    assert (in_use.exit_code, "stop it first" in in_use.stderr) == (1, True)
    schema = f"schema {sqlite.SCHEMA_VERSION}"
    monkeypatch.setattr(sqlite, "SCHEMA_VERSION", 0)
    newer = await asyncio.to_thread(serve, *arguments)
    assert (newer.exit_code, schema in newer.stderr) == (1, True)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(delivery, list(map(str, arguments)))


def evidence(*items: EvidenceItem) -> bytes:
    return Evidence(items, ReportKind.SPAM).encode()


def test_a_service_confirms_by_its_own_mac_what_a_report_shows(tmp_path: Path):
    key, file = write_key(tmp_path), tmp_path / "evidence.json"
    framed = b"\x18application/mimi-content\x00\x16\x87\x50" + bytes(16) + b"spam"
    context = FrankingContext("mimi://h/u/+12025550143", "mimi://h/g/cm9vbQ", 1_800_000_000_000)
    frank = key.frank(franking_tag(framed), context)
    said = EvidenceItem(
        framed,
        "",
        (),
        context.room_uri,
        0,
        0,
        0,
        sender=context.sender_uri,
        accepted_ms=context.accepted_ms,
        frank=frank,
    )
    file.write_bytes(evidence(said))
    result = command("verify-frank", file, "--data-dir", tmp_path)
    assert result.exit_code == 0
    assert "message 1: confirmed: mimi://h/u/+12025550143 sent it to mimi://h/g/cm9vbQ at 2027-" in result.stdout
    file.write_bytes(msgspec.json.encode({"evidence": evidence(said).decode(), "statement": "", "chain": []}))
    assert command("verify-frank", file, "--data-dir", tmp_path).exit_code == 0
    thief = FrankingKey.from_octets(bytes(32) + key.to_octets()[32:])
    for forged in (
        replace(said, framed=framed + b"!"),
        replace(said, frank=b""),
        replace(said, frank=thief.frank(franking_tag(framed), context)),
    ):
        file.write_bytes(evidence(said, forged))
        result = command("verify-frank", file, "--data-dir", tmp_path)
        assert (result.exit_code, "message 2: NOT CONFIRMED" in result.stdout) == (3, True)
    printed = command("franking-key", "--data-dir", tmp_path)
    assert b64decode(printed.stdout) == key.public.point


def test_without_a_key_or_with_other_evidence_it_says_so(tmp_path: Path):
    file = tmp_path / "evidence.json"
    file.write_bytes(b"{}")
    for arguments in (("franking-key",), ("verify-frank", file)):
        result = command(*arguments, "--data-dir", tmp_path)
        assert (result.exit_code, "cannot be read" in result.stderr) == (1, True)
    write_key(tmp_path)
    result = command("verify-frank", file, "--data-dir", tmp_path)
    assert (result.exit_code, "this is no evidence" in result.stderr) == (1, True)
