"""The lists of revocations that the service goes by: fetched, verified as `identity.status` says, kept, consulted.

A list counts for the chains of its own signer alone. While one cannot be refreshed, the last one stays in force for
what it names; of what it does not name nothing is known then, and it is served as before: an authority that cannot be
reached must not stop everybody's messages. `GET /v1/status` says how old the lists are.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import httpx

from delivery_service.errors import RefusedError
from delivery_service.sessions import certificate_of
from delivery_service.storage import duties
from delivery_service.storage.duties import Holder, KeptList, PathPlace
from delivery_service.storage.engine import Engine
from delivery_service.wire.duties import RevocationState
from identity.certificate_fields import load_certificate
from identity.certificates import VerifiedChain
from identity.errors import CertificateError, RevocationError
from identity.status.revocation import (
    CRL_SIZE_LIMIT,
    RevocationList,
    Revocations,
    StatusState,
    issuer_name,
    verify_crl,
)

REFRESH_INTERVAL = 900  # seconds between two looks at a source
RETRY_INTERVAL = 60  # seconds, while one cannot be had
FETCH_TIMEOUT = 10  # seconds
ISSUERS_LIMIT = 1_024  # issuers whose lists may be verified; of chains that were valid here
CERTIFICATES_NOTED = 10_000  # certificates whose paths were stored already, remembered so as not to store them again

_LOG = logging.getLogger("delivery_service.revocations")


class KnownLists:
    """The lists at hand. `sources` are URLs (http, https) or paths of files, each of one list."""

    def __init__(
        self, engine: Engine, sources: Sequence[str], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._engine = engine
        self._sources = tuple(sources)
        self._transport = transport
        self._fetched: dict[str, bytes] = {}
        self._tags: dict[str, str] = {}
        self._issuers: dict[bytes, bytes] = {}
        self._current = Revocations()
        self._lists: dict[bytes, RevocationList] = {}
        self._noted: dict[bytes, None] = {}
        self._failed_since = 0

    def state(self) -> RevocationState:
        """What the service says of its lists."""
        ends = min((each.next_update for each in self._lists.values()), default=0)
        return RevocationState(len(self._sources), len(self._lists), ends, self._failed_since)

    def current(self) -> Revocations:
        """An unchanging view, good in any thread."""
        return self._current

    async def load(self) -> None:
        """Takes the stored lists; one that does not verify any more waits for its next."""
        for kept in await self._engine.read(duties.lists):
            try:
                self._take(verify_crl(kept.list, kept.certificate, kept.fetched_at, over=True))
            except (RevocationError, CertificateError) as error:
                _LOG.warning("a stored list of revocations does not verify: %s", error)
            else:
                self._issuers[kept.issuer] = kept.certificate

    async def refresh(self, now: int) -> bool:
        """Looks at every source; whether each could be had."""
        whole = True
        for source in self._sources:
            try:
                octets = await self._read(source)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, RevocationError) as error:
                _LOG.warning("the list of revocations at %s cannot be had: %s", source, error)
                whole = False
                continue
            if octets is not None:
                self._fetched[source] = octets
        await self._adopt(list(self._issuers.values()), now)
        self._failed_since = 0 if whole else self._failed_since or now
        return whole

    async def check(self, chain: VerifiedChain, now: int) -> None:
        """Refuse certificate-revoked; learns from a chain whose lists it may verify."""
        path = _path(chain)
        unknown = [each for each in path[1:] if issuer_name(each) not in self._issuers]
        if unknown and len(self._issuers) < ISSUERS_LIMIT:
            self._issuers |= {issuer_name(each): each for each in unknown}
            await self._adopt(unknown, now)
        self.check_known(chain, now)

    def check_known(self, chain: VerifiedChain, now: int) -> None:
        """The same by the lists at hand, in any thread."""
        status = self._current.status(chain, now)
        if status.state is StatusState.REVOKED:
            raise RefusedError("certificate-revoked", "the certificate authority has revoked this certificate")

    async def note(self, device: bytes, chain: VerifiedChain) -> None:
        """Keeps which entries of lists would end a device's certificate."""
        certificate = certificate_of(chain.certificates[0])
        if certificate in self._noted:
            return
        path = _path(chain)
        places = [
            PathPlace(issuer_name(issuer), _serial(load_certificate(subject).serial_number))
            for subject, issuer in pairwise(path)
        ]
        await self._engine.write(duties.note_path, Holder(certificate, device), places, chain.not_after)
        if len(self._noted) >= CERTIFICATES_NOTED:
            self._noted.clear()
        self._noted[certificate] = None

    def listed(self) -> set[PathPlace]:
        """Everything that the lists at hand name."""
        return {PathPlace(each.issuer, _serial(serial)) for each in self._lists.values() for serial in each.entries}

    async def _read(self, source: str) -> bytes | None:
        """The octets of a source; None where it has the same as before."""
        if not source.startswith(("http://", "https://")):
            octets = await asyncio.to_thread(Path(source).read_bytes)
            return None if octets == self._fetched.get(source) else octets
        known = {"if-none-match": self._tags[source]} if source in self._tags else {}
        async with (
            httpx.AsyncClient(transport=self._transport, timeout=FETCH_TIMEOUT) as http,
            http.stream("GET", source, headers=known) as answer,
        ):
            if answer.status_code == httpx.codes.NOT_MODIFIED and known:
                return None
            answer.raise_for_status()
            if not answer.is_success:
                raise RevocationError("malformed", f"the answer's status is {answer.status_code}", check=1)
            octets = await _bounded(answer)
        self._tags[source] = answer.headers.get("etag", "")
        if not self._tags[source]:
            del self._tags[source]
        return octets

    async def _adopt(self, issuers: Iterable[bytes], now: int) -> None:
        """Verify what was fetched by these issuers (DER), and keep what is newer than what is there."""
        for issuer in issuers:
            for octets in self._fetched.values():
                try:
                    new = await asyncio.to_thread(verify_crl, octets, issuer, now, over=True)
                    Revocations(self._lists.values()).adopting(new)
                except (RevocationError, CertificateError) as error:
                    if isinstance(error, RevocationError) and error.check != 2:  # 2: it is another issuer's
                        _LOG.warning("a list of revocations is refused: %s", error)
                    continue
                last = self._lists.get(new.issuer)
                if last is None or new.number != last.number:
                    await self._engine.write(duties.keep_list, KeptList(new.issuer, issuer, octets, now))
                    self._take(new)

    def _take(self, new: RevocationList) -> None:
        self._lists[new.issuer] = new
        self._current = Revocations(self._lists.values())


def _path(chain: VerifiedChain) -> tuple[bytes, ...]:
    return (*chain.certificates, chain.root) if chain.root else chain.certificates


def _serial(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


async def _bounded(answer: httpx.Response) -> bytes:
    octets = bytearray()
    async for chunk in answer.aiter_bytes():
        octets += chunk
        if len(octets) > CRL_SIZE_LIMIT:
            raise RevocationError("too-large", f"a list has at most {CRL_SIZE_LIMIT} octets", check=1)
    return bytes(octets)
