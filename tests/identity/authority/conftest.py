"""A whole authority over httpx.ASGITransport with a settable clock, and the device that enrols with it."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.acme.wire import Problem as AcmeProblem
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.report_policy import ReportPolicy
from identity.authority.store import AuthorityStore
from identity.authority.tokens.carriers import NO_CARRIERS, Carriers
from identity.authority.tokens.store import TokenStore
from identity.authority.tokens.wire import TokenRequest
from identity.authority.wire import (
    PROBLEM_TYPE,
    PROBLEMS,
    ChallengeOpened,
    ChallengeRequest,
    Problem,
)
from identity.certificate_fields import load_certificate, validity
from identity.certificates import TrustAnchors
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from tests.identity.authority.ordering import AcmeAccount, Issued, OrderAt, one

BASE_URL = "http://authority.example"
START = 1_795_000_000
ALICE = TelephoneNumber.from_digits("12025550142")


@dataclass(slots=True)
class Clock:
    """The time that the authority is told."""

    now: int = START

    def __call__(self) -> float:
        return float(self.now)


@dataclass(slots=True)
class Device:
    """One device's key and number."""

    number: TelephoneNumber = ALICE
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def csr(self) -> bytes:
        return device_csr(self.key, self.number)


@dataclass(slots=True)
class Authority:
    """A running authority as a client sees it, with its clock and the telephones' screens."""

    http: httpx.AsyncClient
    clock: Clock
    outbox: CodeOutbox
    close: Callable[[], None]
    store: AuthorityStore
    tokens: TokenStore
    common: AcmeAccount | None = None

    async def post(self, path: str, body: msgspec.Struct) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return await self.http.post(path, content=msgspec.json.encode(body), headers=headers)

    async def challenge(self, number: TelephoneNumber = ALICE) -> tuple[str, str]:
        """Open a challenge; return its id and the code that arrived."""
        response = await self.post("/v1/challenges", ChallengeRequest(number.e164))
        opened = msgspec.json.decode(ok(response), type=ChallengeOpened)
        return opened.challenge, self.outbox.codes[number]

    async def prove(self, challenge: str, code: str, device: Device) -> httpx.Response:
        """Ask for a token for the device's number and key by a code, for one account of all that ask so."""
        if self.common is None:
            self.common = await self.account()
        return await self.token(challenge, self.common.by_code(code, device.number, device.key))

    async def enrol(self, device: Device) -> Issued:
        """Get the device a certificate, with an account of its own."""
        account = await self.account()
        return await self.issued(account, await self.ready(account, device), device.csr())

    async def renew(self, device: Device, chain: list[bytes]) -> Issued:
        """Get the device its next certificate by its key."""
        account = await self.account()
        order = await account.order(one(device.number))
        request = account.by_device(chain, device.key, device.number, device.key, self.clock.now)
        await account.answer(order, await account.token("device", request))
        return await self.issued(account, order, device.csr())

    async def token(self, subject: str, request: TokenRequest) -> httpx.Response:
        """Ask for an authority token."""
        return await self.post(f"/at/account/{subject}/token", request)

    async def account(self) -> AcmeAccount:
        """A fresh ACME account."""
        return await AcmeAccount(self.http).register()

    async def code_token(self, account: AcmeAccount, device: Device) -> str:
        """Prove the device's number by a code, for this account and the device's key."""
        challenge, code = await self.challenge(device.number)
        return await account.token(challenge, account.by_code(code, device.number, device.key))

    async def ready(self, account: AcmeAccount, device: Device) -> OrderAt:
        """An order of the device's number that is ready to be finalized."""
        order = await account.order(one(device.number))
        answered = await account.answer(order, await self.code_token(account, device))
        assert answered.json()["status"] == "valid", answered.text
        return order

    async def issued(self, account: AcmeAccount, order: OrderAt, csr: bytes) -> Issued:
        """Finalize an order and fetch what was issued."""
        response = await account.finalize(order, csr)
        assert response.status_code == 200, response.text
        done = response.json()
        chain = await account.chain(done["certificate"])
        return Issued(chain, done["x5u"], validity(load_certificate(chain[0]))[1])

    async def anchors(self) -> TrustAnchors:
        return TrustAnchors.from_pem((await self.http.get("/v1/anchors.pem")).content)


def ok(response: httpx.Response) -> bytes:
    assert response.status_code == 201, response.text
    return response.content


def refusal(response: httpx.Response) -> tuple[str, Problem]:
    """Return the word of a problem after checking that it is a well-formed one."""
    assert response.headers["content-type"] == PROBLEM_TYPE, response.text
    problem = msgspec.json.decode(response.content, type=Problem)
    word = problem.type.removeprefix("urn:ringtrue:authority:")
    assert (response.status_code, problem.title) == PROBLEMS[word]
    assert problem.status == response.status_code
    assert problem.detail
    return word, problem


Opener = Callable[..., Awaitable[Authority]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "authority"


@pytest_asyncio.fixture
async def open_at(folder: Path, clock: Clock) -> AsyncIterator[Opener]:
    """Open the authority of the folder, any number of times; all are closed at the end."""
    opened = []

    async def opener(
        allow: tuple[str, ...] | None = None,
        address: str = "192.0.2.1",
        *,
        show_exceptions: bool = True,
        policy: ReportPolicy | None = None,
        carriers: Carriers = NO_CARRIERS,
    ) -> Authority:
        outbox = CodeOutbox()
        app = open_authority(folder, BASE_URL, outbox, clock, allow=allow, policy=policy, carriers=carriers)
        transport = httpx.ASGITransport(app, show_exceptions, client=(address, 1))
        # An empty TLS context: reading the machine's trust store costs more than all else here.
        client = httpx.AsyncClient(
            transport=transport, base_url=BASE_URL, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        opened.append((client, app.state.store, app.state.tokens))
        return Authority(client, clock, outbox, app.state.store.close, app.state.store, app.state.tokens)

    yield opener
    for client, *stores in opened:
        await client.aclose()
        for store in stores:
            store.close()


@pytest_asyncio.fixture
async def authority(open_at: Opener) -> Authority:
    return await open_at()


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def make_device() -> type[Device]:
    return Device


@pytest.fixture
def acme_problem() -> Callable[[httpx.Response], tuple[str, AcmeProblem]]:
    """Return the type of an ACME problem, checked to be a whole one with a nonce, and the problem."""

    def read(response: httpx.Response) -> tuple[str, AcmeProblem]:
        assert response.headers["content-type"] == PROBLEM_TYPE, response.text
        assert response.headers["replay-nonce"]
        found = msgspec.json.decode(response.content, type=AcmeProblem)
        assert found.status == response.status_code
        assert found.detail
        return found.type.removeprefix("urn:ietf:params:acme:error:"), found

    return read


@pytest.fixture
def word() -> Callable[[httpx.Response], str]:
    """Return the word of a refusal, checked to be a whole problem."""
    return lambda response: refusal(response)[0]


@pytest.fixture
def problem() -> Callable[[httpx.Response], Problem]:
    return lambda response: refusal(response)[1]
