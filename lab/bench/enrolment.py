"""Enrolments and renewals over ACME, against as many bare requests with a signature each on the same connection."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import apsw
import click
import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from client.credentials.enrolment import EnrolmentClient
from client.services.service import Call, Service
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.store import AuthorityStore
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber
from lab.bench.rows import Row, table
from lab.clock import SettableClock
from lab.serving import listening

PEOPLE, QUICK_PEOPLE = 200, 10
BETWEEN = 61  # seconds of the authority's clock from one person to the next, so that no limit of an address is met
FIRST = 12_025_550_000
COMMITS = 100  # to measure what one takes
OCTETS = 700  # of a request's body: about what an order's requests have
ES256 = ec.ECDSA(hashes.SHA256())
FLOOR = "as many POSTs, each signed and verified"


class Counting(httpx.AsyncHTTPTransport):
    """Carries requests, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        self.requests += 1
        return await super().handle_async_request(request)


class Commits:
    """Counts the transactions that any database of this process, opened from now on, writes to its disk."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count in the databases that are opened meanwhile."""
        apsw.connection_hooks.append(self._watch)
        try:
            yield
        finally:
            apsw.connection_hooks.remove(self._watch)

    def _watch(self, connection: apsw.Connection) -> None:
        written = 0

        def committing() -> bool:
            nonlocal written
            before, written = written, connection.total_changes()
            self.count += written != before
            return False

        connection.set_commit_hook(committing)


def run(quick: bool = False) -> list[Row]:
    """People enrol one after the other, and each renews once; client and authority share one process."""
    return asyncio.run(_run(QUICK_PEOPLE if quick else PEOPLE))


async def _run(people: int) -> list[Row]:
    clock, codes, commits = SettableClock(), CodeOutbox(), Commits()
    enrolled: list[_Spent] = []
    renewed: list[_Spent] = []
    async with AsyncExitStack() as running:
        running.enter_context(commits.counted())
        folder = Path(running.enter_context(TemporaryDirectory(prefix="ringtrue-bench-")))
        authority = await running.enter_async_context(
            listening(lambda url: open_authority(folder, url, codes, clock, allow=("+1202555",)))
        )
        floor = _Floor(await running.enter_async_context(listening(lambda _: _nothing())))
        async with EnrolmentClient(authority, clock=clock) as asking:
            anchors = await asking.anchors()
        for person in range(people):
            clock.advance(BETWEEN)
            number = TelephoneNumber.from_digits(str(FIRST + person))
            both = await _one(authority, number, codes, clock, anchors, commits)
            for spent, each in zip((enrolled, renewed), both, strict=True):
                spent.append((*each, await floor.of(each[1])))
        commit = 1000 * _commit_time(folder)
    return [
        _row("enrolment over ACME", enrolled, commit, "with the code's request, an account, and a logged certificate"),
        _row("renewal over ACME", renewed, commit, "the device's key proves the number, and the account is there"),
    ]


_Spent = tuple[float, int, int, float]  # seconds, requests, commits, seconds of the floor


async def _one(
    authority: str,
    number: TelephoneNumber,
    codes: CodeOutbox,
    clock: SettableClock,
    anchors: TrustAnchors,
    commits: Commits,
) -> tuple[tuple[float, int, int], tuple[float, int, int]]:
    """Seconds, requests and commits of one person's enrolment and renewal."""
    key, transport = ec.generate_private_key(ec.SECP256R1()), Counting()
    async with EnrolmentClient(authority, clock=clock, transport=transport) as client:
        started, before = time.perf_counter(), commits.count
        opened = await client.challenge(number)
        enrolled = await client.certify(opened.challenge, codes.codes[number], key, number, anchors)
        enrolling = time.perf_counter() - started, transport.requests, commits.count - before
        acme = client.acme
    transport = Counting()
    async with EnrolmentClient(authority, clock=clock, transport=transport, acme=acme) as client:
        started, before = time.perf_counter(), commits.count
        await client.renew(key, enrolled.chain, anchors)
        return enrolling, (time.perf_counter() - started, transport.requests, commits.count - before)


class _Floor:
    """Bare requests to a server that does nothing, by the client's own connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._key = ec.generate_private_key(ec.SECP256R1())

    async def of(self, requests: int) -> float:
        """Seconds of so many requests, each with a P-256 signature and its verification."""
        body, public = bytes(OCTETS), self._key.public_key()
        service = Service(self._url, OCTETS)
        started = time.perf_counter()
        for _ in range(requests):
            public.verify(self._key.sign(body, ES256), body, ES256)
            await service.send(Call("POST", "/", body))
        spent = time.perf_counter() - started
        await service.aclose()
        return spent


def _nothing() -> Starlette:
    async def accept(request: Request) -> Response:
        await request.body()
        return Response(b"{}", media_type="application/json")

    return Starlette(routes=[Route("/", accept, methods=["POST"])])


def _commit_time(folder: Path) -> float:
    """Seconds of one durable commit of a row, on the same disk and as the authority's databases are set."""
    store, spent = AuthorityStore.open(folder / "commits.sqlite", b""), []
    for number in range(COMMITS):
        started = time.perf_counter()
        with store.transaction():
            store.spend_proof(number.to_bytes(32), 0)
        spent.append(time.perf_counter() - started)
    store.close()
    return median(spent)


def _row(name: str, spent: list[_Spent], commit: float, note: str) -> Row:
    ours, requests, commits, floor = (median(values) for values in zip(*spent, strict=True))
    disk = f"{commits:.0f} durable commits of {commit:.1f} ms each"
    words = f"{requests:.0f} requests and {disk}, {1000 * ours:.0f} ms in all; {note}"
    return Row(name, 1 / ours, "/s", len(spent), FLOOR, 1 / floor, note=words)


if __name__ == "__main__":
    click.echo(table(run()))
