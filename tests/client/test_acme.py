"""The ACME client: what is lost on the way, what a server may not do, and what a code is spent on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials import acme_order
from client.credentials.acme_account import AcmeAccount, Certifier, new_acme_account
from client.credentials.acme_order import StillProcessingError
from client.credentials.enrolment import EnrolmentClient
from client.credentials.token_authority import Wanted, thumbprint
from client.errors import (
    CertificationRefusedError,
    ClientError,
    EnrolmentError,
    UnreachableError,
)
from identity.certificates import TrustAnchors
from tests.client.test_enrolment_client import ALICE, BASE_URL, Authority

DAY = 86_400
STEPS = ("/new-nonce", "/new-account", "/new-order", "/authorization/", "/challenge/", "/finalize", "/certificate/")


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    authority = Authority(tmp_path / "authority")
    async with authority.app.router.lifespan_context(authority.app), authority.client:
        yield authority


@pytest.fixture
async def anchors(authority: Authority) -> TrustAnchors:
    return await authority.client.anchors()


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client wants to wait, without waiting."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def pass_by(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pass_by)
    return waited


class Once:
    """Says yes to the first request at a path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._met = False

    def __call__(self, request: httpx.Request) -> bool:
        first = self._path in request.url.path and not self._met
        self._met |= first
        return first


@pytest.mark.parametrize("step", [*STEPS[1:], "/at/account/", "/acme/order/"])
async def test_an_answer_that_is_lost_costs_no_code(
    authority: Authority,
    anchors: TrustAnchors,
    key: ec.EllipticCurvePrivateKey,
    pauses: list[float],
    step: str,
) -> None:
    opened = await authority.code()
    authority.transport.lose = Once(step)
    enrolled = await authority.client.certify(*opened, key, ALICE, anchors)
    assert enrolled.identity.number == ALICE
    assert authority.transport.sent("/v1/challenges") == 1


@pytest.mark.parametrize("step", [*STEPS, "/at/account/"])
async def test_who_loses_every_answer_may_try_again_with_the_same_code(
    authority: Authority,
    anchors: TrustAnchors,
    key: ec.EllipticCurvePrivateKey,
    pauses: list[float],
    step: str,
) -> None:
    opened = await authority.code()
    authority.transport.lose = lambda request: step in request.url.path
    with pytest.raises(UnreachableError):
        await authority.client.certify(*opened, key, ALICE, anchors)
    authority.transport.lose = lambda _: False
    again = EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport, acme=authority.client.acme)
    async with again:
        assert (await again.certify(*opened, key, ALICE, anchors)).identity.number == ALICE


@pytest.mark.parametrize("step", STEPS[:4])
async def test_a_code_is_not_spent_on_a_server_that_cannot_be_reached(
    authority: Authority,
    anchors: TrustAnchors,
    key: ec.EllipticCurvePrivateKey,
    pauses: list[float],
    step: str,
) -> None:
    opened = await authority.code()
    authority.transport.lose = lambda request: step in request.url.path
    with pytest.raises(UnreachableError):
        await authority.client.certify(*opened, key, ALICE, anchors)
    authority.transport.lose = lambda _: False
    async with EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport) as stranger:
        other = ec.generate_private_key(ec.SECP256R1())
        assert (await stranger.certify(*opened, other, ALICE, anchors)).identity.number == ALICE


