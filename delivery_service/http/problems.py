"""Refusals as problem documents (RFC 9457)."""

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Scope

from delivery_service.errors import RefusedError, StoreError
from delivery_service.wire import PROBLEM_PREFIX, PROBLEM_TYPE, PROBLEMS, Problem

_ENCODER = msgspec.json.Encoder()
STORE_RETRY_AFTER = 5  # seconds


def problem_of(error: RefusedError) -> Problem:
    """The problem document of a refusal."""
    status, title = PROBLEMS[error.word]
    return Problem(PROBLEM_PREFIX + error.word, title, status, error.detail, **error.members)


def _respond(problem: Problem, headers: dict[str, str]) -> Response:
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(_ENCODER.encode(problem), problem.status, headers, PROBLEM_TYPE)


def answer_to(error: RefusedError | StoreError, scope: Scope) -> Response:
    """The answer to a request that was refused, or that could not be written; the scope keeps the `problem` word."""
    if isinstance(error, StoreError):
        error = RefusedError(
            "overloaded", "the service cannot rely on its database at the moment", retry_after=STORE_RETRY_AFTER
        )
    scope["problem"] = error.word
    return _respond(problem_of(error), {})


# Coroutines, because the framework gives a plain function to a thread, which costs more than the answer.
async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError | StoreError)
    return answer_to(error, request.scope)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    problem = Problem("about:blank", title, error.status_code, "see the table of addresses in delivery_service.wire")
    return _respond(problem, dict(error.headers or {}))


async def _disconnected(request: Request, error: Exception) -> Response:
    return _respond(problem_of(RefusedError("malformed", "the request ended early")), {})


async def _failed(request: Request, error: Exception) -> Response:
    title = HTTPStatus.INTERNAL_SERVER_ERROR.phrase
    detail = "the service failed: repeat the request with the same idempotency key"
    return _respond(Problem("about:blank", title, 500, detail), {})


EXCEPTION_HANDLERS: dict[type[Exception], ExceptionHandler] = {
    RefusedError: _refused,
    StoreError: _refused,
    HTTPException: _http_error,
    ClientDisconnect: _disconnected,
    Exception: _failed,
}
