"""A whole world in one process: authority, delivery service and clients, over real HTTP on loopback."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.desk.desk import Desk, open_desk
from client.enrolling import enrol
from client.services.delivery import DeliveryClient
from client.session import Session
from client.storage.keys import Argon2id
from delivery_service.app import create_app
from delivery_service.quotas import QUOTAS, Quotas
from delivery_service.service import Service
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.report_policy import ReportPolicy
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber
from identity.reports.franking import HubKey
from lab.clock import SettableClock
from lab.mallory import Credentials, Mallory
from lab.serving import listening

HOST = "ringtrue.example"  # the delivery service's name in group URIs
NUMBERS = ("+1202555",)  # prefixes that the authority certifies: 555-01xx are for fiction
COST = Argon2id(time_cost=1, memory_kib=8 * 1024, parallelism=1)  # the passphrase is no secret
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - of stores in a temporary folder

T = TypeVar("T")


class World:
    """`async with World() as world:` runs the services; at the end everything is stopped and deleted."""

    def __init__(self, clock: SettableClock | None = None, *, quotas: Quotas = QUOTAS) -> None:
        self.clock = clock or SettableClock()
        self._quotas = quotas
        self.codes = CodeOutbox()
        self.services: dict[str, Service] = {}
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        hub_keys: dict[bytes, HubKey] = {}  # the delivery service's, once it runs: its trust list is the authority's
        policy = ReportPolicy(hub_keys=hub_keys)
        async with AsyncExitStack() as starting:
            self.folder = Path(starting.enter_context(TemporaryDirectory(prefix="ringtrue-world-")))
            self.authority_url = await starting.enter_async_context(
                listening(
                    lambda url: open_authority(
                        self.folder / "authority", url, self.codes, self.clock, allow=NUMBERS, policy=policy
                    )
                )
            )
            self.delivery_url = await starting.enter_async_context(self.delivery_service(await self.anchors()))
            hub_key = HubKey.from_point(self.service.franking.public_key)
            hub_keys[hub_key.key_id] = hub_key
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @asynccontextmanager
    async def delivery_service(self, anchors: TrustAnchors, quotas: Quotas | None = None) -> AsyncIterator[str]:
        """Run a delivery service with these trust anchors, and yield its base URL; `services` has its parts."""
        with TemporaryDirectory(dir=self.folder, prefix="delivery-") as folder:
            app = create_app(Path(folder), anchors, host=HOST, clock=self.clock, quotas=quotas or self._quotas)
            async with listening(lambda _: app) as url:
                self.services[url] = app.state.service
                yield url

    @property
    def service(self) -> Service:
        """The parts of the delivery service that everybody uses."""
        return self.services[self.delivery_url]

    async def anchors(self) -> TrustAnchors:
        """The authority's roots."""
        async with EnrolmentClient(self.authority_url, clock=self.clock) as authority:
            return await authority.anchors()

    async def keep(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context that is left when the world ends."""
        return await self._running.enter_async_context(context)

    async def person(self, name: str, number: str) -> Session:
        """Enrol a person; their client stays open until the world ends, and others can add it to chats."""
        return await self.keep(self.visitor(name, number, self.delivery_url))

    @asynccontextmanager
    async def visitor(
        self,
        name: str,
        number: str,
        delivery_url: str,
        *,
        anchors: TrustAnchors | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> AsyncIterator[Session]:
        """Enrol a person at some delivery service; their client is open inside the context.

        `anchors`: what they trust, instead of the authority's roots alone; `transport`: what carries their calls.
        """
        async with (
            self._enrolled(name, number, delivery_url, anchors) as home,
            Session.open(home, PASSPHRASE, clock=self.clock, jitter=0, transport=transport) as session,
        ):
            await session.maintain()
            yield session

    @asynccontextmanager
    async def desk(
        self, name: str, number: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> AsyncIterator[Desk]:
        """Enrol a person; inside the context their account is open as every screen sees it, and reads when told to.

        `transport` carries all their calls, from the first one.
        """
        async with (
            self._enrolled(name, number, self.delivery_url, transport=transport) as home,
            open_desk(home, PASSPHRASE, clock=self.clock, transport=transport, jitter=0, follow=False) as desk,
        ):
            await desk.session.maintain()
            yield desk

    @asynccontextmanager
    async def _enrolled(
        self,
        name: str,
        number: str,
        delivery_url: str,
        anchors: TrustAnchors | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> AsyncIterator[Path]:
        telephone = TelephoneNumber.parse(number)

        async def read_code(_: ChallengeOpened) -> str:
            return self.codes.codes[telephone]

        with TemporaryDirectory(dir=self.folder, prefix=f"{name.lower()}-") as folder:
            await enrol(
                Path(folder),
                PASSPHRASE,
                telephone,
                authority=self.authority_url,
                delivery=delivery_url,
                ask_code=read_code,
                anchors=anchors,
                cost=COST,
                clock=self.clock,
                transport=transport,
            )
            yield Path(folder)

    async def mallory(self, number: str, transport: httpx.AsyncBaseTransport | None = None) -> Mallory:
        """Enrol Mallory as anybody would be, with a connection of her own; `transport` carries the enrolment."""
        device = await self._certified(TelephoneNumber.parse(number), transport)
        delivery = DeliveryClient(self.delivery_url, device.key, device.chain, clock=self.clock)
        await self._running.enter_async_context(delivery)
        return Mallory(device, delivery, HOST, self.clock)

    async def _certified(self, number: TelephoneNumber, transport: httpx.AsyncBaseTransport | None) -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        async with EnrolmentClient(self.authority_url, clock=self.clock, transport=transport) as authority:
            anchors = await authority.anchors()
            opened = await authority.challenge(number)
            enrolled = await authority.certify(opened.challenge, self.codes.codes[number], key, number, anchors)
        return Credentials(number, key, enrolled.chain, self.authority_url)
