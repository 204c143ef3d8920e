"""A world in memory: the real authority and the real delivery service behind ASGI, a clock that tests set."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from client.credentials.account import Account
from client.enrolling import enrol
from client.session import Session
from client.storage.keys import Argon2id
from delivery_service.app import create_app
from delivery_service.policy import POLICY, Policy
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.report_policy import ReportPolicy
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

AUTHORITY, DELIVERY = "https://authority.test", "https://delivery.test"
PASSPHRASE = "correct horse"
CHEAP = Argon2id(time_cost=1, memory_kib=64, parallelism=1)
START = 1_795_000_000

ALICE = TelephoneNumber.from_digits("12025550142")
BOB = TelephoneNumber.from_digits("12025550143")
CAROL = TelephoneNumber.from_digits("12025550144")


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Network(httpx.AsyncBaseTransport):
    """Leads each host to its service; `down` hosts cannot be reached. Counts the answers."""

    def __init__(self) -> None:
        self.services: dict[str, httpx.AsyncBaseTransport] = {}
        self.down: set[str] = set()
        self.statuses: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self.down:
            raise httpx.ConnectError("the network is down", request=request)
        response = await self.services[request.url.host].handle_async_request(request)
        self.statuses[response.status_code] += 1
        return response


class World:
    """Services, a network and a clock; people enrol and open sessions in it."""

    def __init__(self, folder: Path, clock: Clock, network: Network, codes: CodeOutbox) -> None:
        self.folder = folder
        self.clock = clock
        self.network = network
        self.codes = codes

    def home(self, number: TelephoneNumber) -> Path:
        return self.folder / number.digits

    async def enrol(self, number: TelephoneNumber) -> Account:
        async def ask_code(_: ChallengeOpened) -> str:
            return self.codes.codes[number]

        return await enrol(
            self.home(number),
            PASSPHRASE,
            number,
            authority=AUTHORITY,
            delivery=DELIVERY,
            ask_code=ask_code,
            cost=CHEAP,
            clock=self.clock,
            transport=self.network,
        )

    def open(self, number: TelephoneNumber, jitter: float = 0) -> AbstractAsyncContextManager[Session]:
        return Session.open(self.home(number), PASSPHRASE, clock=self.clock, transport=self.network, jitter=jitter)

    @asynccontextmanager
    async def holder(self, number: TelephoneNumber, folder: str) -> AsyncIterator[Session]:
        """Whoever can receive the number's code now, with a key of their own, reachable by others."""

        async def ask_code(_: ChallengeOpened) -> str:
            return self.codes.codes[number]

        await enrol(
            self.folder / folder,
            PASSPHRASE,
            number,
            authority=AUTHORITY,
            delivery=DELIVERY,
            ask_code=ask_code,
            cost=CHEAP,
            clock=self.clock,
            transport=self.network,
        )
        opening = Session.open(self.folder / folder, PASSPHRASE, clock=self.clock, transport=self.network, jitter=0)
        async with opening as session:
            await session.maintain()
            yield session

    async def people(self, stack: AsyncExitStack, *numbers: TelephoneNumber) -> list[Session]:
        """Enrolled, open, and reachable by others."""
        sessions = []
        for number in numbers:
            await self.enrol(number)
            session = await stack.enter_async_context(self.open(number))
            await session.receive()
            sessions.append(session)
        return sessions


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def policy() -> ReportPolicy | None:
    """What the authority makes of reports; a test may be parametrized with another policy than the documented one."""
    return None


@pytest.fixture
def service_policy() -> Policy:
    """What the delivery service's operator decides."""
    return POLICY


@pytest.fixture
async def world(
    tmp_path: Path, clock: Clock, policy: ReportPolicy | None, service_policy: Policy
) -> AsyncIterator[World]:
    network, codes = Network(), CodeOutbox()
    authority = open_authority(tmp_path / "authority", AUTHORITY, codes, clock, allow=("+1202555",), policy=policy)
    async with AsyncExitStack() as running:
        await running.enter_async_context(authority.router.lifespan_context(authority))
        network.services["authority.test"] = httpx.ASGITransport(authority)
        async with httpx.AsyncClient(transport=network, base_url=AUTHORITY) as http:
            anchors = TrustAnchors.from_pem((await http.get("/v1/anchors.pem")).content)
        delivery = create_app(
            None, anchors, host="delivery.test", clock=clock, policy=service_policy, transport=network
        )
        await running.enter_async_context(delivery.router.lifespan_context(delivery))
        network.services["delivery.test"] = httpx.ASGITransport(delivery)
        yield World(tmp_path, clock, network, codes)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened
