"""The addresses of the status: the list of revocations, and OCSP over HTTP (RFC 6960 appendix A)."""

import asyncio
from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.exchange import client_address, read_octets
from identity.authority.issuer import Issuer
from identity.authority.status.publishing import CrlPublisher
from identity.authority.status.responder import StatusResponder
from identity.authority.store import AuthorityStore
from identity.authority.wire import CRL_TYPE, OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE
from identity.errors import RevocationError
from identity.status.ocsp import REQUEST_SIZE_LIMIT, decode_query

_NO_STORE = {"cache-control": "no-store"}


def routes(store: AuthorityStore, issuer: Issuer, lists: CrlPublisher, clock: Callable[[], float]) -> list[Route]:
    """`GET /v1/crl` and `POST /ocsp`."""
    endpoints = _Endpoints(lists, StatusResponder(store, issuer), clock)
    return [Route("/v1/crl", endpoints.crl), Route("/ocsp", endpoints.ocsp, methods=["POST"])]


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
        try:
            query = decode_query(octets)
        except RevocationError:
            return _response(_unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST))
        answer = self._responder.answer
        response = await asyncio.to_thread(answer, query, client_address(request), int(self._clock()))
        return _response(response or _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED))


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _response(der: bytes) -> Response:
    return Response(der, headers=_NO_STORE, media_type=OCSP_RESPONSE_TYPE)
