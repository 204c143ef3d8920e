"""The authority as an ASGI application: reads the clock, sends codes, and leaves every decision to registration."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.acme.app import TokenAuthorities, acme_server
from identity.authority.admission import ByAuthority
from identity.authority.codes import CodeSender
from identity.authority.errors import AuthorityError, RefusedError
from identity.authority.exchange import (
    client_address,
    disconnected,
    failed,
    json_response,
    no_such_thing,
    read_json,
    refused,
)
from identity.authority.folder import open_folder
from identity.authority.holdings import HoldingsDesk
from identity.authority.issuer import Issuer
from identity.authority.links import endpoints as links
from identity.authority.log.service import NO_LOGS, Transparency, open_transparency
from identity.authority.publishing import StatusPublisher
from identity.authority.registration import RegistrationAuthority
from identity.authority.report_policy import ReportPolicy
from identity.authority.reporting import ReportDesk
from identity.authority.status import endpoints as certificate_status
from identity.authority.store import AuthorityStore
from identity.authority.tokens.app import TokenService
from identity.authority.tokens.carriers import NO_CARRIERS, Carriers
from identity.authority.tokens.desk import Rights, TokenDesk
from identity.authority.tokens.folder import open_token_folder
from identity.authority.tokens.store import TokenStore
from identity.authority.wire import (
    PEM_TYPE,
    REPORT_BODY_LIMIT,
    STATUS_LIST_MEDIA_TYPE,
    CertificateRequest,
    HoldingsRequest,
    RenewalRequest,
    ReportRequest,
    StandingRequest,
    Status,
)
from identity.authority_token import TokenIssuers

PATH_CACHE = {"cache-control": "public, max-age=86400, immutable"}  # ATIS-1000074: a verifier caches for a day


def create_app(
    store: AuthorityStore,
    issuer: Issuer,
    tokens: TokenService,
    *,
    clock: Callable[[], float],
    base_url: str,
    policy: ReportPolicy | None = None,
    transparency: Transparency = NO_LOGS,
) -> Starlette:
    """Serve the addresses of `wire`; clients reach them at `base_url`. The application closes the store at its end."""
    base_url = checked_base_url(base_url)
    authorities = TokenAuthorities(lambda: TokenIssuers(tokens.signer.roots), base_url)
    service = _Service(store, issuer, tokens.store, clock, base_url, policy or ReportPolicy())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()
        tokens.store.close()
        transparency.close()

    app = Starlette(
        routes=[
            *tokens.routes(),
            acme_server(store, issuer, authorities, clock=clock, base_url=base_url),
            Route("/v1/certificates", service.certificates, methods=["POST"]),
            Route("/v1/renewals", service.renewals, methods=["POST"]),
            Route("/v1/holdings", service.holdings, methods=["POST"]),
            Route("/v1/reports", service.reports, methods=["POST"]),
            Route("/v1/standing", service.standing, methods=["POST"]),
            Route("/v1/status-list", service.status_list),
            Route("/v1/status", service.status),
            Route("/v1/anchors.pem", service.anchors),
            Route("/certificates/{name}.pem", service.published),
            *links.routes(store, clock),
            *certificate_status.routes(store, issuer, clock),
            *transparency.routes(clock),
        ],
        exception_handlers={
            RefusedError: refused,
            HTTPException: no_such_thing,
            ClientDisconnect: disconnected,
            Exception: failed,
        },
        lifespan=lifespan,
    )
    app.state.store = store
    return app


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
    """Open the authority in a folder, with new keys on the first run. Raises DataFolderError, NumberError, ValueError.

    `allow` sets the prefixes of the numbers to certify; None keeps what they were, at first prefixes.DEFAULT_PREFIXES.
    `policy` says what follows from verified reports; None is what README.md states. `logs`: URLs of the logs that take
    what is issued; without any, one of its own runs beside it. Raises LogError if one of them cannot be had.
    """
    base_url = checked_base_url(base_url)
    store, issuer = open_folder(folder, int(clock()), allow)
    token_store, signer = open_token_folder(folder, base_url, int(clock()), before=store)
    rights = Rights(ByAuthority(store, issuer), lambda _: issuer.anchors, carriers)
    tokens = TokenService(TokenDesk(token_store, signer, rights, base_url), token_store, signer, sender, clock)
    try:
        transparency = open_transparency(folder, base_url, issuer, int(clock()), logs)
    except AuthorityError:
        store.close()
        token_store.close()
        raise
    return create_app(store, issuer, tokens, clock=clock, base_url=base_url, policy=policy, transparency=transparency)


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
        tokens: TokenStore,
        clock: Callable[[], float],
        base_url: str,
        policy: ReportPolicy,
    ) -> None:
        self._registration = RegistrationAuthority(store, issuer, base_url, tokens)
        self._holdings = HoldingsDesk(store, issuer, base_url)
        self._reports = ReportDesk(store, issuer, base_url, policy)
        self._statuses = StatusPublisher(store, issuer, base_url, policy)
        self._issuer = issuer
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock())

    async def certificates(self, request: Request) -> Response:
        body = await read_json(request, CertificateRequest)
        certify = self._registration.certify
        return json_response(await asyncio.to_thread(certify, body, client_address(request), self._now()), 201)

    async def renewals(self, request: Request) -> Response:
        body = await read_json(request, RenewalRequest)
        renew = self._registration.renew
        return json_response(await asyncio.to_thread(renew, body, client_address(request), self._now()), 201)

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

    async def status(self, _: Request) -> Response:
        return json_response(Status(self._issuer.name, list(self._issuer.prefixes), self._now()), 200)

    async def anchors(self, _: Request) -> Response:
        return Response(self._issuer.anchors_pem, media_type=PEM_TYPE)

    async def published(self, request: Request) -> Response:
        fingerprint = _fingerprint(request.path_params["name"])
        path = await asyncio.to_thread(self._registration.published, fingerprint)
        return Response(path.pem, headers=PATH_CACHE, media_type=PEM_TYPE)


def _fingerprint(name: str) -> bytes:
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise RefusedError(
            "not-found", "a certificate's name is the SHA-256 of its DER, 64 lower-case hexadecimal digits"
        )
    return bytes.fromhex(name)
