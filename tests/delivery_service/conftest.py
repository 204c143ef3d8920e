"""A real service over ASGI, real devices with real certificates, and a clock that tests set."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256
from mls_rs import Credential, Engine, Group, Pending

from delivery_service.app import create_app
from delivery_service.credentials import Credentials
from delivery_service.policy import POLICY, Policy
from delivery_service.quotas import QUOTAS, Quotas
from delivery_service.storage.database import Database
from delivery_service.wire import (
    IDEMPOTENCY_HEADER,
    JSON_TYPE,
    MLS_TYPE,
    MSGPACK_TYPE,
    SIGNATURE_TAG,
    SIGNED_COMPONENTS,
    Appended,
    CommitBundle,
    ContactRequests,
    EntryBatch,
    WelcomeBatch,
)
from identity.base64url import encode_base64url
from identity.certificates import TrustAnchors
from identity.groups.eviction import IDLE_EXTENSION
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from tests.delivery_service.described import Described

NOW = 1_800_000_000
YEAR = 365 * 86_400
HOST = "delivery.example"


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Roots:
    """A root and an issuer for the numbers +12025550100 to +12025550199."""

    anchors: TrustAnchors
    issuer_key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate

    def chain(self, key: ec.EllipticCurvePrivateKey, number: str, now: int, lifetime: int) -> tuple[bytes, ...]:
        telephone = TelephoneNumber.parse(number)
        leaf = issue_device_certificate(self.issuer_key, self.issuer, key.public_key(), telephone, now, lifetime)
        return leaf.public_bytes(Encoding.DER), self.issuer.public_bytes(Encoding.DER)


@cache
def make_roots(name: str, now: int = NOW) -> Roots:
    root_key, root = create_root(name, now, 10 * YEAR)
    authority = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    return Roots(TrustAnchors((root,)), *create_issuer(root_key, root, f"{name} issuer", authority, now, 9 * YEAR))


class Device:
    """A device of a number: its key, chain and MLS engine, and requests in its name."""

    def __init__(self, roots: Roots, number: str, http: httpx.AsyncClient, clock: Callable[[], float], lifetime: int):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.number = number
        self.http = http
        self.clock = clock
        self.token = ""
        self.name = ""
        self.secrets: list[bytes] = []
        self.use(roots.chain(self.key, number, self.now, lifetime), roots.anchors)

    def use(self, chain: tuple[bytes, ...], anchors: TrustAnchors) -> None:
        self.chain = chain
        self.engine = self._engine(anchors)

    def _engine(self, anchors: TrustAnchors) -> Engine:
        scalar = bytearray(self.key.private_numbers().private_value.to_bytes(32, "big"))
        credentials = Credentials(anchors)
        return Engine(
            2,
            Credential.x509(self.chain),
            scalar,
            credentials.validate,
            credentials.succeed,
            validate_external=lambda *_: None,  # what a group names is for the service to judge here
            extension_types=[IDLE_EXTENSION],
        )

    @property
    def now(self) -> int:
        return int(self.clock())

    @property
    def identity(self) -> bytes:
        return self.name.encode()

    def sign(self, request: httpx.Request, **changes: Any) -> httpx.Request:
        signer = HTTPMessageSigner(
            signature_algorithm=ECDSA_P256_SHA256,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={"device": changes.pop("key", self.key)}),
        )
        arguments: dict[str, Any] = {
            "key_id": "device",
            "created": datetime.fromtimestamp(changes.pop("at", self.now), UTC),
            "nonce": secrets.token_hex(16),
            "tag": SIGNATURE_TAG,
            "covered_component_ids": SIGNED_COMPONENTS[:3],
            "body": request.content,
        }
        signer.sign(request, **{**arguments, **changes})
        return request

    def session_request(self, **changes: Any) -> httpx.Request:
        body = msgspec.json.encode({"chain": list(self.chain)})
        request = self.http.build_request("POST", "/v1/sessions", content=body, headers={"content-type": JSON_TYPE})
        return self.sign(request, **changes)

    async def open_session(self) -> None:
        answer = await self.http.send(self.session_request())
        assert answer.status_code == 201, answer.text
        granted = answer.json()
        self.token, self.name = granted["token"], granted["device"]

    async def call(
        self, method: str, path: str, content: bytes = b"", kind: str = JSON_TYPE, **headers: str
    ) -> httpx.Response:
        fields = {"content-type": kind, "authorization": f"Bearer {self.token}"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, content=content, headers=fields)

    async def post(self, path: str, content: bytes, kind: str, key: str | None = None) -> httpx.Response:
        return await self.call("POST", path, content, kind, **{IDEMPOTENCY_HEADER: key or secrets.token_hex(16)})

    async def claim_answer(self, number: str, **changes: Any) -> httpx.Response:
        body = msgspec.json.encode({"number": number})
        fields = {"content-type": JSON_TYPE, "authorization": f"Bearer {self.token}"}
        request = self.http.build_request("POST", "/v1/key-packages/claims", content=body, headers=fields)
        return await self.http.send(self.sign(request, **changes))

    def ask_request(self, number: str, **changes: Any) -> httpx.Request:
        chain = changes.pop("chain", self.chain)
        body = msgspec.json.encode({"number": number, "chain": list(chain)})
        fields = {"content-type": JSON_TYPE, "authorization": f"Bearer {self.token}"}
        request = self.http.build_request("POST", "/v1/contact-requests", content=body, headers=fields)
        return self.sign(request, **changes)

    async def ask(self, number: str) -> httpx.Response:
        return await self.http.send(self.ask_request(number))

    async def choose(self, mode: str, *granted: str) -> httpx.Response:
        return await self.call("PUT", "/v1/contact-mode", msgspec.json.encode({"mode": mode, "granted": granted}))

    async def decide(self, number: str, decision: str) -> None:
        body = msgspec.json.encode({"number": number, "decision": decision})
        answer = await self.call("PUT", "/v1/contact-grants", body)
        assert answer.status_code == 204, answer.text

    async def contact_requests(self) -> ContactRequests:
        answer = await self.call("GET", "/v1/contact-requests")
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=ContactRequests)

    async def claim(self, number: str) -> list[bytes]:
        answer = await self.claim_answer(number)
        assert answer.status_code == 200, answer.text
        return [msgspec.convert(text, bytes) for text in answer.json()["key_packages"]]

    def key_packages(self, count: int, *, last_resort: bool = False, lifetime: int = 90 * 86_400) -> list[bytes]:
        made = [self.engine.key_package(self.now, lifetime=lifetime, last_resort=last_resort) for _ in range(count)]
        self.secrets += [package.secret for package in made]
        return [package.message for package in made]

    async def publish(self, count: int = 1, last_resort: bool = False) -> httpx.Response:
        upload: dict[str, Any] = {"key_packages": self.key_packages(count)}
        if last_resort:
            upload["last_resort"] = self.key_packages(1, last_resort=True)[0]
        return await self.call("PUT", "/v1/key-packages", msgspec.json.encode(upload))

    async def create(
        self, group_id: bytes | None = None, context_extensions: Sequence[tuple[int, bytes]] = ()
    ) -> Group:
        group = self.engine.create(group_id or secrets.token_bytes(16), self.now, context_extensions=context_extensions)
        answer = await self.post("/v1/groups", group.group_info(), MLS_TYPE)
        assert answer.status_code == 201, answer.text
        return group

    async def append(self, group_id: bytes, message: bytes, key: str | None = None) -> httpx.Response:
        return await self.post(f"{path_of(group_id)}/entries", message, MLS_TYPE, key)

    async def say(self, group: Group, text: bytes) -> Appended:
        answer = await self.append(group.group_id, group.encrypt(text))
        assert answer.status_code == 201, answer.text
        return msgspec.json.decode(answer.content, type=Appended)

    async def commit(self, group: Group, pending: Pending, key: str | None = None) -> httpx.Response:
        bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
        return await self.post(f"{path_of(group.group_id)}/commits", msgspec.msgpack.encode(bundle), MSGPACK_TYPE, key)

    async def add(self, group: Group, *numbers: str) -> Appended:
        packages = [package for number in numbers for package in await self.claim(number)]
        pending = group.commit(self.now, add=packages)
        answer = await self.commit(group, pending)
        assert answer.status_code == 201, answer.text
        group.apply(pending.secrets)
        return msgspec.json.decode(answer.content, type=Appended)

    async def read_answer(self, group_id: bytes, after: int = 0, wait: int = 0) -> httpx.Response:
        return await self.call("GET", f"{path_of(group_id)}/entries?after={after}&wait={wait}")

    async def read(self, group_id: bytes, after: int = 0, wait: int = 0) -> EntryBatch:
        answer = await self.read_answer(group_id, after, wait)
        assert answer.status_code == 200, answer.text
        return msgspec.msgpack.decode(answer.content, type=EntryBatch)

    async def inbox(self, after: int = 0, wait: int = 0) -> WelcomeBatch:
        answer = await self.call("GET", f"/v1/inbox?after={after}&wait={wait}")
        assert answer.status_code == 200, answer.text
        return msgspec.msgpack.decode(answer.content, type=WelcomeBatch)

    async def join(self) -> tuple[Group, int]:
        """Joins by the newest Welcome: the group, and the cursor after which to read."""
        item = (await self.inbox()).items[-1]
        return self.engine.join(item.welcome, self.secrets, self.now), item.seq


def path_of(group_id: bytes) -> str:
    return f"/v1/groups/{encode_base64url(group_id).decode()}"


@dataclass
class World:
    """A running service and the devices that use it."""

    http: httpx.AsyncClient
    clock: Clock
    roots: Roots
    app: Any
    devices: list[Device] = field(default_factory=list)

    async def device(self, number: str, packages: int = 0, lifetime: int = YEAR) -> Device:
        device = Device(self.roots, number, self.http, self.clock, lifetime)
        await device.open_session()
        if packages:
            assert (await device.publish(packages)).status_code == 200
        self.devices.append(device)
        return device


@asynccontextmanager
async def running_world(
    folder: Path | None,
    quotas: Quotas = QUOTAS,
    policy: Policy = POLICY,
    transport: httpx.AsyncBaseTransport | None = None,
    database: Database | None = None,
    roots: Roots | None = None,
    encryption: bytes | None = None,
) -> AsyncIterator[World]:
    clock, roots = Clock(), roots or make_roots("Test root")
    options = {
        "quotas": quotas,
        "policy": policy,
        "transport": transport,
        "database": database,
        "encryption": encryption,
    }
    app = create_app(folder, roots.anchors, host=HOST, clock=clock, **options)
    async with app.router.lifespan_context(app):
        transport = Described(httpx.ASGITransport(app, raise_app_exceptions=False))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http:
            yield World(http, clock, roots, app)


@pytest.fixture
def make_world() -> Callable[[], World]:
    """A world without its service."""
    return lambda: World(httpx.AsyncClient(), Clock(), make_roots("Test root"), None)


@pytest.fixture
def run_world() -> Callable[[Path | None, Quotas], AbstractAsyncContextManager[World]]:
    """Runs a world with quotas of its own."""
    return running_world


@pytest.fixture
def now_roots() -> Roots:
    """Roots that are valid at this machine's time, for services that run on it."""
    return make_roots("Present root", int(time.time()))


@pytest.fixture
def now_device(now_roots: Roots) -> Callable[[str], Device]:
    """Makes devices of `now_roots` without a connection."""
    return lambda number: Device(now_roots, number, httpx.AsyncClient(), time.time, 86_400)


@pytest.fixture
def problem_word() -> Callable[[httpx.Response], str]:
    """See `word`."""
    return word


@pytest.fixture
def strange_roots() -> Roots:
    """Roots that the service does not trust."""
    return make_roots("Strange root")


@pytest.fixture(params=["memory", "folder"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    database = None
    if request.param == "postgresql":  # for those who ask for it (`indirect`)
        database = Database(request.getfixturevalue("database"), one_copy=True)
    async with running_world(None if request.param == "memory" else tmp_path, database=database) as running:
        yield running


def word(answer: httpx.Response) -> str:
    """The problem word of an answer, which must be a proper problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    return str(problem["type"]).removeprefix("urn:ringtrue:delivery:")
