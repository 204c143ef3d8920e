"""An authority whose log runs elsewhere waits for it with nobody but those who want certificates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from identity.authority.app import open_authority, open_log_alone
from identity.authority.codes import CodeOutbox
from identity.authority.keys import read_keys
from identity.authority.log.folder import open_log
from identity.authority.log.tree_store import TreeStore
from identity.authority.status.revocations import end_tokens
from identity.issuing import issue_device_certificate
from identity.number import TelephoneNumber
from lab.serving import listening
from tests.identity.authority.conftest import ALICE, BASE_URL, Authority, Clock, Device
from tests.identity.conftest import NOW, der, private_key
from tests.identity.conftest import Authority as Signers

ORDERS = 12  # more than there are threads for requests


@dataclass
class SlowLog:
    """A log that answers submissions only once it is told to; `asked` counts them."""

    folder: Path
    clock: Clock
    roots: list = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def app(self, url: str):
        log = open_log_alone(self.folder, url, "Log", lambda: self.roots, self.clock)

        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and "/add-" in scope["path"]:
                self.asked.release()
                await self.answering.wait()
            await log(scope, receive, send)

        return held

    def entries(self) -> int:
        store = TreeStore.open(self.folder / "log" / "log.sqlite", bytes(32))
        with store.transaction():
            size = store.size
        store.close()
        return size


@asynccontextmanager
async def logging_at(log: SlowLog, folder: Path) -> AsyncIterator[Authority]:
    codes = CodeOutbox()
    async with listening(log.app) as url:
        app = await asyncio.to_thread(open_authority, folder, BASE_URL, codes, log.clock, logs=[url])
        log.roots.extend(read_keys(folder).roots)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as http,
        ):
            yield Authority(http, log.clock, codes, app.state.store.close, app.state.store, app.state.tokens)
        log.answering.set()


@pytest.fixture
async def log(tmp_path: Path, clock: Clock) -> SlowLog:
    return SlowLog(tmp_path / "elsewhere", clock)


@pytest.fixture
async def authority(log: SlowLog, tmp_path: Path) -> AsyncIterator[Authority]:
    async with logging_at(log, tmp_path / "logged") as opened:
        yield opened


async def test_whoever_wants_no_certificate_waits_for_no_log(authority: Authority, log: SlowLog):
    account = await authority.account()
    devices = [Device(TelephoneNumber.from_digits(str(12025550100 + place))) for place in range(ORDERS)]
    orders = [(await authority.ready(account, device), device) for device in devices]
    waiting = [asyncio.create_task(account.finalize(order, device.csr())) for order, device in orders]
    await log.asked.acquire()
    async with asyncio.timeout(8):  # less than the authority's patience with a log
        for _ in range(ORDERS):
            assert (await authority.http.get("/v1/crl")).status_code == 200
        assert (await authority.http.get("/v1/status-list")).status_code == 200
        assert (await authority.account()).kid
    assert not any(task.done() for task in waiting)
    log.answering.set()
    assert {response.status_code for response in await asyncio.gather(*waiting)} == {200}


async def test_a_number_that_goes_while_its_certificate_is_logged_is_not_certified(
    authority: Authority, log: SlowLog, device: Device, acme_problem
):
    account = await authority.account()
    order = await authority.ready(account, device)
    waiting = asyncio.create_task(account.finalize(order, device.csr()))
    await log.asked.acquire()
    authority.clock.now += 1
    with authority.store.transaction():
        end_tokens(authority.store, ALICE.digits, authority.clock.now)
    log.answering.set()
    assert acme_problem(await waiting)[0] == "rejectedIdentifier"
    with authority.store.transaction():
        assert authority.store.holdings(ALICE.digits, authority.clock.now, 10) == []


async def test_an_account_that_is_given_up_while_its_certificate_is_logged_gets_none(
    authority: Authority, log: SlowLog, device: Device, acme_problem
):
    account = await authority.account()
    order = await authority.ready(account, device)
    waiting = asyncio.create_task(account.finalize(order, device.csr()))
    await log.asked.acquire()
    await account.post(account.kid, {"status": "deactivated"})
    log.answering.set()
    assert acme_problem(await waiting)[0] == "unauthorized"


async def test_an_order_that_is_being_issued_is_logged_once(authority: Authority, log: SlowLog, device, acme_problem):
    account = await authority.account()
    order = await authority.ready(account, device)
    waiting = asyncio.create_task(account.finalize(order, device.csr()))
    await log.asked.acquire()
    assert acme_problem(await account.finalize(order, device.csr()))[0] == "orderNotReady"
    looked = await account.post(order.url)
    assert (looked.json()["status"], looked.headers["retry-after"]) == ("processing", "2")
    log.answering.set()
    assert (await waiting).status_code == 200
    assert log.entries() == 2  # the issuer's own certificate, and this one


async def test_the_roots_of_a_log_are_not_fetched_by_the_thread_that_serves_all(tmp_path: Path, clock: Clock):
    """They may be at an authority elsewhere, which may not answer."""
    threads = []
    app = open_log_alone(tmp_path, BASE_URL, "Log", lambda: threads.append(get_ident()) or [], clock)
    served = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), served as http:
        assert (await http.get("/stict/v1/get-roots")).json() == {"certificates": []}
    assert threads
    assert get_ident() not in threads


def test_a_log_tells_roots_of_the_same_name_apart(tmp_path: Path):
    """Every authority for development has a root of the same name."""
    authorities = [Signers(), Signers(root_key=private_key(76), issuer_key=private_key(77))]
    log = open_log(tmp_path, "Log", lambda: [each.root for each in authorities])
    for each in authorities:
        leaf = issue_device_certificate(each.issuer_key, each.issuer(), private_key(1).public_key(), ALICE, NOW)
        log.add_chain([der(leaf), der(each.issuer())], NOW)
    assert log.head(NOW).head.size == len(authorities)
    log.close()
