"""The authorities as ASGI applications, both in one or each by itself: what they are made of, and the /v1 addresses."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cryptography.x509 import Certificate
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from identity.authority.acme.app import TokenAuthorities, acme_server
from identity.authority.admission import ByAuthority, ByPrefix
from identity.authority.codes import CodeSender
from identity.authority.errors import AuthorityError, RefusedError
from identity.authority.exchange import (
    cannot_sign,
    client_address,
    disconnected,
    failed,
    json_response,
    no_such_thing,
    read_json,
    refused,
)
from identity.authority.folder import open_folder, open_store
from identity.authority.holdings import HoldingsDesk
from identity.authority.issuer import Issuer
from identity.authority.keys import have_keys, private_folder
from identity.authority.links import endpoints as links
from identity.authority.log.folder import FOLDER, open_log
from identity.authority.log.service import Transparency, open_transparency
from identity.authority.log.wire import Log
from identity.authority.operations import DOCUMENT_PATH, OPERATIONS
from identity.authority.publishing import StatusPublisher
from identity.authority.report_policy import ReportPolicy
from identity.authority.reporting import ReportDesk
from identity.authority.status import endpoints as certificate_status
from identity.authority.status.publishing import CrlPublisher
from identity.authority.status.remote import NO_LISTS, ListsAt
from identity.authority.store import AuthorityStore, PublishedPath
from identity.authority.tokens.app import TokenService
from identity.authority.tokens.carriers import NO_CARRIERS, Carriers
from identity.authority.tokens.desk import Rights, TokenDesk
from identity.authority.tokens.folder import open_token_folder
from identity.authority.wire import (
    PEM_TYPE,
    REPORT_BODY_LIMIT,
    STATUS_LIST_MEDIA_TYPE,
    HoldingsRequest,
    ReportRequest,
    StandingRequest,
    Status,
)
from identity.certificates import TrustAnchors
from identity.enrolment.authority_token import TokenIssuers
from identity.errors import CertificateError
from identity.openapi import document_route, served
from identity.prefixes import DEFAULT_PREFIXES, authority_list

PATH_CACHE = {"cache-control": "public, max-age=86400, immutable"}  # ATIS-1000074: a verifier caches for a day


def open_authority(
    folder: Path,
    base_url: str,
    sender: CodeSender,
    clock: Callable[[], float] = time.time,
    *,
    allow: Sequence[str] | None = None,
    policy: ReportPolicy | None = None,
    carriers: Carriers = NO_CARRIERS,
    logs: Sequence[str] = (),
) -> Starlette:
    """Open both authorities in a folder, with new keys on the first run, as one service at one base URL.

    `allow` sets the prefixes of the numbers to certify; None keeps what they were, at first prefixes.DEFAULT_PREFIXES.
    `policy` says what follows from verified reports; None is what README.md states. `carriers` may vouch for numbers.
    `logs`: URLs of the logs that take what is issued; without any, one of its own runs beside it. Raises
    DataFolderError, NumberError, ValueError, and LogError if a log cannot be had.
    """
    base_url = checked_base_url(base_url)
    store, issuer = open_folder(folder, int(clock()), allow)
    token_store, signer = open_token_folder(folder, base_url, int(clock()), before=store)
    rights = Rights(ByAuthority(store, issuer), lambda _: issuer.anchors, carriers)
    tokens = TokenService(TokenDesk(token_store, signer, rights, base_url), token_store, signer, sender, clock)
    taken = TokenAuthorities(lambda _: TokenIssuers(signer.roots), base_url)
    try:
        transparency = open_transparency(folder, base_url, issuer, logs)
    except AuthorityError:
        store.close()
        token_store.close()
        raise
    service = _Service(store, issuer, clock, base_url, policy or ReportPolicy())
    routes = [*tokens.routes(), *service.routes(taken), *transparency.routes(clock)]
    app = _application(routes, store, token_store, transparency)
    app.state.store, app.state.tokens = store, token_store
    return app


def open_certificates(
    folder: Path,
    base_url: str,
    tokens: TokenAuthorities,
    clock: Callable[[], float] = time.time,
    *,
    allow: Sequence[str] | None = None,
    policy: ReportPolicy | None = None,
    logs: Sequence[str] = (),
) -> Starlette:
    """Open the certification authority alone, which takes tokens of others: as `open_authority` otherwise."""
    base_url = checked_base_url(base_url)
    store, issuer = open_folder(folder, int(clock()), allow)
    try:
        transparency = open_transparency(folder, base_url, issuer, logs)
    except AuthorityError:
        store.close()
        raise
    service = _Service(store, issuer, clock, base_url, policy or ReportPolicy())
    app = _application([*service.routes(tokens), *transparency.routes(clock)], store, transparency)
    app.state.store = store
    return app


def open_tokens(
    folder: Path,
    base_url: str,
    sender: CodeSender,
    clock: Callable[[], float] = time.time,
    *,
    allow: Sequence[str] | None = None,
    anchors: Callable[[int], TrustAnchors],
    carriers: Carriers = NO_CARRIERS,
    revoked: ListsAt = NO_LISTS,
) -> Starlette:
    """Open the token authority alone: for numbers of these prefixes, None for all. Raises as `open_authority`.

    `anchors` are the roots under which devices verify that ask by their certificates; `revoked`: where what their
    issuers have revoked is to be had.
    """
    base_url = checked_base_url(base_url)
    numbers = authority_list(allow or DEFAULT_PREFIXES)
    before = open_store(folder) if have_keys(folder) else None
    store, signer = open_token_folder(folder, base_url, int(clock()), before)
    if before is not None:
        before.close()
    desk = TokenDesk(store, signer, Rights(ByPrefix(numbers, revoked), anchors, carriers), base_url)
    app = _application(TokenService(desk, store, signer, sender, clock).routes(), store)
    app.state.tokens = store
    return app


def open_log_alone(
    folder: Path,
    base_url: str,
    name: str,
    roots: Callable[[], Sequence[Certificate]],
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Open a log alone, for what is issued below these roots. Raises DataFolderError, ValueError."""
    log = open_log(private_folder(folder) / FOLDER, name, roots)
    transparency = Transparency((Log(log.log.name, log.log.spki, checked_base_url(base_url)),), log)
    return _application(transparency.routes(clock), transparency)


