"""Certificates are fetched by rule: from public hosts, over TLS, without a detour, and only as much as they can be."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity import fetching
from identity.errors import FetchError
from identity.fetching import CHAIN_SIZE_LIMIT, fetch_chain, is_public

HOST = "certificates.example"
URL = f"https://{HOST}/alice.pem"
PEM_TYPE = "application/pem-certificate-chain"


class Site:
    """A web server under a name of its own, certified for tests alone."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.sign(key, hashes.SHA256())
        self.pem = certificate.public_bytes(Encoding.PEM)
        self.der = certificate.public_bytes(Encoding.DER)
        file = folder / "site.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + self.pem)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(file)
        self.trust = ssl.create_default_context(cadata=self.pem.decode())
        self.asked: list[str] = []

    @asynccontextmanager
    async def answering(self, head: str, body: bytes) -> AsyncIterator[Callable[[str, int], Awaitable[list]]]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            try:
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            except OSError:
                return  # the client has seen enough

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=self._tls)
        port = server.sockets[0].getsockname()[1]

        async def resolve(_: str, __: int) -> list[tuple[str, int]]:
            return [("127.0.0.1", port)]

        async with server:
            yield resolve


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("url", ["https://a..example/a.pem", f"https://{'a' * 64}.example/a.pem", "https://./a.pem"])
async def test_a_host_that_can_have_no_name_is_not_fetched_from(url: str) -> None:
    with pytest.raises(FetchError):
        await fetch_chain(url)


async def test_an_address_that_no_request_can_have_is_not_fetched(site: Site) -> None:
    async with site.answering(f"200 OK\r\ncontent-type: {PEM_TYPE}", site.pem) as resolve:
        with pytest.raises(FetchError):
            await fetch_chain(URL + "\x7f", tls=site.trust, resolve=resolve)


async def test_a_certificate_of_no_known_version_is_none(site: Site) -> None:
    der = site.der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
    pem = b"-----BEGIN CERTIFICATE-----\n" + b64encode(der) + b"\n-----END CERTIFICATE-----\n"
    async with site.answering(f"200 OK\r\ncontent-type: {PEM_TYPE}", pem) as resolve:
        with pytest.raises(FetchError):
            await fetch_chain(URL, tls=site.trust, resolve=resolve)


async def test_a_published_chain_is_fetched_by_its_name(site: Site) -> None:
    async with site.answering(f"200 OK\r\ncontent-type: {PEM_TYPE}", site.pem * 2) as resolve:
        assert await fetch_chain(URL, tls=site.trust, resolve=resolve) == (site.der, site.der)
    (asked,) = site.asked
    assert asked.startswith("GET /alice.pem HTTP/1.1\r\n")
    assert f"host: {HOST}\r\n" in asked.lower()


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        ("404 Not Found", b"", "answered 404"),
        ("301 Moved\r\nlocation: https://elsewhere.example/", b"", "answered 301"),
        ("200 OK\r\ncontent-type: text/html", b"<html>", "did not answer with"),
        (f"200 OK\r\ncontent-type: {PEM_TYPE}", b"garbage", "not a list"),
        (f"200 OK\r\ncontent-type: {PEM_TYPE}", b"", "not a list"),
        (f"200 OK\r\ncontent-type: {PEM_TYPE}", b"-" * (CHAIN_SIZE_LIMIT + 1), "more than"),
    ],
    ids=["404", "redirect", "another type", "garbage", "empty", "too large"],
)
async def test_any_other_answer_is_refused(site: Site, head: str, body: bytes, says: str) -> None:
    async with site.answering(head, body) as resolve:
        with pytest.raises(FetchError, match=says):
            await fetch_chain(URL, tls=site.trust, resolve=resolve)
    assert len(site.asked) == 1


async def test_too_many_certificates_are_refused(site: Site) -> None:
    async with site.answering(f"200 OK\r\ncontent-type: {PEM_TYPE}", site.pem * 6) as resolve:
        with pytest.raises(FetchError, match="more than 5"):
            await fetch_chain(URL, tls=site.trust, resolve=resolve)


async def test_a_host_that_cannot_show_its_name_is_refused(site: Site) -> None:
    async with site.answering("200 OK", b"") as resolve:
        with pytest.raises(FetchError, match="did not give the certificates"):
            await fetch_chain(URL.replace("certificates", "elsewhere"), tls=site.trust, resolve=resolve)
    assert site.asked == []


async def test_a_host_that_does_not_answer_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FETCH_TIMEOUT", 0.2)
    forever = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await forever.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        async def resolve(_: str, __: int) -> list[tuple[str, int]]:
            return [("127.0.0.1", port)]

        with pytest.raises(FetchError):
            await fetch_chain(URL, tls=site.trust, resolve=resolve)
        forever.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://certificates.example/a.pem",
        "ftp://certificates.example/a.pem",
        "https://certificates.example:8080/a.pem",
        "https://certificates.example:x/a.pem",
        "https://me@certificates.example/a.pem",
        "https://me:secret@certificates.example/a.pem",
        "https://certificates.example/a.pem?who=bob",
        "https://certificates.example/a.pem?",
        "https://certificates.example/a.pem#bob",
        "https:///a.pem",
        "https://[::1/a.pem",
        "certificates.example",
        "",
    ],
)
async def test_an_address_that_the_rules_do_not_allow_is_not_asked(url: str) -> None:
    with pytest.raises(FetchError):
        await fetch_chain(url, resolve=_never)


async def _never(_: str, __: int) -> list[tuple[str, int]]:
    raise AssertionError("nobody was to be asked")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "[::1]", "[fd00::1]", "169.254.169.254", "localhost"])
async def test_nobody_inside_a_network_is_asked(host: str) -> None:
    with pytest.raises(FetchError, match="inside a network"):
        await fetch_chain(f"https://{host}/a.pem")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("fec0::1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b:1::7f00:1", False),
        ("5f00::1", False),
    ],
)
def test_what_is_public_is_told_from_what_is_not(address: str, public: bool) -> None:
    assert is_public(address) is public
