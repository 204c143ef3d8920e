"""What every run begins with, made once for a process: people with accounts, and a group that some of them are in."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from starlette.applications import Starlette

from client.credentials.link_here import Keep, Linked, link_here
from client.credentials.linking import LinkState
from client.enrolling import enrol
from client.session import Session
from client.storage.keys import Argon2id
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber
from lab.faults.client import PASSPHRASE, WORKER
from lab.faults.families import Rates
from lab.faults.loop import VirtualLoop, virtual_loop
from lab.faults.network import Network
from lab.faults.replica import HOST
from lab.faults.seeded import drawing_from
from lab.faults.storage import SharedEngine, Storage, app_over, empty_image
from lab.faults.trace import Trace
from lab.seams.seam import instead

AUTHORITY, DELIVERY = "https://authority.test", f"https://{HOST}"
START = 1_795_000_000  # seconds: the beginning of virtual time
NUMBERS = {
    name: TelephoneNumber.from_digits(f"120255501{40 + at}")
    for at, name in enumerate(("alice", "bob", "carol", "dave"))
}
SECOND = "alice2"  # alice's other device
DEVICES = (*NUMBERS, SECOND)
FOUNDED = ("bob", "carol")  # whom alice has in the group that every run begins with
COST = Argon2id(time_cost=1, memory_kib=64, parallelism=1)  # the passphrase is no secret
MEMORY = Path("/dev/shm")  # noqa: S108 - where files cost no disk, if the machine has it


def number(device: str) -> TelephoneNumber:
    """The number of a device."""
    return NUMBERS[device.rstrip("2")]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The folders of devices (`homes`), the service's folder, and the image of its database, `seconds` after START."""

    folder: Path
    image: bytes
    anchors: TrustAnchors
    seconds: float

    def home(self, device: str, place: Path) -> Path:
        """A copy of a device's folder."""
        return Path(shutil.copytree(self.folder / device, place / device))

    @property
    def service(self) -> Path:
        """The folder that replicas share; it has the franking key."""
        return self.folder / "service"


@contextmanager
def prepared() -> Iterator[Prepared]:
    """Make it all, always alike but for what MLS draws; it is deleted at the end."""
    with (
        TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="ringtrue-faults-") as folder,
        drawing_from("preparation"),
        instead(*WORKER).exchanged(),
    ):
        loop = virtual_loop(0)
        yield loop.run(_Preparation(Path(folder), loop).make())


@dataclass(slots=True)
class _Hosts(httpx.AsyncBaseTransport):
    apps: dict[str, httpx.ASGITransport] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.apps[request.url.host].handle_async_request(request)


class _Onlooker:
    """A person who agrees to the second device."""

    def compare(self, digits: str) -> None:
        """The first device is asked as well."""

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        return True

    async def protect(self, keep: Keep) -> None:
        await keep(PASSPHRASE)

    def hear(self, words: str) -> None:
        """Nothing is to be done."""


class _Preparation:
    def __init__(self, folder: Path, loop: VirtualLoop) -> None:
        self.folder = folder
        self.loop = loop
        self.codes = CodeOutbox()
        self.hosts = _Hosts()

    def clock(self) -> float:
        return START + self.loop.now

    async def make(self) -> Prepared:
        storage = Storage(empty_image())
        authority = open_authority(self.folder / "authority", AUTHORITY, self.codes, self.clock, allow=("+1202555",))
        async with authority.router.lifespan_context(authority):
            self.hosts.apps["authority.test"] = httpx.ASGITransport(authority)
            async with httpx.AsyncClient(transport=self.hosts, base_url=AUTHORITY) as http:
                anchors = TrustAnchors.from_pem((await http.get("/v1/anchors.pem")).content)
            delivery = self._delivery(storage, anchors)
            async with delivery.router.lifespan_context(delivery):
                self.hosts.apps[HOST] = httpx.ASGITransport(delivery)
                await self._people()
        return Prepared(self.folder, storage.connection.serialize("main"), anchors, self.loop.now)

    def _delivery(self, storage: Storage, anchors: TrustAnchors) -> Starlette:
        network = Network(self.loop, self.loop.draw, Rates(), Trace(self.loop.time))
        (self.folder / "service").mkdir()
        engine = SharedEngine(storage, self.loop.world, self.loop, network)
        return app_over(engine, self.folder / "service", anchors, HOST, self.clock)

    def _open(self, device: str) -> AbstractAsyncContextManager[Session]:
        return Session.open(self.folder / device, PASSPHRASE, clock=self.clock, transport=self.hosts, jitter=0)

    async def _people(self) -> None:
        for name in NUMBERS:
            await self._enrol(name)
        for name in NUMBERS:
            async with self._open(name) as session:
                for other in set(NUMBERS) - {name}:
                    await session.worker.run(session.steps.groups.contacts.accept, NUMBERS[other])
                await session.receive()
        async with self._open("alice") as alice:
            await self._link(alice)
            await alice.create_chat("everybody", [NUMBERS[name] for name in FOUNDED])
            await alice.receive()
        for name in (*DEVICES, *DEVICES):
            async with self._open(name) as session:
                await session.receive()

    async def _enrol(self, name: str) -> None:
        async def read_code(_: ChallengeOpened) -> str:
            return self.codes.codes[NUMBERS[name]]

        await enrol(
            self.folder / name,
            PASSPHRASE,
            NUMBERS[name],
            authority=AUTHORITY,
            delivery=DELIVERY,
            ask_code=read_code,
            cost=COST,
            clock=self.clock,
            transport=self.hosts,
        )

    async def _link(self, alice: Session) -> Linked:
        code = (await alice.linking.start()).code
        linking = asyncio.create_task(
            link_here(
                self.folder / SECOND,
                code,
                _Onlooker(),
                authority=AUTHORITY,
                name="Alice's tablet",
                cost=COST,
                clock=self.clock,
                transport=self.hosts,
                jitter=0,
            )
        )
        progress = alice.linking.progress
        while progress is not None and progress.state is not LinkState.DONE:
            if progress.state is LinkState.COMPARING:
                alice.linking.answer(agreed=True)
            progress = await alice.linking.changed(progress.step, 60)
        return await linking
