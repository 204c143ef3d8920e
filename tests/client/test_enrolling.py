"""Enrolling: attempts that end early, and authorities that are two services."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from client.credentials.account import Account, load_account
from client.credentials.acme_account import Certifier
from client.credentials.enrolment import EnrolmentClient
from client.enrolling import Enrolment, enrol, pending_enrolment
from client.errors import CodeEndedError, EnrolmentError, UnreachableError
from client.storage.home import Home
from client.storage.keys import open_key
from client.storage.store import Store
from delivery_service.app import create_app
from identity.authority.acme.app import TokenAuthorities
from identity.authority.app import open_certificates, open_tokens
from identity.authority.codes import CodeOutbox
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.enrolment.authority_token import TokenIssuers
from tests.client.conftest import ALICE, AUTHORITY, CHEAP, DELIVERY, PASSPHRASE, START, Clock, Network, World

TOKENS = "https://tokens.test"
DAY = 86_400


class Losing(httpx.AsyncBaseTransport):
    """Carries everything, and loses the answers that `lost` names."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network
        self.lost: Callable[[str], bool] = lambda path: False
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(f"{request.url.host}{request.url.path}")
        answer = await self._network.handle_async_request(request)
        if self.lost(request.url.path):
            raise httpx.ReadError("the answer is lost", request=request)
        return answer


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))


async def _enrol(world: World, transport: httpx.AsyncBaseTransport) -> Account:
    async def ask_code(_: ChallengeOpened) -> str:
        return world.codes.codes[ALICE]

    return await enrol(
        world.home(ALICE),
        PASSPHRASE,
        ALICE,
        authority=AUTHORITY,
        delivery=DELIVERY,
        ask_code=ask_code,
        cost=CHEAP,
        clock=world.clock,
        transport=transport,
    )


@pytest.mark.parametrize("step", ["/at/account/", "/challenge/", "/finalize", "/certificate/", "/v1/status"])
async def test_an_attempt_that_ended_early_is_repeated_with_the_same_code(world: World, step: str) -> None:
    transport = Losing(world.network)
    transport.lost = lambda path: step in path and len(transport.paths) > 8
    with pytest.raises(UnreachableError):
        await _enrol(world, transport)
    again = Losing(world.network)
    account = await _enrol(world, again)
    assert "authority.test/v1/challenges" not in again.paths
    assert account.acme is not None
    store = Store.open(Home(world.home(ALICE)).database, open_key(Home(world.home(ALICE)), PASSPHRASE))
    kept, left = load_account(store), store.rows("SELECT * FROM enrolling_keys")
    store.close()
    assert (kept.chain, kept.acme and kept.acme.url, left) == (account.chain, account.acme.url, [])


async def test_step_by_step_a_lost_answer_costs_no_code_while_the_keys_are_there(world: World) -> None:
    transport = Losing(world.network)
    attempt = Enrolment(Home(world.home(ALICE)), ALICE, AUTHORITY, DELIVERY, world.clock, transport)
    attempt.begin()
    async with EnrolmentClient(AUTHORITY, transport=world.network) as asking:
        anchors = await asking.anchors()
    opened = await attempt.challenge()
    transport.lost = lambda path: "/finalize" in path
    with pytest.raises(UnreachableError):
        await attempt.certify(opened, world.codes.codes[ALICE], anchors)
    transport.lost = lambda path: False
    assert (await attempt.certify(opened, world.codes.codes[ALICE], anchors)).number == ALICE
    stranger = Enrolment(Home(world.home(ALICE)), ALICE, AUTHORITY, DELIVERY, world.clock, transport)
    with pytest.raises(CodeEndedError):
        await stranger.certify(opened, world.codes.codes[ALICE], anchors)


async def test_who_enrolled_before_keeps_key_and_account_when_the_number_is_proved_again(world: World) -> None:
    first = await _enrol(world, world.network)
    world.clock.now += 100 * DAY
    second = await _enrol(world, world.network)
    assert first.acme is not None
    assert second.acme is not None
    assert second.key.private_numbers() == first.key.private_numbers()
    assert second.chain != first.chain


