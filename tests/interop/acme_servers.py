"""ACME servers that are not ours: pebble (Go), and acme2certifier (Python) with a certification authority behind it."""

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.interop.peers import HERE, require

LOOPBACK = "127.0.0.1"
PATIENCE = 30  # seconds for a server to listen
ACME2CERTIFIER = "RINGTRUE_ACME2CERTIFIER"  # the Python interpreter that has it


@dataclass(frozen=True)
class Running:
    """A server's directory, and what carries requests to it."""

    directory: str
    transport: httpx.AsyncBaseTransport | None


@contextmanager
def pebble(folder: Path, **settings: str) -> Iterator[Running]:
    """Pebble with a certificate for the loopback address; `settings` are its environment."""
    program = require("pebble")
    certificate, key = _loopback_certificate(folder)
    port, management = _free_port(), _free_port()
    config = {
        "listenAddress": f"{LOOPBACK}:{port}",
        "managementListenAddress": f"{LOOPBACK}:{management}",
        "certificate": str(certificate),
        "privateKey": str(key),
        "httpPort": _free_port(),
        "tlsPort": _free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "retryAfter": {"authz": 1, "order": 1},
    }
    path = folder / "pebble.json"
    path.write_text(json.dumps({"pebble": config}))
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(certificate)))
    with _process([program, "-config", str(path)], folder, settings, port):
        yield Running(f"https://{LOOPBACK}:{port}/dir", transport)


@contextmanager
def acme2certifier(
    folder: Path, issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, root: x509.Certificate
) -> Iterator[Running]:
    """Acme2certifier over an issuer of ours. It takes tokens unverified, and only if that risk is acknowledged."""
    python = Path(os.environ.get(ACME2CERTIFIER, HERE / "bin" / "acme2certifier" / "bin" / "python"))
    if not python.exists():
        pytest.skip(
            f"acme2certifier is not installed; tests/interop/install does it, or {ACME2CERTIFIER} names a Python"
        )
    _write_issuer(folder, issuer_key, issuer, root)
    port, config = _free_port(), folder / "acme_srv.cfg"
    config.write_text(_ACME2CERTIFIER_CONFIG.format(folder=folder, handler=HERE / "acme2certifier_issuer.py"))
    settings = {"ACME_SRV_CONFIGFILE": str(config), "ACME2CERTIFIER_I_KNOW_THE_RISK": "1"}
    with _process([str(python), str(HERE / "acme2certifier_server.py"), str(port)], folder, settings, port):
        yield Running(f"http://{LOOPBACK}:{port}/directory", None)


_ACME2CERTIFIER_CONFIG = """[DEFAULT]
debug: False
[CAhandler]
handler_module: {handler}
issuing_ca_key: {folder}/issuer.key
issuing_ca_cert: {folder}/issuer.pem
issuing_ca_crl: {folder}/issuer.crl
ca_cert_chain_list: ["{folder}/root.pem"]
cert_save_path: {folder}/issued
cert_validity_days: 7
[Account]
contact_check_disable: True
[DBhandler]
handler: wsgi
dbfile: {folder}/acme.db
[Order]
tnauthlist_support: True
"""


def _write_issuer(
    folder: Path, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, root: x509.Certificate
) -> None:
    now = datetime.now(UTC)
    empty = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now)
    revoked = empty.next_update(now + timedelta(days=1)).sign(key, hashes.SHA256())
    (folder / "issuer.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for name, value in (("issuer.pem", issuer), ("root.pem", root), ("issuer.crl", revoked)):
        (folder / name).write_bytes(value.public_bytes(Encoding.PEM))
    (folder / "issued").mkdir()


@contextmanager
def _process(command: list[str], folder: Path, settings: dict[str, str], port: int) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            _wait(running, port, folder / "server.log")
            yield
        finally:
            running.terminate()
            running.wait(PATIENCE)


def _wait(running: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and running.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"the server does not listen: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _loopback_certificate(folder: Path) -> tuple[Path, Path]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "tls.pem", folder / "tls.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths
