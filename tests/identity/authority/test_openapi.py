"""Each service describes every route that it serves, and does what its description says, whatever is asked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import schemathesis
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from identity.authority.acme.app import TokenAuthorities
from identity.authority.app import open_authority, open_certificates, open_log_alone, open_tokens
from identity.authority.codes import CodeOutbox
from identity.authority.links.wire import WAIT_LIMIT
from identity.authority.operations import DOCUMENT_PATH, OPERATIONS
from identity.authority.signing.app import create_app
from identity.authority.signing.signer import Signer
from identity.authority.signing.verifier import CallVerifier
from identity.authority.wire import OCSP_REQUEST_TYPE
from identity.certificates import ChainVerifier, TrustAnchors
from identity.enrolment.authority_token import TokenIssuers
from identity.openapi import Octets, Operation, document, served
from tests.identity.conftest import ALICE, NOW, Authority, private_key

BASE_URL = "http://testserver"
API = schemathesis.openapi.from_dict(msgspec.to_builtins(document(OPERATIONS, "All services")))
API.config.checks.negative_data_rejection.expected_statuses = ["4xx"]  # "too large" is among the answers too
schemathesis.serializer.alias(OCSP_REQUEST_TYPE, "application/octet-stream")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


class LateClock:
    """Each look finds it a day later: nobody has asked too often, and what was begun has ended."""

    def __init__(self) -> None:
        self._now = NOW

    def __call__(self) -> float:
        self._now += 86_400
        return float(self._now)


def signing_service() -> Starlette:
    authority = Authority()
    key = private_key(1)
    certificates = [x509.load_der_x509_certificate(each) for each in authority.device_chain(key, ALICE)]
    chain = b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer = Signer.of(secret, chain, "https://certificates.example/alice.pem")
    return create_app(signer, CallVerifier(ChainVerifier(authority.anchors)), clock=lambda: float(NOW))


def services(folder: Path) -> dict[str, Starlette]:
    tokens = TokenAuthorities(lambda _: TokenIssuers(()), None)
    clock = LateClock()
    return {
        "both": open_authority(folder / "both", BASE_URL, CodeOutbox(), clock),
        "certificates": open_certificates(folder / "certificates", BASE_URL, tokens, clock),
        "tokens": open_tokens(folder / "tokens", BASE_URL, CodeOutbox(), clock, anchors=lambda _: TrustAnchors(())),
        "log": open_log_alone(folder / "log", BASE_URL, "A log", tuple, clock),
        "signing": signing_service(),
    }


class Served:
    """A service whose beginning and end the test decides: the client of this library ends what it has asked."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})

    async def close(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            pass


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    opened = {name: Served(app) for name, app in services(tmp_path_factory.mktemp("services")).items()}
    yield opened
    asgi.shutdown_lifespans()
    for service in opened.values():
        asyncio.run(service.close())


def test_the_table_names_every_route_and_no_other(apps: dict[str, Served]) -> None:
    named = {(each.method, each.path) for each in OPERATIONS}
    assert len(named) == len(OPERATIONS)
    assert {route for each in apps.values() for route in served(each.app.routes)} == named


def test_each_service_describes_its_own_routes(apps: dict[str, Served]) -> None:
    for name, service in apps.items():
        with asgi.get_client(service) as client:
            described = client.get(BASE_URL + DOCUMENT_PATH).json()
        found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
        assert found == set(served(service.app.routes)), name


# Every run asks the same: a failure here is a failure everywhere, and none comes with the day.
bounded = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
@bounded
@given(data=st.data())
def test_what_is_asked_is_answered_as_described(
    apps: dict[str, Served], operation: Operation, mode: GenerationMode, data: st.DataObject
) -> None:
    if mode is GenerationMode.NEGATIVE and isinstance(operation.takes, Octets | None) and not operation.parameters:
        return  # there is nothing to get wrong
    case = data.draw(API[operation.path][operation.method].as_strategy(generation_mode=mode))
    if str(case.query.get("wait")) in map(str, range(WAIT_LIMIT + 1)):
        case.query["wait"] = 0  # that it waits is tested elsewhere
    service = apps["signing" if operation.path.startswith("/stir/") else "both"]
    case.validate_response(case.call(app=service), checks=CHECKS)
