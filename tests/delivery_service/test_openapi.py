"""The service describes every route that it serves, and does what its description says, whatever is asked.

By hand with more cases: `OPENAPI_CASES=75` (for each address, of four kinds), and `OPENAPI_DATABASE=URL` on PostgreSQL.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from delivery_service import wire
from delivery_service.app import create_app
from delivery_service.http.entries import APPENDING
from delivery_service.http.operations import DOCUMENT_PATH, OPERATIONS
from delivery_service.storage.database import Database
from identity.openapi import Operation, document, served
from tests.delivery_service.conftest import HOST, YEAR, Clock, Device, make_roots, path_of

BASE_URL = f"http://{HOST}"
CASES = int(os.environ.get("OPENAPI_CASES", "10"))
DATABASE = os.environ.get("OPENAPI_DATABASE")


def described(operations: Sequence[Operation]) -> BaseSchema:
    api = schemathesis.openapi.from_dict(msgspec.to_builtins(document(operations, "All")))
    api.config.checks.negative_data_rejection.expected_statuses = ["4xx"]  # "too large" is among the answers too
    return api


# What a member asks always has its token and signature: only the rest is drawn.
DRAWN = {"stranger": described(OPERATIONS), "member": described([replace(each, bearer=False) for each in OPERATIONS])}
for media_type in (wire.MLS_TYPE, wire.MSGPACK_TYPE):
    schemathesis.serializer.alias(media_type, "application/octet-stream")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


class Lasting:
    """The service, alive from its first request to `close`: this library ends after each test what it has begun."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self._life: asyncio.Task[None] | None = None
        self._begun, self._over = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        await receive()
        self._life = self._life or asyncio.create_task(self._live())
        await self._begun.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _live(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            self._begun.set()
            await self._over.wait()

    async def close(self) -> None:
        assert self._life is not None
        self._over.set()
        await self._life


@dataclass
class Signing:
    """Requests to the service as a device sends them: with its token, and signed."""

    app: object
    device: Device

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = (await receive()).get("body", b"")
            receive = again(body)
            scope = {**scope, "headers": self.signed(scope, body)}
        await self.app(scope, receive, send)

    def signed(self, scope: Scope, body: bytes) -> list[tuple[bytes, bytes]]:
        kept = [(name, value) for name, value in scope["headers"] if name not in (b"host", b"authorization")]
        url = f"{BASE_URL}{scope['raw_path'].decode('latin-1')}"
        request = self.device.sign(httpx.Request(scope["method"], url, content=body))
        mine = {b"authorization": f"Bearer {self.device.token}".encode(), b"host": HOST.encode()}
        for name in ("content-digest", "signature-input", "signature"):
            if name in request.headers:
                mine[name.encode()] = request.headers[name].encode()
        return [(name, value) for name, value in kept if name not in mine] + list(mine.items())


def again(body: bytes) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    return receive


@dataclass
class Asked:
    """A running service, and a member of one group in it."""

    app: Lasting
    clock: Clock
    device: Device
    group: str

    def as_(self, who: str) -> object:
        return self.app if who == "stranger" else self.member

    def __post_init__(self) -> None:
        self.member = Signing(self.app, self.device)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    clock, roots = Clock(), make_roots("Test root")
    kept = (None, None) if DATABASE is None else (tmp_path_factory.mktemp("keys"), Database(DATABASE, one_copy=True))
    app = Lasting(create_app(kept[0], roots.anchors, host=HOST, clock=clock, database=kept[1]))
    device = Device(roots, "+12025550100", httpx.AsyncClient(base_url=BASE_URL), clock, YEAR)
    with asgi.get_client(app) as client:
        opening = device.session_request()
        answer = client.request("POST", BASE_URL + "/v1/sessions", data=opening.content, headers=dict(opening.headers))
        device.token, device.name = answer.json()["token"], answer.json()["device"]
        group = device.engine.create(b"a group", device.now)
        fields = {"authorization": f"Bearer {device.token}", "content-type": wire.MLS_TYPE}
        fields[wire.IDEMPOTENCY_HEADER] = "0" * 32
        answer = client.request("POST", BASE_URL + "/v1/groups", data=group.group_info(), headers=fields)
        assert answer.status_code == 201, answer.text
        yield Asked(app, clock, device, path_of(group.group_id).removeprefix("/v1/groups/"))
        asgi.shutdown_lifespans()
        asgi._get_portal().call(app.close)


def test_the_table_names_every_route_and_no_other(asked: Asked) -> None:
    named = {(each.method, each.path) for each in OPERATIONS}
    assert len(named) == len(OPERATIONS)
    assert {*served(asked.app.app.routes), APPENDING} == named


def test_the_service_describes_its_routes(asked: Asked) -> None:
    with asgi.get_client(asked.app) as client:
        described = client.get(BASE_URL + DOCUMENT_PATH).json()
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == {(each.method, each.path) for each in OPERATIONS}
    assert described["components"]["securitySchemes"]["session"]["scheme"] == "bearer"


# Every run asks the same: a failure here is a failure everywhere, and none comes with the day.
bounded = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("who", ["stranger", "member"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
@bounded
@given(data=st.data(), inside=st.booleans())
def test_what_is_asked_is_answered_as_described(
    asked: Asked, operation: Operation, mode: GenerationMode, who: str, data: st.DataObject, inside: bool
) -> None:
    if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
        return
    case = data.draw(DRAWN[who][operation.path][operation.method].as_strategy(generation_mode=mode))
    if str(case.query.get("wait")) in map(str, range(wire.LONG_POLL_LIMIT + 1)):
        case.query["wait"] = 0  # that it waits is tested elsewhere
    if mode is GenerationMode.POSITIVE and inside and "group" in (case.path_parameters or {}):
        case.path_parameters["group"] = asked.group
    granted, asked.clock.now = (
        asked.clock.now,
        asked.clock.now
        + (
            wire.SESSION_LIFETIME - 0.05 if operation.path == "/v1/events" else 0  # a stream ends with its session
        ),
    )
    try:
        case.validate_response(case.call(app=asked.as_(who)), checks=CHECKS)
    finally:
        asked.clock.now = granted


def can_be_wrong(operation: Operation) -> bool:
    return bool(operation.parameters) or isinstance(operation.takes, type)
