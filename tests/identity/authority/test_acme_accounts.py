"""Accounts do not pile up, and one that was given up stays so."""

import msgspec
import pytest

from identity.authority.acme.accounts import AccountDesk
from identity.authority.acme.addresses import Addresses
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.records import RETENTION, AcmeRecords
from identity.authority.acme.requests import SignedRequest
from identity.authority.acme.wire import ORDER_LIFETIME
from identity.authority.rates import LISTS_PER_ADDRESS, ORDERS_PER_ACCOUNT
from identity.authority.store import CERTIFICATE_RETENTION
from identity.enrolment.acme_jws import JWK
from identity.enrolment.authority_token import identifier_value
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, flattened, one, private_key

NEW_ACCOUNT, NEW_ORDER = f"{BASE_URL}/acme/new-account", f"{BASE_URL}/acme/new-order"
KEY_CHANGE = f"{BASE_URL}/acme/key-change"


def count(authority) -> int:
    with authority.store.transaction():
        return authority.store.row("SELECT count(*) FROM acme_accounts")[0]


async def test_accounts_that_nobody_uses_are_forgotten_after_a_day(authority):
    for _ in range(5):
        await authority.account()
    authority.clock.now += RETENTION - 1
    await authority.account()
    assert count(authority) == 6
    authority.clock.now += 1
    await authority.account()
    assert count(authority) == 2


async def test_an_account_that_is_asked_for_again_is_kept_on(authority):
    account = await authority.account()
    authority.clock.now += RETENTION - 1
    assert (await AcmeAccount(authority.http, account.key).register()).kid == account.kid
    authority.clock.now += RETENTION - 1
    await authority.account()
    assert (await account.post(account.kid)).status_code == 200


async def test_an_account_outlives_its_orders(authority, device):
    account = await authority.account()
    await account.order(one(device.number))
    authority.clock.now += ORDER_LIFETIME + RETENTION - 1
    await authority.account()
    assert (await account.post(account.kid)).status_code == 200
    authority.clock.now += 1
    await authority.account()
    assert count(authority) == 2  # those that were opened here in between
    assert (await account.post(account.kid)).status_code == 400


async def test_an_account_is_kept_for_as_long_as_its_certificate_is_on_record(authority, device, acme_problem):
    account = await authority.account()
    issued = await authority.issued(account, await authority.ready(account, device), device.csr())
    authority.clock.now = issued.not_after + CERTIFICATE_RETENTION - 1
    await authority.account()
    assert (await account.post(account.kid)).status_code == 200
    authority.clock.now += 1
    await authority.account()
    assert acme_problem(await account.post(account.kid))[0] == "accountDoesNotExist"
    assert (await AcmeAccount(authority.http, account.key).register()).kid != account.kid


async def test_an_account_that_comes_back_just_when_it_would_be_forgotten_orders(authority, device):
    account = await authority.account()
    authority.clock.now += RETENTION
    assert (await account.order(one(device.number))).body["status"] == "pending"


async def test_a_deactivated_account_is_told_so_as_the_standard_says(authority, device, acme_problem):
    account = await authority.account()
    await account.post(account.kid, {"status": "deactivated"})
    order = {"identifiers": [{"type": "TNAuthList", "value": one(device.number)}]}
    for refused in (
        await account.post(NEW_ORDER, order),
        await AcmeAccount(authority.http, account.key).post(NEW_ACCOUNT, {}),
    ):
        assert acme_problem(refused)[0] == "unauthorized"
        assert refused.status_code == 401  # RFC 8555 §7.3.6


async def test_a_key_change_under_way_does_not_revive_an_account_that_was_given_up(authority):
    account, new = await authority.account(), private_key()
    store, addresses = authority.store, Addresses(BASE_URL)
    with store.transaction():
        known = AcmeRecords(store).account(account.kid.rpartition("/")[2])
    body = {"account": account.kid, "oldKey": msgspec.to_builtins(known.jwk)}
    headers = {"url": KEY_CHANGE, "jwk": msgspec.to_builtins(JWK.of(new.public_key()))}
    asked = SignedRequest(flattened(new, msgspec.json.encode(body), headers), known.jwk, known)
    await account.post(account.kid, {"status": "deactivated"})
    with pytest.raises(AcmeError, match="deactivated"):
        AccountDesk(store, addresses).change_key(asked, KEY_CHANGE)
    assert (await account.post(account.kid)).status_code == 401


async def test_directory_and_nonces_are_had_by_post_as_get_too(authority, acme_problem):
    """RFC 8555 §6.3."""
    account = await authority.account()
    directory = await account.post(f"{BASE_URL}/acme/directory")
    assert directory.json() == (await authority.http.get("/acme/directory")).json()
    nonce = await account.post(f"{BASE_URL}/acme/new-nonce")
    assert (nonce.status_code, nonce.content) == (204, b"")
    assert (await account.post(account.kid, nonce=nonce.headers["replay-nonce"])).status_code == 200
    assert acme_problem(await account.post(f"{BASE_URL}/acme/directory", {}))[0] == "malformed"


async def test_an_order_that_is_refused_counts_too(authority, acme_problem):
    account = await authority.account()
    for _ in range(ORDERS_PER_ACCOUNT.count):
        refused = await account.post(NEW_ORDER, {"identifiers": [{"type": "TNAuthList", "value": "AAAA"}]})
        assert acme_problem(refused)[0] == "malformed"
    refused = await account.post(NEW_ORDER, {"identifiers": [{"type": "TNAuthList", "value": "AAAA"}]})
    assert acme_problem(refused)[0] == "rateLimited"


async def test_an_address_orders_so_many_lists(authority, acme_problem, device):
    """A list has up to 65,536 octets, and is kept for a day: single numbers are what many people order."""
    several = [TelephoneNumberRange(str(12025550000 + 2 * place), 2) for place in range(50)]
    order = {"identifiers": [{"type": "TNAuthList", "value": identifier_value(TNAuthList(tuple(several)))}]}
    for _ in range(LISTS_PER_ADDRESS.count):
        assert (await (await authority.account()).post(NEW_ORDER, order)).status_code == 201
    account = await authority.account()
    word, problem = acme_problem(await account.post(NEW_ORDER, order))
    assert word == "rateLimited"
    assert "LISTS_PER_ADDRESS" in problem.detail
    assert (await account.order(one(device.number))).url
