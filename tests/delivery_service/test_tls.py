"""TLS by configuration, and no plain HTTP to others by accident."""

import asyncio
import datetime
import signal
import socket
import ssl
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from client.errors import UnreachableError
from client.services.service import Call, Service
from delivery_service.cli import delivery
from tests.delivery_service.real_process import RealProcess

ALICE = "+12025550142"


class PrivateAuthority:
    """A certification authority for TLS that nobody's trust store knows."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A private CA")])
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if ca:
            usage = x509.KeyUsage(*(each in (5, 6) for each in range(9)))
            builder = builder.add_extension(usage, critical=True)
        else:
            names = [x509.DNSName("localhost"), x509.DNSName("delivery.example")]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, folder: Path) -> x509.Certificate:
        """Writes `tls.pem` and `tls.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        certificate = self._sign(subject, key.public_key(), ca=False)
        (folder / "tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "tls.key").write_bytes(secret)
        return certificate

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.certificate.public_bytes(Encoding.PEM).decode())


@pytest.fixture
def private() -> PrivateAuthority:
    return PrivateAuthority()


def options(folder: Path) -> tuple[str, ...]:
    return ("--tls-cert", str(folder / "tls.pem"), "--tls-key", str(folder / "tls.key"))


def shown(port: int, context: ssl.SSLContext) -> bytes:
    plain = socket.create_connection(("127.0.0.1", port))
    with plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
        return connection.getpeercert(binary_form=True) or b""


async def test_devices_use_a_service_with_a_certificate_of_a_private_authority(
    tmp_path: Path, private, now_roots, now_device
):
    private.issue(tmp_path)
    process = RealProcess(tmp_path / "service", now_roots, *options(tmp_path))
    assert (await process.start()).startswith("https://127.0.0.1:")
    alice = now_device(ALICE)
    await alice.http.aclose()
    url = process.url.replace("127.0.0.1", "localhost")
    async with httpx.AsyncClient(base_url=url, verify=private.context(), timeout=20) as alice.http:
        await alice.open_session()
        group = await alice.create()
        await alice.say(group, b"text")
        assert len((await alice.read(group.group_id)).entries) == 1
    async with httpx.AsyncClient(base_url=url) as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get("/v1/health")
    assert await process.end() == 0


async def test_this_project_s_client_takes_a_private_authority_from_the_usual_variable(
    tmp_path: Path, private, now_roots, monkeypatch
):
    private.issue(tmp_path)
    process = RealProcess(tmp_path / "service", now_roots, *options(tmp_path))
    url = (await process.start()).replace("127.0.0.1", "localhost")
    async with aclosing(Service(url, 4096)) as service:
        with pytest.raises(UnreachableError, match="certificate that counts for nothing here") as caught:
            await service.send(Call("GET", "/v1/status"))
        assert "SSL_CERT_FILE" in caught.value.hint
    (tmp_path / "ca.pem").write_bytes(private.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with aclosing(Service(url, 4096)) as service:
        assert b"delivery.example" in await service.send(Call("GET", "/v1/status"))
    assert await process.end() == 0


async def test_old_tls_is_refused(tmp_path: Path, private, now_roots):
    private.issue(tmp_path)
    process = RealProcess(tmp_path / "service", now_roots, *options(tmp_path))
    port = httpx.URL(await process.start()).port
    new, old = private.context(), private.context()
    new.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await asyncio.to_thread(shown, port, new)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.to_thread(shown, port, old)
    assert await process.end() == 0


async def test_a_new_certificate_is_taken_at_sighup_and_a_broken_one_is_not(tmp_path: Path, private, now_roots):
    first = private.issue(tmp_path)
    process = RealProcess(tmp_path / "service", now_roots, *options(tmp_path))
    port = httpx.URL(await process.start()).port
    assert await asyncio.to_thread(shown, port, private.context()) == first.public_bytes(Encoding.DER)
    second = private.issue(tmp_path)
    process.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(20):
        while await asyncio.to_thread(shown, port, private.context()) != second.public_bytes(Encoding.DER):
            await asyncio.sleep(0.01)
    (tmp_path / "tls.pem").write_text("nothing")
    process.process.send_signal(signal.SIGHUP)
    (warning,) = await process.said("library")
    assert warning["message"] == "the former certificate stays: %s"
    assert await asyncio.to_thread(shown, port, private.context()) == second.public_bytes(Encoding.DER)
    assert await process.end() == 0


def refused(*arguments: object) -> str:
    answer = CliRunner().invoke(delivery, ["serve", "--port", "0", *map(str, arguments)])
    assert answer.exit_code == 1
    assert "Traceback" not in answer.stderr
    return answer.stderr


def test_plain_http_to_others_is_refused(tmp_path: Path, private):
    private.issue(tmp_path)
    (tmp_path / "roots.pem").write_bytes(private.certificate.public_bytes(Encoding.PEM))
    trusting = ("--anchors", tmp_path / "roots.pem", "--data-dir", tmp_path / "data")
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        said = refused("--host", host, *trusting)
        assert "--behind-proxy" in said
        assert "--tls-cert" in said
    assert "belong together" in refused("--tls-cert", tmp_path / "tls.pem", *trusting)
    (tmp_path / "tls.key").write_text("nothing")
    assert "cannot use the TLS certificate" in refused(*options(tmp_path), *trusting)
    assert "--log json" in refused("--log-requests", *trusting)
    assert not (tmp_path / "data").exists()


def test_an_address_for_metrics_must_be_one(tmp_path: Path, private):
    (tmp_path / "roots.pem").write_bytes(private.certificate.public_bytes(Encoding.PEM))
    for wrong in ("9442", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999"):
        arguments = ["serve", "--metrics", wrong, "--anchors", str(tmp_path / "roots.pem")]
        answer = CliRunner().invoke(delivery, arguments)
        assert (answer.exit_code, "HOST:PORT" in answer.stderr) == (2, True)
