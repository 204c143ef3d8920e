"""A transport that holds every answer of the service against its OpenAPI table."""

import re

import httpx

from delivery_service.http.operations import OPERATIONS

FAILED = 500  # which tests provoke on purpose, and which no table should promise
_STATUSES = [
    (
        each.method,
        re.compile(re.sub(r"\{\w+\}", "[^/]+", each.path)),
        {status for status, _ in (*each.answers, *each.refusals)},
    )
    for each in OPERATIONS
]


class Described(httpx.AsyncBaseTransport):
    """Passes requests on; an answer with a status that the table does not have for its address is an AssertionError."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        for method, path, statuses in _STATUSES:
            if request.method == method and path.fullmatch(request.url.path) and answer.status_code != FAILED:
                assert answer.status_code in statuses, f"{method} {request.url.path}: {answer.status_code}"
        return answer
