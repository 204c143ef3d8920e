"""The ACME server as an ASGI application: bodies in, problems out, a nonce with every answer."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from identity.authority.acme import answers, wire
from identity.authority.acme.accounts import AccountDesk, own_account
from identity.authority.acme.addresses import Addresses
from identity.authority.acme.errors import AcmeError, as_acme
from identity.authority.acme.issuing import LOOK_AFTER, IssuingDesk
from identity.authority.acme.orders import OrderDesk
from identity.authority.acme.requests import Requests, SignedRequest
from identity.authority.acme.revoking import RevokingDesk
from identity.authority.acme.states import OrderState
from identity.authority.errors import RefusedError
from identity.authority.exchange import client_address, disconnected, read_octets
from identity.authority.issuer import Issuer
from identity.authority.store import AuthorityStore
from identity.authority.wire import JSON_TYPE, PEM_TYPE
from identity.enrolment.acme_jws import JOSE_TYPE
from identity.enrolment.authority_token import TokenIssuers

ISSUED_AT_ONCE = 2  # orders: the logs may be elsewhere, and hold up no thread that others need
ANSWERED_AT_ONCE = 2  # challenges: their tokens' certificates may be elsewhere

Act = Callable[[Request, SignedRequest, int], Response]

_NO_BOUND = nullcontext()


@dataclass(frozen=True, slots=True)
class TokenAuthorities:
    """Whose tokens are taken at a time; `url`: the base URL of one of them, told to clients."""

    issuers: Callable[[int], TokenIssuers]
    url: str | None


def acme_server(
    store: AuthorityStore,
    issuer: Issuer,
    tokens: TokenAuthorities,
    *,
    clock: Callable[[], float],
    base_url: str,
) -> Mount:
    """Serve the addresses of `wire`."""
    addresses = Addresses(base_url)
    service = _Service(
        Requests(store, addresses),
        addresses,
        AccountDesk(store, addresses),
        OrderDesk(store, issuer, addresses, tokens.issuers),
        IssuingDesk(store, issuer),
        RevokingDesk(store),
        tokens.url,
        clock,
    )
    app = Starlette(
        routes=service.routes(),
        exception_handlers={
            AcmeError: _refused,
            RefusedError: _refused,
            HTTPException: _no_such_thing,
            ClientDisconnect: disconnected,
            Exception: _failed,
        },
    )
    return Mount("/acme", _WithNonce(app, service.requests, addresses))


@dataclass(frozen=True, slots=True)
class _Service:
    requests: Requests
    addresses: Addresses
    accounts: AccountDesk
    orders: OrderDesk
    issuing: IssuingDesk
    revoking: RevokingDesk
    token_authority: str | None
    clock: Callable[[], float]
    issuing_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ISSUED_AT_ONCE))
    answering_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ANSWERED_AT_ONCE))

    def routes(self) -> list[Route]:
        return [
            Route("/directory", self._directory),
            Route("/new-nonce", self._new_nonce, methods=["GET", "HEAD"]),
            *(
                Route(path, self._signed(act), methods=["POST"])
                for path, act in (
                    ("/directory", self._read_directory),
                    ("/new-nonce", self._read_nonce),
                    ("/new-account", self._new_account),
                    ("/account/{id}", self._account),
                    ("/account/{id}/orders", self._orders),
                    ("/new-order", self._new_order),
                    ("/order/{id}", self._order),
                    ("/authorization/{id}", self._authorization),
                    ("/certificate/{id}", self._certificate),
                    ("/revoke-certificate", self._revoke),
                    ("/key-change", self._key_change),
                )
            ),
            Route("/order/{id}/finalize", self._signed(self._finalize, self.issuing_at_once), methods=["POST"]),
            Route("/challenge/{id}", self._signed(self._challenge, self.answering_at_once), methods=["POST"]),
        ]

    def _signed(self, act: Act, at_once: AbstractAsyncContextManager[None] = _NO_BOUND) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            body = await read_octets(request, JOSE_TYPE, wire.ACME_BODY_LIMIT, "ACME_BODY_LIMIT")
            async with at_once:
                return await asyncio.to_thread(self._carry_out, act, request, body)

        return endpoint

    def _carry_out(self, act: Act, request: Request, body: bytes) -> Response:
        return act(request, self.requests.verify(body, self._url(request)), int(self.clock()))

    def _url(self, request: Request) -> str:
        return self.addresses.of(request.scope["path"])

    async def _directory(self, _: Request) -> Response:
        return _json(self.addresses.directory)

    async def _new_nonce(self, request: Request) -> Response:
        return Response(status_code=200 if request.method == "HEAD" else 204)

    def _read_directory(self, _: Request, signed: SignedRequest, __: int) -> Response:
        signed.reading()
        return _json(self.addresses.directory)

    def _read_nonce(self, _: Request, signed: SignedRequest, __: int) -> Response:
        signed.reading()
        return Response(status_code=204)

    def _new_account(self, request: Request, signed: SignedRequest, now: int) -> Response:
        account, new = self.accounts.open(signed, client_address(request), now)
        location = self.addresses.account(account)
        return _json(answers.account(account, self.addresses), 201 if new else 200, location=location)

    def _account(self, request: Request, signed: SignedRequest, _: int) -> Response:
        account = self.accounts.update(request.path_params["id"], signed)
        return _json(answers.account(account, self.addresses), location=self.addresses.account(account))

    def _orders(self, request: Request, signed: SignedRequest, now: int) -> Response:
        account = own_account(request.path_params["id"], signed)
        names = self.orders.orders(signed, account, now)
        return _json(wire.Orders([self.addresses.order(name) for name in names]))

    def _new_order(self, request: Request, signed: SignedRequest, now: int) -> Response:
        order = self.orders.place(signed, client_address(request), now)
        return _json(answers.order(order, self.addresses), 201, location=self.addresses.order(order.id))

    def _order(self, request: Request, signed: SignedRequest, now: int) -> Response:
        name = request.path_params["id"]
        under_way = self.issuing.is_under_way(name, signed.by_account)  # asked first: it may end at any moment
        order = self.orders.order(name, signed, now)
        if not under_way or order.state is not OrderState.READY:
            return _json(answers.order(order, self.addresses))
        response = _json(msgspec.structs.replace(answers.order(order, self.addresses), status="processing"))
        response.headers["retry-after"] = str(LOOK_AFTER)
        return response

    def _finalize(self, request: Request, signed: SignedRequest, now: int) -> Response:
        order = self.issuing.finalize(request.path_params["id"], signed, now)
        return _json(answers.order(order, self.addresses), location=self.addresses.order(order.id))

    def _authorization(self, request: Request, signed: SignedRequest, now: int) -> Response:
        order = self.orders.authorization(request.path_params["id"], signed, now)
        return _json(answers.authorization(order, self.addresses, self.token_authority))

    def _challenge(self, request: Request, signed: SignedRequest, now: int) -> Response:
        order = self.orders.answer(request.path_params["id"], signed, now)
        response = _json(answers.challenge(order, self.addresses, self.token_authority))
        response.headers.append("link", f'<{self.addresses.authorization(order)}>;rel="up"')
        return response

    def _certificate(self, request: Request, signed: SignedRequest, _: int) -> Response:
        return Response(self.issuing.certificate(request.path_params["id"], signed), media_type=PEM_TYPE)

    def _revoke(self, _: Request, signed: SignedRequest, now: int) -> Response:
        self.revoking.revoke(signed, now)
        return Response(status_code=200)

    def _key_change(self, request: Request, signed: SignedRequest, _: int) -> Response:
        account = self.accounts.change_key(signed, self._url(request))
        return _json(answers.account(account, self.addresses), location=self.addresses.account(account))


class _WithNonce:
    """Puts a nonce, the directory's address and no-store on every answer (RFC 8555 §6.5, §7.1)."""

    def __init__(self, app: Starlette, requests: Requests, addresses: Addresses) -> None:
        self._app = app
        self.routes = app.routes  # which a Mount shows as its own
        self._requests = requests
        self._index = f'<{addresses.of(wire.DIRECTORY_PATH)}>;rel="index"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_nonce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["replay-nonce"] = self._requests.nonces.draw()
                headers["cache-control"] = "no-store"
                headers.append("link", self._index)
            await send(message)

        await self._app(scope, receive, send_with_nonce)


def _json(content: msgspec.Struct, status: int = 200, *, location: str | None = None) -> Response:
    headers = {} if location is None else {"location": location}
    return Response(msgspec.json.encode(content), status, headers, JSON_TYPE)


async def _refused(_: Request, error: Exception) -> Response:
    """Turn a refusal into its problem (RFC 8555 §6.7)."""
    refusal = as_acme(error) if isinstance(error, RefusedError) else error
    assert isinstance(refusal, AcmeError)
    return _problem(refusal)


async def _no_such_thing(_: Request, error: Exception) -> Response:
    """Turn the router's own refusals into problems."""
    assert isinstance(error, HTTPException)
    return _problem(AcmeError("malformed", error.detail, status=error.status_code, headers=dict(error.headers or {})))


async def _failed(_: Request, __: Exception) -> Response:
    """Say that it is our fault and nothing else; the server logs the exception."""
    return _problem(AcmeError("serverInternal", "the request was not carried out; try again later"))


def _problem(error: AcmeError) -> Response:
    return Response(msgspec.json.encode(error.problem), error.problem.status, error.headers, wire.PROBLEM_TYPE)
