"""The addresses of the status: the list of revocations, and OCSP over HTTP (RFC 6960 appendix A)."""

import asyncio
import hashlib
from binascii import a2b_base64
from collections.abc import Callable
from email.utils import formatdate

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.errors import RefusedError
from identity.authority.exchange import client_address, read_octets
from identity.authority.issuer import Issuer
from identity.authority.status.publishing import CrlPublisher
from identity.authority.status.responder import RESPONSE_LIFETIME, StatusResponder
from identity.authority.store import AuthorityStore
from identity.authority.wire import CRL_TYPE, OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE
from identity.errors import RevocationError
from identity.status.ocsp import REQUEST_SIZE_LIMIT, decode_query

ADDRESS_LIMIT = -(-REQUEST_SIZE_LIMIT // 3) * 4  # characters: a request of that size in base64
# Seconds for which a cache may answer in our place: as often as devices fetch the list, so that neither is staler.
CACHED = 900

_NO_STORE = {"cache-control": "no-store"}


def routes(store: AuthorityStore, issuer: Issuer, lists: CrlPublisher, clock: Callable[[], float]) -> list[Route]:
    """`GET /v1/crl`, `POST /ocsp` and `GET /ocsp/{request}`."""
    endpoints = _Endpoints(lists, StatusResponder(store, issuer), clock)
    return [
        Route("/v1/crl", endpoints.crl),
        Route("/ocsp", endpoints.ocsp, methods=["POST"]),
        Route("/ocsp/{request:path}", endpoints.ocsp_by_get),  # base64 has slashes
    ]


class _Endpoints:
    def __init__(self, publisher: CrlPublisher, responder: StatusResponder, clock: Callable[[], float]) -> None:
        self._publisher = publisher
        self._responder = responder
        self._clock = clock

    async def crl(self, request: Request) -> Response:
        published = await asyncio.to_thread(self._publisher.published, int(self._clock()))
        headers = {"etag": published.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == published.etag:
            return Response(status_code=304, headers=headers)
        return Response(published.der, headers=headers, media_type=CRL_TYPE)

    async def ocsp(self, request: Request) -> Response:
        octets = await read_octets(request, OCSP_REQUEST_TYPE, REQUEST_SIZE_LIMIT, "REQUEST_SIZE_LIMIT")
        return await self._answered(octets, request, lambda _, __: _NO_STORE)

    async def ocsp_by_get(self, request: Request) -> Response:
        octets = _in_address(request.path_params["request"])
        return await self._answered(octets, request, _cacheable)

    async def _answered(
        self, octets: bytes, request: Request, headers: Callable[[bytes, int], dict[str, str]]
    ) -> Response:
        """The answer to a request (DER); `headers` are those of what is signed, from its octets and time."""
        try:
            query = decode_query(octets)
        except RevocationError:
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        now = int(self._clock())
        der = await asyncio.to_thread(self._responder.answer, query, client_address(request), now)
        if der is None:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return Response(der, headers=headers(der, now), media_type=OCSP_RESPONSE_TYPE)


def _in_address(text: str) -> bytes:
    """The request at the end of an address, in base64 (RFC 6960 A.1). Raises RefusedError."""
    if len(text) > ADDRESS_LIMIT:
        detail = f"a request has at most {REQUEST_SIZE_LIMIT} octets (REQUEST_SIZE_LIMIT)"
        raise RefusedError("too-large", detail, limit=REQUEST_SIZE_LIMIT, limit_name="REQUEST_SIZE_LIMIT")
    try:
        octets = a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise RefusedError("malformed", "the address does not end with an OCSP request in base64") from error
    if not octets:
        raise RefusedError("malformed", "the address does not end with an OCSP request in base64")
    return octets


def _cacheable(der: bytes, now: int) -> dict[str, str]:
    """What lets caches answer in our place for a while (RFC 5019 §6.2)."""
    return {
        "cache-control": f"max-age={CACHED}, public, no-transform, must-revalidate",
        "etag": f'"{hashlib.sha256(der).hexdigest()}"',
        "expires": formatdate(now + RESPONSE_LIFETIME, usegmt=True),
        "last-modified": formatdate(now, usegmt=True),
    }


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> Response:
    der = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    return Response(der, headers=_NO_STORE, media_type=OCSP_RESPONSE_TYPE)