class _Closing(Protocol):
    def close(self) -> None: ...


def _application(routes: Sequence[BaseRoute], *parts: _Closing) -> Starlette:
    """Serve the routes; the parts are closed at the end."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for part in parts:
            part.close()

    handlers = {
        RefusedError: refused,
        CertificateError: cannot_sign,
        HTTPException: no_such_thing,
        ClientDisconnect: disconnected,
        Exception: failed,
    }
    described = document_route(served(routes), OPERATIONS, "Ringtrue's authority", DOCUMENT_PATH)
    return Starlette(routes=[*routes, described], exception_handlers=handlers, lifespan=lifespan)


def checked_base_url(text: str) -> str:
    """Return an http(s) URL without a trailing slash. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{text!a} is not a base URL; write it like https://authority.example")
    return text.rstrip("/")


class _Service:
    def __init__(
        self,
        store: AuthorityStore,
        issuer: Issuer,
        clock: Callable[[], float],
        base_url: str,
        policy: ReportPolicy,
    ) -> None:
        self._store = store
        self._base_url = base_url
        self._holdings = HoldingsDesk(store, issuer, base_url)
        self._lists = CrlPublisher(store, issuer)
        self._reports = ReportDesk(store, issuer, base_url, policy, self._lists)
        self._statuses = StatusPublisher(store, issuer, base_url, policy)
        self._issuer = issuer
        self._clock = clock

    def routes(self, tokens: TokenAuthorities) -> list[BaseRoute]:
        """The addresses of a certification authority that takes these tokens."""
        store, issuer, clock = self._store, self._issuer, self._clock
        return [
            acme_server(store, issuer, tokens, clock=clock, base_url=self._base_url),
            Route("/v1/holdings", self.holdings, methods=["POST"]),
            Route("/v1/reports", self.reports, methods=["POST"]),
            Route("/v1/standing", self.standing, methods=["POST"]),
            Route("/v1/status-list", self.status_list),
            Route("/v1/status", self._status(tokens.url)),
            Route("/v1/anchors.pem", self.anchors),
            Route("/certificates/{name}.pem", self.published),
            *links.routes(store, clock),
            *certificate_status.routes(store, issuer, self._lists, clock),
        ]

    def _now(self) -> int:
        return int(self._clock())

    async def holdings(self, request: Request) -> Response:
        body = await read_json(request, HoldingsRequest)
        of = self._holdings.of
        return json_response(await asyncio.to_thread(of, body, client_address(request), self._now()), 200)

    async def reports(self, request: Request) -> Response:
        body = await read_json(request, ReportRequest, REPORT_BODY_LIMIT, "REPORT_BODY_LIMIT")
        take = self._reports.take
        return json_response(await asyncio.to_thread(take, body, client_address(request), self._now()), 201)

    async def standing(self, request: Request) -> Response:
        body = await read_json(request, StandingRequest)
        of = self._reports.standing
        return json_response(await asyncio.to_thread(of, body, client_address(request), self._now()), 200)

    async def status_list(self, request: Request) -> Response:
        published = await asyncio.to_thread(self._statuses.published, self._now())
        headers = {"etag": published.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == published.etag:
            return Response(status_code=304, headers=headers)
        return Response(published.octets, headers=headers, media_type=STATUS_LIST_MEDIA_TYPE)

    def _status(self, token_authority: str | None) -> Callable[[Request], Awaitable[Response]]:
        async def status(_: Request) -> Response:
            prefixes = list(self._issuer.prefixes)
            return json_response(Status(self._issuer.name, prefixes, self._now(), token_authority or ""), 200)

        return status

    async def anchors(self, _: Request) -> Response:
        return Response(self._issuer.anchors_pem, media_type=PEM_TYPE)

    async def published(self, request: Request) -> Response:
        fingerprint = _fingerprint(request.path_params["name"])
        path = await asyncio.to_thread(self._published, fingerprint)
        return Response(path.pem, headers=PATH_CACHE, media_type=PEM_TYPE)

    def _published(self, fingerprint: bytes) -> PublishedPath:
        with self._store.transaction():
            found = self._store.published(fingerprint)
        if found is None:
            raise RefusedError("not-found", "no certificate of that name is published here")
        return found


def _fingerprint(name: str) -> bytes:
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise RefusedError(
            "not-found", "a certificate's name is the SHA-256 of its DER, 64 lower-case hexadecimal digits"
        )
    return bytes.fromhex(name)
