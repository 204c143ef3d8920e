"""Requests in, problems out: what every route shares."""

import asyncio
from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from identity.authority.errors import RefusedError
from identity.authority.rates import address_subject
from identity.authority.wire import BODY_LIMIT, JSON_TYPE, PROBLEM_PREFIX, PROBLEM_TYPE, Problem
from identity.errors import CertificateError

BODY_TIMEOUT = 10  # seconds for a whole body to arrive

Body = TypeVar("Body", bound=msgspec.Struct)

_NO_STORE = {"cache-control": "no-store"}


async def read_json(
    request: Request, shape: type[Body], limit: int = BODY_LIMIT, limit_name: str = "BODY_LIMIT"
) -> Body:
    """Read a JSON body of the shape within the limits. Raises RefusedError."""
    body = await read_octets(request, JSON_TYPE, limit, limit_name)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("malformed", str(error)) from error


async def read_octets(request: Request, media_type: str, limit: int, limit_name: str) -> bytes:
    """Read a body of a type within the limits. Raises RefusedError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise RefusedError("unsupported-type", f"send {media_type}")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await _read_limited(request, limit, limit_name)
    except TimeoutError as error:
        raise RefusedError("too-slow", f"a body must arrive within {BODY_TIMEOUT} seconds") from error


async def _read_limited(request: Request, limit: int, limit_name: str) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            detail = f"a body has at most {limit} octets ({limit_name})"
            raise RefusedError("too-large", detail, limit=limit, limit_name=limit_name)
    return bytes(body)


def client_address(request: Request) -> str:
    """Name whom the per-address limits count."""
    return address_subject(request.client.host if request.client else "unknown")


def json_response(content: msgspec.Struct, status: int) -> Response:
    """Answer with JSON that nobody caches."""
    return Response(msgspec.json.encode(content), status, _NO_STORE, JSON_TYPE)


async def refused(_: Request, error: Exception) -> Response:
    """Turn RefusedError into its problem (RFC 9457)."""
    assert isinstance(error, RefusedError)
    return _problem(error)


async def no_such_thing(_: Request, error: Exception) -> Response:
    """Turn the router's own refusals into problems."""
    assert isinstance(error, HTTPException)
    word = "method-not-allowed" if error.status_code == 405 else "not-found"
    response = _problem(RefusedError(word, error.detail))
    response.headers.update(error.headers or {})
    return response


async def disconnected(_: Request, error: Exception) -> Response:
    """End quietly when the client went away in the middle of its body."""
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=400)


async def cannot_sign(_: Request, error: Exception) -> Response:
    """Say what is wrong with the authority's own certificate: its operator can mend that."""
    assert isinstance(error, CertificateError)
    return _problem(RefusedError("internal", str(error)))


async def failed(_: Request, __: Exception) -> Response:
    """Say that it is our fault and nothing else; the server logs the exception."""
    return _problem(RefusedError("internal", "the request was not carried out; try again later"))


def _problem(error: RefusedError) -> Response:
    problem = Problem(PROBLEM_PREFIX + error.word, error.title, error.status, error.detail)
    problem = msgspec.structs.replace(problem, **error.extensions)
    headers = dict(_NO_STORE)
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return Response(msgspec.json.encode(problem), error.status, headers, PROBLEM_TYPE)
