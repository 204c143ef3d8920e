"""Another service's roots, from a file or by URL: what one of the two authorities needs of the other."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import urljoin

import httpx
from cryptography import x509

from identity.authority.errors import RefusedError, RootsError
from identity.certificates import TRUST_LIST_SIZE_LIMIT, TrustAnchors
from identity.errors import CertificateError

TIMEOUT = 10  # seconds for an answer, and for each part of it
REFRESH = 3_600  # seconds that roots from a URL count before they are fetched anew
RETRY_AFTER = 30  # seconds that a client waits when they cannot be had

Roots = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class RootsFile:
    """Roots that were installed as a file; read once."""

    roots: Roots

    @classmethod
    def read(cls, file: Path) -> "RootsFile":
        """Read PEM. Raises RootsError."""
        try:
            return cls(TrustAnchors.from_pem(file.read_bytes()).roots)
        except (OSError, CertificateError) as error:
            raise RootsError(f"{file} holds no root certificates ({error}); give them as PEM") from error

    def at(self, _: int) -> Roots:
        """The roots; a file does not change."""
        return self.roots


class RootsAt:
    """Roots below a URL, fetched when they are first needed: each of the two services may start before the other.

    What was fetched goes on counting while the other service cannot be reached.
    """

    def __init__(self, base_url: str, path: str) -> None:
        self._url = urljoin(f"{base_url}/", path)
        self._lock = Lock()
        self._roots: Roots = ()
        self._fetched_at = 0

    def at(self, now: int) -> Roots:
        """The roots as of now. Raises RefusedError if they were never to be had."""
        with self._lock:
            if not self._roots or not 0 <= now - self._fetched_at < REFRESH:
                self._fetch(now)
            return self._roots

    def _fetch(self, now: int) -> None:
        try:
            self._roots = TrustAnchors.from_pem(fetch_limited(self._url, TRUST_LIST_SIZE_LIMIT)).roots
            self._fetched_at = now
        except (OSError, CertificateError) as error:
            self._fetched_at = now - REFRESH + RETRY_AFTER  # until then nobody waits for what does not answer
            if not self._roots:
                detail = f"the roots at {self._url} cannot be had now; try again in a while"
                raise RefusedError("authority-unreachable", detail, retry_after=RETRY_AFTER) from error


def roots_from(places: Iterable[str], path: str) -> Callable[[int], Roots]:
    """The roots of several places, each a base URL with the roots at `path`, or a PEM file. Raises RootsError."""
    sources = [_source(place, path) for place in places]
    return lambda now: tuple(root for source in sources for root in source.at(now))


def fetch_limited(url: str, limit: int) -> bytes:
    """Get at most `limit` octets, without following anything. Raises OSError."""
    try:
        with httpx.stream("GET", url, follow_redirects=False, timeout=TIMEOUT) as answer:
            if answer.status_code != httpx.codes.OK:
                raise OSError(f"{url} answers {answer.status_code}")
            return read_limited(answer, limit)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"{url}: {error}") from error


def read_limited(answer: httpx.Response, limit: int) -> bytes:
    """Read at most `limit` octets, for about TIMEOUT, however slowly they come. Raises OSError, httpx.HTTPError."""
    octets, until = bytearray(), time.monotonic() + TIMEOUT
    for piece in answer.iter_bytes():
        octets += piece
        if len(octets) > limit:
            raise OSError(f"{answer.url} answers with more than {limit} octets")
        if time.monotonic() > until:
            raise OSError(f"{answer.url} takes longer than {TIMEOUT} seconds to answer")
    return bytes(octets)


def _source(place: str, path: str) -> RootsFile | RootsAt:
    if place.startswith(("http://", "https://")):
        return RootsAt(place.rstrip("/"), path)
    return RootsFile.read(Path(place))