async def test_nonces_that_the_server_does_not_know_are_replaced(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    opened = await authority.code()

    def comes_to_itself(request: httpx.Request) -> bool:
        if "/new-account" in request.url.path:
            authority.transport.headers.clear()
        return False

    authority.transport.headers["replay-nonce"] = "bm90IG9uZSBvZiBpdHMgb3du"
    authority.transport.lose = comes_to_itself
    enrolled = await authority.client.certify(*opened, key, ALICE, anchors)
    assert enrolled.identity.number == ALICE
    assert authority.transport.sent("/new-account") == 2


async def test_a_code_goes_to_nobody_but_who_has_sent_it(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    opened = await authority.code()

    def led_astray(authorization: dict[str, Any]) -> dict[str, Any]:
        challenges = [each | {"token-authority": "https://evil.example"} for each in authorization["challenges"]]
        return authorization | {"challenges": challenges}

    authority.transport.changes["/authorization/"] = led_astray
    with pytest.raises(EnrolmentError, match="evil"):
        await authority.client.certify(*opened, key, ALICE, anchors)
    assert authority.transport.sent("/at/account/") == 0
    assert {request.url.host for request in authority.transport.requests} == {"authority.example"}


@pytest.mark.parametrize("name", ["newNonce", "newAccount", "newOrder"])
async def test_a_server_leads_to_nobody_else(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, name: str
) -> None:
    opened = await authority.code()
    authority.transport.changes["/directory"] = lambda directory: directory | {name: "http://inside.example/"}
    with pytest.raises(EnrolmentError) as caught:
        await authority.client.certify(*opened, key, ALICE, anchors)
    assert caught.value.code == "address"
    assert {request.url.host for request in authority.transport.requests} == {"authority.example"}


async def test_renewals_use_the_same_account(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    first = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    authority.clock.now += 5 * DAY
    kept = EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport, acme=authority.client.acme)
    async with kept:
        await kept.renew(key, first.chain, anchors)
    assert authority.transport.sent("/new-account") == 1


async def test_an_account_that_the_server_has_forgotten_is_registered_again(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    opened = await authority.code()
    unknown = new_acme_account(BASE_URL).named(f"{BASE_URL}/acme/account/{'A' * 22}")
    forgotten = EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport, acme=unknown)
    async with forgotten:
        await forgotten.certify(*opened, key, ALICE, anchors)
        assert forgotten.acme.url != unknown.url


async def test_a_device_gets_a_token_for_another_one(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    first = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    second_key, account = ec.generate_private_key(ec.SECP256R1()), new_acme_account(BASE_URL)
    wanted = Wanted(ALICE, thumbprint(account.key), thumbprint(second_key))
    token = await authority.client.token(key, first.chain, wanted)
    second = EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport, acme=account)
    async with second:
        enrolled = await second.certify_by_token(token, second_key, ALICE, anchors)
    assert enrolled.identity.chain.public_key == second_key.public_key()


async def test_a_token_for_one_account_certifies_nothing_for_another(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    first = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    wanted = Wanted(ALICE, thumbprint(new_acme_account(BASE_URL).key), thumbprint(key))
    token = await authority.client.token(key, first.chain, wanted)
    with pytest.raises(CertificationRefusedError) as caught:
        await authority.client.certify_by_token(token, key, ALICE, anchors)
    assert caught.value.hint


@pytest.mark.parametrize("by_account", [False, True])
async def test_a_certificate_is_revoked_once(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, by_account: bool
) -> None:
    enrolled = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    await authority.client.revoke(None if by_account else key, enrolled.chain)
    with pytest.raises(CertificationRefusedError) as caught:
        await authority.client.revoke(None if by_account else key, enrolled.chain)
    assert caught.value.code == "already-revoked"


async def test_an_order_that_is_worked_on_is_looked_at_again_as_the_server_says(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, pauses: list[float]
) -> None:
    opened = await authority.code()
    looks = iter(["processing", "processing"])
    authority.transport.headers["retry-after"] = "3"
    authority.transport.changes["/acme/order/"] = lambda order: order | {"status": next(looks, order["status"])}
    await authority.client.certify(*opened, key, ALICE, anchors)
    assert pauses == [3]


async def test_an_order_that_is_worked_on_for_ever_is_left(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, pauses: list[float]
) -> None:
    opened = await authority.code()
    authority.transport.headers["retry-after"] = "99999"
    authority.transport.changes["/acme/order/"] = lambda order: order | {"status": "processing"}
    with pytest.raises(StillProcessingError):
        await authority.client.certify(*opened, key, ALICE, anchors)
    assert sum(pauses) <= acme_order.PATIENCE


@pytest.mark.parametrize("meta", [{"termsOfService": "https://a.example/terms"}, {"externalAccountRequired": True}])
async def test_what_a_server_asks_of_new_accounts_is_said_before_a_code_is_spent(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, meta: dict[str, object]
) -> None:
    opened = await authority.code()
    authority.transport.changes["/directory"] = lambda directory: directory | {"meta": meta}
    with pytest.raises(EnrolmentError) as caught:
        await authority.client.certify(*opened, key, ALICE, anchors)
    assert "ringtrue enroll" in caught.value.hint
    assert authority.transport.sent("/at/account/") == 0


def test_the_certifier_of_a_new_account_is_the_authority_unless_another_is_named() -> None:
    assert new_acme_account("https://a.example/").directory == "https://a.example/acme/directory"
    chosen = Certifier("https://b.example/dir", "https://c.example/")
    account = new_acme_account("https://a.example", None, chosen)
    assert isinstance(account, AcmeAccount)
    assert (account.directory, account.token_authority) == ("https://b.example/dir", "https://c.example")


@pytest.mark.parametrize("directory", ["ftp:x", "", "https://", f"{BASE_URL}/nothing", f"{BASE_URL}/v1/anchors.pem"])
async def test_what_is_no_directory_is_said_to_be_none(authority: Authority, directory: str) -> None:
    account = AcmeAccount(directory, new_acme_account(BASE_URL).key)
    with pytest.raises(ClientError) as caught:
        async with EnrolmentClient(
            BASE_URL, clock=authority.clock, transport=authority.transport, acme=account
        ) as elsewhere:
            await elsewhere.challenge(ALICE)
    assert caught.value.code == "address"
    assert caught.value.hint


ELSEWHERE = f"{BASE_URL}/acme/./directory"  # a directory that is not by its name the authority's own


async def _certified_elsewhere(authority: Authority, anchors: TrustAnchors, x5u: Callable[[str], str | None]) -> str:
    """Where another server's certificate is published, if it says what `x5u` makes of the honest address."""

    def changed(order: dict[str, Any]) -> dict[str, Any]:
        return order | {"x5u": x5u(order["x5u"])} if "x5u" in order else order

    authority.transport.changes["/acme/order/"] = changed
    account = AcmeAccount(ELSEWHERE, new_acme_account(BASE_URL).key)
    async with EnrolmentClient(BASE_URL, clock=authority.clock, transport=authority.transport, acme=account) as other:
        opened = await other.challenge(ALICE)
        code, key = authority.outbox.codes[ALICE], ec.generate_private_key(ec.SECP256R1())
        await other.certify(opened.challenge, code, key, ALICE, anchors)
        return other.acme.published


async def test_another_server_may_publish_elsewhere_and_the_account_knows_where(
    authority: Authority, anchors: TrustAnchors
) -> None:
    published = await _certified_elsewhere(
        authority, anchors, lambda x5u: x5u.replace(BASE_URL, "https://published.example/by/it")
    )
    assert published == "https://published.example/by/it"


async def test_a_server_that_does_not_say_where_it_publishes_is_taken_for_the_authority(
    authority: Authority, anchors: TrustAnchors
) -> None:
    assert await _certified_elsewhere(authority, anchors, lambda _: None) == BASE_URL


@pytest.mark.parametrize(
    "x5u",
    ["https://published.example/cert/1.pem", "javascript:alert(1){path}", "https://a b.example{path}", "{path}"],
)
async def test_an_address_that_no_message_could_name_is_refused(
    authority: Authority, anchors: TrustAnchors, x5u: str
) -> None:
    with pytest.raises(EnrolmentError) as caught:
        await _certified_elsewhere(
            authority, anchors, lambda honest: x5u.replace("{path}", honest.removeprefix(BASE_URL))
        )
    assert "docs/binding.md" in caught.value.hint