async def test_an_account_of_an_earlier_version_is_registered_when_it_renews(world: World) -> None:
    await world.enrol(ALICE)
    home = Home(world.home(ALICE))
    store = Store.open(home.database, open_key(home, PASSPHRASE))
    store.execute("DELETE FROM acme_account")
    store.close()
    world.clock.now += 5 * DAY
    async with world.open(ALICE) as session:
        before = session.account
        await session.maintain()
        after = session.account
    async with world.open(ALICE) as session:
        assert session.account.acme is not None
        assert session.account.acme.url.startswith(f"{AUTHORITY}/acme/account/")
    assert before.acme is None
    assert after.chain != before.chain


@dataclass
class Apart:
    """A token authority and a certification authority, each by itself, and a delivery service."""

    folder: Path
    clock: Clock
    network: Network
    codes: CodeOutbox
    anchors: TrustAnchors

    async def enrol(self, certifier: Certifier | None = None) -> Account:
        async def ask_code(_: ChallengeOpened) -> str:
            return self.codes.codes[ALICE]

        return await enrol(
            self.folder / "alice",
            PASSPHRASE,
            ALICE,
            authority=AUTHORITY,
            delivery=DELIVERY,
            ask_code=ask_code,
            cost=CHEAP,
            clock=self.clock,
            transport=self.network,
            certifier=certifier,
        )


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Apart]:
    clock, network, codes = Clock(START), Network(), CodeOutbox()
    known: list[TrustAnchors] = []
    tokens = open_tokens(tmp_path / "tokens", TOKENS, codes, clock, allow=("+1202555",), anchors=lambda _: known[0])
    async with AsyncExitStack() as running:
        await running.enter_async_context(tokens.router.lifespan_context(tokens))
        network.services["tokens.test"] = httpx.ASGITransport(tokens)
        async with httpx.AsyncClient(transport=network, base_url=TOKENS) as http:
            issuers = TokenIssuers(TrustAnchors.from_pem((await http.get("/at/anchors.pem")).content).roots)
        taken = TokenAuthorities(lambda _: issuers, TOKENS)
        certificates = open_certificates(tmp_path / "certificates", AUTHORITY, taken, clock, allow=("+1202555",))
        await running.enter_async_context(certificates.router.lifespan_context(certificates))
        network.services["authority.test"] = httpx.ASGITransport(certificates)
        async with EnrolmentClient(AUTHORITY, clock=clock, transport=network) as asking:
            known.append(await asking.anchors())
        delivery = create_app(None, known[0], host="delivery.test", clock=clock)
        await running.enter_async_context(delivery.router.lifespan_context(delivery))
        network.services["delivery.test"] = httpx.ASGITransport(delivery)
        yield Apart(tmp_path, clock, network, codes, known[0])


async def test_the_code_comes_from_the_token_authority_that_the_other_one_names(apart: Apart) -> None:
    account = await apart.enrol()
    assert account.acme is not None
    assert account.acme.token_authority == TOKENS
    assert account.x5u_base == AUTHORITY


async def test_a_renewal_asks_the_token_authority_that_is_kept(apart: Apart) -> None:
    account = await apart.enrol()
    apart.clock.now += 5 * DAY
    async with EnrolmentClient(AUTHORITY, clock=apart.clock, transport=apart.network, acme=account.acme) as authority:
        renewed = await authority.renew(account.key, account.chain, apart.anchors)
    assert renewed.identity.chain.not_after > account.validity()[1]


async def test_a_code_is_asked_for_where_the_person_says(apart: Apart) -> None:
    apart.network.services["mine.test"] = apart.network.services["tokens.test"]
    with pytest.raises(EnrolmentError, match="takes the tokens of"):
        await apart.enrol(Certifier(token_authority="https://mine.test"))
    left = pending_enrolment(Home(apart.folder / "alice"))
    assert left is not None
    assert left.token_authority == "https://mine.test"


async def test_a_directory_that_is_given_names_its_token_authority_in_its_challenge(apart: Apart) -> None:
    account = await apart.enrol(Certifier(f"{AUTHORITY}/acme/./directory"))
    assert account.acme is not None
    assert account.acme.token_authority == TOKENS
