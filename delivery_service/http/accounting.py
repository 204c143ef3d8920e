"""What is asked and how it is answered, counted and logged: by route, never by who or what."""

import itertools
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delivery_service.errors import RefusedError
from delivery_service.http.entries import APPENDING, addressed_group
from delivery_service.logs import EventLog, Level
from delivery_service.service import Service

if TYPE_CHECKING:
    from delivery_service.metrics import Metrics

REQUEST_ID = b"request-id"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"))
_EVERYDAY = frozenset(("stale-epoch", "session-expired"))  # nobody's fault, and all day long


class Accounted:
    """An application whose requests are counted, timed and logged; each answer names its request."""

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        routes: Iterable[BaseRoute],
        *,
        metrics: "Metrics | None",
        log: EventLog | None,
        each: bool = False,
    ) -> None:
        self._app = app
        self._service = service
        self._routes: dict[Any, str] = {route.endpoint: route.path for route in routes if isinstance(route, Route)}
        self._metrics = metrics
        self._log = log
        self._each = each
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request = f"{self._process}-{next(self._numbers):x}"
        answered = False

        async def sent(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*message["headers"], (REQUEST_ID, request.encode())]
                self._account(scope, request, message["status"], time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            if not answered:
                self._account(scope, request, 0, time.perf_counter() - began)

    def _account(self, scope: Scope, request: str, status: int, seconds: float) -> None:
        word = scope.get("problem")
        told = self._log is not None and (self._each or (status >= 400 and word not in _EVERYDAY) or not status)
        if not told and self._metrics is None:
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = self._route(scope)
        if self._metrics is not None:
            self._metrics.answered(method, route, status, seconds)
            if word is not None:
                self._metrics.refused(word)
        if self._log is not None and told:
            facts = {"request": request, "method": method, "route": route, "ms": round(seconds * 1000, 1)}
            self._log_line(self._log, scope, status, word, facts)

    def _log_line(self, log: EventLog, scope: Scope, status: int, word: str | None, facts: dict[str, Any]) -> None:
        event, level = _event(status, word)
        group = addressed_group(scope) or scope.get("path_params", {}).get("group")
        named = None if group is None else log.name(group.encode())
        log.write(event, level, **facts, status=status, word=word, who=self._who(log, scope), group=named)

    def _who(self, log: EventLog, scope: Scope) -> str | None:
        """Names the number of the request's session, if it has one."""
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        try:
            return log.name(self._service.sessions.check(authorization, self._service.now()).number.encode())
        except RefusedError:
            return None

    def _route(self, scope: Scope) -> str:
        """The route's template; `other` for an address that is none."""
        if addressed_group(scope) is not None:
            return APPENDING[1]
        return self._routes.get(scope.get("endpoint"), "other")


def _event(status: int, word: str | None) -> tuple[str, Level]:
    if not status:
        return "request_unanswered", "warning"
    if status >= 500 and word is None:
        return "request_failed", "error"
    return ("request_refused", "info") if status >= 400 else ("request_answered", "debug")
