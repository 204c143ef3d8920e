"""The signing service as an ASGI application: it reads the clock, and knows its clients by a bearer token."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.errors import RefusedError
from identity.authority.exchange import BODY_TIMEOUT, disconnected, read_octets
from identity.authority.operations import DOCUMENT_PATH, OPERATIONS
from identity.authority.signing.errors import CallRefusedError
from identity.authority.signing.signer import Signer
from identity.authority.signing.verifier import CallVerifier
from identity.authority.signing.wire import (
    CALL_BODY_LIMIT,
    Failure,
    RequestError,
    RequestFailed,
    SigningAnswer,
    SigningCall,
    VerificationAnswer,
    VerificationCall,
)
from identity.authority.wire import JSON_TYPE
from identity.openapi import document_route, served

TOKEN_LENGTH = 32  # characters of a bearer token, at least

Body = TypeVar("Body", bound=msgspec.Struct)

_REFUSALS = {
    "unsupported-type": ("SVC4004", JSON_TYPE),
    "too-slow": ("SVC4008", str(BODY_TIMEOUT)),
    "too-large": ("SVC4009", str(CALL_BODY_LIMIT)),
}
_ROUTER = {404: "SVC4003", 405: "POL4050"}


@dataclass(frozen=True, slots=True)
class SigningService:
    """What the routes need. `clients`: SHA-256 of each bearer token; empty takes whoever can reach the service."""

    signer: Signer | None
    verifier: CallVerifier
    clients: Collection[bytes]
    clock: Callable[[], float]

    def routes(self) -> list[Route]:
        """The addresses of `wire`."""
        signing = [Route("/stir/v1/signing", self._signing, methods=["POST"])] if self.signer is not None else []
        return [*signing, Route("/stir/v1/verification", self._verification, methods=["POST"])]

    async def _signing(self, request: Request) -> Response:
        assert self.signer is not None, "the route is there only with a signer"
        call = await self._read(request, SigningCall)
        signed = await asyncio.to_thread(self.signer.sign, call.signingRequest, int(self.clock()))
        return _answer(SigningAnswer(signed), 200)

    async def _verification(self, request: Request) -> Response:
        call = await self._read(request, VerificationCall)
        return _answer(VerificationAnswer(await self.verifier.verify(call.verificationRequest, int(self.clock()))), 200)

    async def _read(self, request: Request, shape: type[Body]) -> Body:
        self._check_client(request)
        octets = await read_octets(request, JSON_TYPE, CALL_BODY_LIMIT, "CALL_BODY_LIMIT")
        if not octets:
            raise CallRefusedError("SVC4000")
        try:
            return msgspec.json.decode(octets, type=shape)
        except msgspec.ValidationError as error:
            raise _wrong(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CallRefusedError("SVC4006", str(error)) from error

    def _check_client(self, request: Request) -> None:
        if not self.clients:
            if "origin" in request.headers:  # a browser on this machine: its page need not be from here
                raise CallRefusedError("POL4010")
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        digest = sha256(token.strip().encode()).digest()
        if scheme.lower() != "bearer" or digest not in self.clients:
            raise CallRefusedError("POL4010")


def create_app(
    signer: Signer | None,
    verifier: CallVerifier,
    clients: Collection[bytes] = (),
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Serve the addresses of `wire`; without a signer, only verification."""
    routes = SigningService(signer, verifier, clients, clock).routes()
    return Starlette(
        routes=[*routes, document_route(served(routes), OPERATIONS, "Ringtrue's signing service", DOCUMENT_PATH)],
        exception_handlers={
            CallRefusedError: _refused,
            RefusedError: _refused_body,
            HTTPException: _no_such_thing,
            ClientDisconnect: disconnected,
            Exception: _failed,
        },
    )


def client_digest(token: str) -> bytes:
    """What is kept of a bearer token. Raises ValueError if it could be guessed."""
    if len(token) < TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"a client's token has at least {TOKEN_LENGTH} visible ASCII characters, such as a random one")
    return sha256(token.encode()).digest()


def _wrong(message: str) -> CallRefusedError:
    """Tell a member that is missing from one that is wrong, as the standard does."""
    missing, _, place = message.partition(" missing required field ")
    if place:
        return CallRefusedError("SVC4001", place.partition("`")[2].partition("`")[0])
    what, _, place = message.partition(" - at `$.")
    return CallRefusedError("SVC4005", place.rstrip("`") or "body", what or missing)


def _answer(content: msgspec.Struct, status: int) -> Response:
    return Response(msgspec.json.encode(content), status, {"cache-control": "no-store"}, JSON_TYPE)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, CallRefusedError)
    failure = Failure(error.message_id, error.text, list(error.variables))
    service = error.message_id.startswith("SVC")
    body = RequestError(serviceException=failure) if service else RequestError(policyException=failure)
    response = _answer(RequestFailed(body), error.status)
    if error.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _refused_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return await _refused(request, CallRefusedError(*_REFUSALS[error.word]))


async def _no_such_thing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = await _refused(request, CallRefusedError(_ROUTER.get(error.status_code, "SVC4003")))
    response.headers.update(error.headers or {})
    return response


async def _failed(request: Request, __: Exception) -> Response:
    return await _refused(request, CallRefusedError("POL5000"))
