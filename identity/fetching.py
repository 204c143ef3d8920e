"""Fetching the certificates that a token names: for whoever was asked to, and by the rules of ATIS-1000074.

`import identity` does not load this module: it is the only one beside `authority/` that opens a connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from identity.certificate_fields import load_pem
from identity.certificates import CHAIN_LENGTH_LIMIT
from identity.errors import CertificateError, FetchError

CHAIN_SIZE_LIMIT = 65_536  # octets of PEM
FETCH_TIMEOUT = 10  # seconds for all of it
PORTS = (443, 8443)  # ATIS-1000074
PEM_TYPE = "application/pem-certificate-chain"  # RFC 8555 §9.1

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
_GLOBAL = IPv6Network("2000::/3")  # RFC 4291 §2.4: all that was ever assigned to the public internet

Address = tuple[str, int]
Resolver = Callable[[str, int], Awaitable[list[Address]]]


async def fetch_chain(
    url: str, *, tls: ssl.SSLContext | None = None, resolve: Resolver | None = None
) -> tuple[bytes, ...]:
    """Fetch a chain, DER, in the order in which it is published. Raises FetchError.

    1. https                                            5. nothing but 200: no redirect is followed
    2. port 443 or 8443                                 6. application/pem-certificate-chain (RFC 9060 §5)
    3. no user, query or fragment                       7. at most CHAIN_SIZE_LIMIT octets, within FETCH_TIMEOUT
    4. every address of the host is a public one        8. 1 to CHAIN_LENGTH_LIMIT + 1 certificates

    The connection goes to an address that was looked at in 4, whatever the name resolves to later. `resolve` stands in
    for the system's resolver: what it returns is taken as it is.
    """
    parts = _checked(url)
    port = parts.port or PORTS[0]
    try:
        async with asyncio.timeout(FETCH_TIMEOUT):
            address, port = (await (resolve or _public_addresses)(str(parts.hostname), port))[0]
            return _certificates(await _body(parts, address, port, tls or httpx.create_ssl_context()))
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, UnicodeError) as error:  # no host has such a name
        raise FetchError(
            "not-fetched", f"{parts.hostname!a} did not give the certificates: {str(error) or 'too slow'!a}"
        ) from error


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchError("not-fetched", f"{url!a} is not a URL") from error
    if parts.scheme != "https" or not parts.hostname or not url.isascii():
        raise FetchError("not-fetched", f"{url!a} is not an https URL: certificates are not fetched otherwise")
    if port not in (None, *PORTS):
        raise FetchError("not-fetched", f"{url!a} names port {port}: certificates are fetched from 443 or 8443 only")
    if parts.username is not None or parts.password is not None or "?" in url or "#" in url:
        raise FetchError("not-fetched", f"{url!a} has a user, a query or a fragment: it could tell who reads what")
    return parts


async def _public_addresses(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise FetchError("not-fetched", f"{host!a} is inside a network: only public addresses are asked")
    return [(address, port) for address in addresses]


def is_public(address: str) -> bool:
    """Say whether an IP address belongs to the public internet, also where it is an IPv4 address in an IPv6 one."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in _NAT64:
            embedded = IPv4Address(ip.packed[-4:])
        ip = embedded or ip
    return ip.is_global and not ip.is_multicast and (isinstance(ip, IPv4Address) or ip in _GLOBAL)


async def _body(parts: SplitResult, address: str, port: int, tls: ssl.SSLContext) -> bytes:
    url = httpx.URL(scheme="https", host=address, port=port, path=parts.path or "/")
    headers = {"host": parts.netloc, "accept": PEM_TYPE, "accept-encoding": "identity"}
    names = {"sni_hostname": parts.hostname}
    wait = FETCH_TIMEOUT / 2  # for each step: httpx closes what it gives up itself, but not what is taken from it
    async with (
        httpx.AsyncClient(verify=tls, trust_env=False, follow_redirects=False, timeout=wait) as client,
        client.stream("GET", url, headers=headers, extensions=names) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise FetchError("not-fetched", f"{parts.hostname!a} answered {response.status_code}, not 200")
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() != PEM_TYPE:
            raise FetchError("not-fetched", f"{parts.hostname!a} did not answer with {PEM_TYPE}")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > CHAIN_SIZE_LIMIT:
                raise FetchError("not-fetched", f"{parts.hostname!a} answered with more than {CHAIN_SIZE_LIMIT} octets")
    return bytes(body)


def _certificates(pem: bytes) -> tuple[bytes, ...]:
    try:
        chain = tuple(each.public_bytes(Encoding.DER) for each in load_pem(pem))
    except CertificateError as error:
        raise FetchError("not-fetched", "what was fetched is not a list of certificates in PEM") from error
    if len(chain) > CHAIN_LENGTH_LIMIT + 1:
        raise FetchError("not-fetched", f"what was fetched has more than {CHAIN_LENGTH_LIMIT + 1} certificates")
    return chain
