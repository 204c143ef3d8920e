"""`delivery serve` says plainly why it does not start."""

import asyncio
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from delivery_service import sqlite
from delivery_service.cli import delivery
from delivery_service.sqlite import SqliteStore


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


def test_an_old_sqlite_is_refused(anchors, monkeypatch):
    monkeypatch.setattr("delivery_service.cli.apsw.sqlite_lib_version", lambda: "3.40.1")
    result = serve("--anchors", anchors)
    assert result.exit_code == 1
    assert "3.51.3" in result.stderr


def test_a_taken_port_is_named(anchors):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = serve("--anchors", anchors, "--port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert "in use" in result.stderr


async def test_a_folder_in_use_and_a_newer_schema_are_refused(anchors, tmp_path, monkeypatch):
    store = SqliteStore(tmp_path / "data", lambda change: None)
    store.start()
    arguments = ("--anchors", anchors, "--data-dir", tmp_path / "data")
    in_use = await asyncio.to_thread(serve, *arguments)
    await store.stop()
    assert (in_use.exit_code, "another delivery service" in in_use.stderr) == (1, True)
    schema = f"schema {sqlite.SCHEMA_VERSION}"
    monkeypatch.setattr(sqlite, "SCHEMA_VERSION", 0)
    newer = await asyncio.to_thread(serve, *arguments)
    assert (newer.exit_code, schema in newer.stderr) == (1, True)
