"""A world in memory whose clock moves only when it is told to: the real services and clients, without sockets.

Nothing in it depends on the machine: addresses have no ports, times are the same in every run, and a person's
connection can be pulled out.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.desk.desk import Desk, open_desk
from client.enrolling import enrol
from client.services.delivery import DeliveryClient
from client.storage.keys import Argon2id
from delivery_service.app import create_app
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.clock import SettableClock
from lab.mallory import Credentials, Mallory

AUTHORITY, DELIVERY = "https://authority.example", "https://ringtrue.example"
NUMBERS = ("+1202555",)  # prefixes that the authority certifies: 555-01xx are for fiction
COST = Argon2id(time_cost=1, memory_kib=64, parallelism=1)  # the passphrase is no secret
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - of stores in a temporary folder


class Line(httpx.AsyncBaseTransport):
    """Somebody's connection to both services; `pulled` out, it reaches neither."""

    def __init__(self, services: dict[str, httpx.AsyncBaseTransport]) -> None:
        self._services = services
        self.pulled = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Lead a request to its service."""
        if self.pulled:
            raise httpx.ConnectError("the network is down", request=request)
        return await self._services[request.url.host].handle_async_request(request)


class StillWorld:
    """`async with StillWorld(folder, start) as world:` runs the services; accounts lie in folders of its folder."""

    def __init__(self, folder: Path, start: float) -> None:
        self.folder = folder
        self.clock = SettableClock(lambda: start)
        self.codes = CodeOutbox()
        self._services: dict[str, httpx.AsyncBaseTransport] = {}
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            authority = open_authority(self.folder / "authority", AUTHORITY, self.codes, self.clock, allow=NUMBERS)
            await starting.enter_async_context(authority.router.lifespan_context(authority))
            self._services["authority.example"] = httpx.ASGITransport(authority)
            async with EnrolmentClient(AUTHORITY, clock=self.clock, transport=self.line()) as enrolment:
                anchors = await enrolment.anchors()
            delivery = create_app(None, anchors, host="ringtrue.example", clock=self.clock)
            await starting.enter_async_context(delivery.router.lifespan_context(delivery))
            self._services["ringtrue.example"] = httpx.ASGITransport(delivery)
            self._running = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def line(self) -> Line:
        """A connection of one's own."""
        return Line(self._services)

    def home(self, name: str) -> Path:
        """Somebody's folder."""
        return self.folder / name.lower()

    async def enrol(self, name: str, number: TelephoneNumber) -> None:
        """Let somebody prove a number, and let others find them."""

        async def read_code(_: ChallengeOpened) -> str:
            return self.codes.codes[number]

        await enrol(
            self.home(name),
            PASSPHRASE,
            number,
            authority=AUTHORITY,
            delivery=DELIVERY,
            ask_code=read_code,
            cost=COST,
            clock=self.clock,
            transport=self.line(),
        )
        async with self.desk(name) as desk:
            await desk.device.sync()

    @asynccontextmanager
    async def desk(self, name: str, line: Line | None = None) -> AsyncIterator[Desk]:
        """Open somebody's account, which reads only when it is told to."""
        async with open_desk(
            self.home(name),
            PASSPHRASE,
            clock=self.clock,
            transport=line or self.line(),
            jitter=0,
            follow=False,  # services in memory do not stream
        ) as desk:
            yield desk

    async def mallory(self, number: TelephoneNumber) -> Mallory:
        """Enrol Mallory as anybody would be, with a connection of her own."""
        key = ec.generate_private_key(ec.SECP256R1())
        async with EnrolmentClient(AUTHORITY, clock=self.clock, transport=self.line()) as authority:
            anchors = await authority.anchors()
            opened = await authority.challenge(number)
            enrolled = await authority.certify(opened.challenge, self.codes.codes[number], key, number, anchors)
        delivery = DeliveryClient(DELIVERY, key, enrolled.chain, clock=self.clock, transport=self.line())
        await self._running.enter_async_context(delivery)
        return Mallory(Credentials(number, key, enrolled.chain, AUTHORITY), delivery, "ringtrue.example", self.clock)
