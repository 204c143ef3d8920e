"""An authority whose answers a test changes, and logs that lie, for the tests of what a client sees in logs."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette

from client.credentials.enrolment import EnrolmentClient
from client.credentials.logs_seen import SeenLog
from client.desk.desk import Desk
from client.desk.people_views import AlarmView
from client.session import Session
from client.storage.home import Home
from identity.authority.keys import AuthorityKeys, read_key, read_keys
from identity.authority.log.certificate_log import CertificateLog
from identity.authority.log.endpoints import log_routes
from identity.authority.log.folder import FOLDER, KEY, open_log
from identity.issuing import issue_device_certificate
from identity.transparency.timestamps import SignedTimestamp

from .conftest import ALICE, AUTHORITY, CAROL, World

DAY = 86_400

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def response(body: bytes, status: int = 200) -> httpx.Response:
    headers = {"content-type": "application/json" if status == 200 else "application/problem+json"}
    return httpx.Response(status, stream=httpx.ByteStream(body), headers=headers)


class Meddler(httpx.AsyncBaseTransport):
    """The authority, with other answers at some addresses."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._honest = world.network.services["authority.test"]
        self.answers: dict[str, Answer] = {}
        world.network.services["authority.test"] = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for path, answer in self.answers.items():
            if request.url.path.startswith(path):
                return await answer(request)
        return await self._honest.handle_async_request(request)

    async def honest(self, request: httpx.Request) -> httpx.Response:
        return await self._honest.handle_async_request(request)

    def log_is(self, log: CertificateLog) -> None:
        """Answer as another log does."""
        other = httpx.ASGITransport(Starlette(routes=log_routes(log, self._world.clock)))
        self.answers["/stict/v1/"] = other.handle_async_request


def desk_of(session: Session, world: World) -> Desk:
    return Desk(session, Home(Path(world.folder)), world.clock)


async def looked(session: Session, world: World) -> list[AlarmView]:
    """The alarms after everybody was asked once more."""
    await session.maintain()
    return await desk_of(session, world).device.alarms()


async def certify_another(world: World, number=ALICE) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        anchors = await authority.anchors()
        opened = await authority.challenge(number)
        await authority.certify(opened.challenge, world.codes.codes[number], key, number, anchors)
    return key


def hide_holdings(meddler: Meddler) -> None:
    """Let the authority say nothing of what it has certified, so that only the log can tell."""

    async def none(request: httpx.Request) -> httpx.Response:
        return response(b'{"certificates": []}')

    meddler.answers["/v1/holdings"] = none


def authority_keys(world: World) -> AuthorityKeys:
    return read_keys(world.folder / "authority")


def log_key(world: World) -> ec.EllipticCurvePrivateKey:
    return read_key(world.folder / "authority" / FOLDER / KEY)


def forked(world: World, stack, count: int, name: str = "fork") -> CertificateLog:
    """A log with the same key, and so many other entries."""
    folder, keys = world.folder / name, authority_keys(world)
    folder.mkdir(mode=0o700)
    shutil.copy(world.folder / "authority" / FOLDER / KEY, folder / KEY)
    (folder / "log.sqlite").touch(0o600)
    log = open_log(folder, "fork", lambda: keys.roots)
    stack.callback(log.close)
    for serial in range(1, count + 1):
        log.add_pre_chain(poisoned(keys, serial, world), int(world.clock()))
    return log


def poisoned(keys: AuthorityKeys, serial: int, world: World) -> list[bytes]:
    kept: list[x509.Certificate] = []

    def take(precertificate: x509.Certificate) -> list[SignedTimestamp]:
        kept.append(precertificate)
        return [SignedTimestamp(bytes(32), 0, b"unsigned")]

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    now = int(world.clock())
    issue_device_certificate(keys.issuer_key, keys.issuer, key, CAROL, now, serial=serial, log=take)
    return [each.public_bytes(Encoding.DER) for each in (kept[0], keys.issuer, keys.roots[0])]


async def lie_of(session: Session, world: World) -> AlarmView:
    (alarm,) = await looked(session, world)
    assert alarm.kind == "log"
    assert "may hide a certificate for your number" in alarm.advice
    return alarm


def seen(session: Session) -> SeenLog:
    (log,) = session.steps.log_monitor.seen.all()
    return log
