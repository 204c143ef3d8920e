"""What was taken back stays back: by an older certificate, an earlier token, or an assertion of before."""

import secrets
from collections.abc import Callable

import httpx
import pytest

from identity.authority.status.revocations import end_tokens, revoke_number
from identity.authority.tokens.carriers import Carrier, Carriers
from identity.authority.tokens.wire import AssertionClaims, CarrierRight, TokenRequest, sign_assertion
from identity.authority.wire import StandingClaims, StandingRequest, sign_standing_proof
from identity.base64url import encode_base64url
from identity.enrolment.delegation import delegation_csr
from identity.status.revocation import Reason
from identity.tn_auth_list import OneNumber, TNAuthList
from tests.identity.authority.conftest import ALICE, BASE_URL, START, Authority, Device, Opener
from tests.identity.authority.ordering import AcmeAccount, one, private_key

HOUR, DAY = 3_600, 86_400
ALICE_ALONE = TNAuthList((OneNumber(ALICE.digits),))
Word = Callable[[httpx.Response], str]


async def revoke(authority: Authority, device: Device, leaf: bytes, reason: int) -> None:
    """Have a certificate revoked by its own key."""
    owner = AcmeAccount(authority.http, device.key)
    body = {"certificate": encode_base64url(leaf).decode(), "reason": reason}
    response = await owner.post(f"{BASE_URL}/acme/revoke-certificate", body)
    assert response.status_code == 200, response.text


async def by_device(authority: Authority, device: Device, chain: list[bytes], key=None) -> httpx.Response:
    account = await authority.account()
    request = account.by_device(chain, device.key, device.number, key or device.key, authority.clock.now)
    return await authority.token("device", request)


async def test_a_certificate_that_has_ended_is_no_right_once_its_device_was_removed(authority, device, word):
    first = await authority.enrol(device)
    authority.clock.now += 6 * DAY
    second = await authority.renew(device, first.chain)
    authority.clock.now += 2 * DAY
    assert (await by_device(authority, device, first.chain)).status_code == 200
    await revoke(authority, device, second.chain[0], 5)
    assert word(await by_device(authority, device, first.chain)) == "chain-refused"
    assert word(await by_device(authority, device, first.chain, private_key())) == "chain-refused"


async def test_a_key_that_was_reported_as_lost_is_no_right_whatever_certificate_it_has(authority, device, word):
    first = await authority.enrol(device)
    authority.clock.now += HOUR
    second = await authority.renew(device, first.chain)
    await revoke(authority, device, second.chain[0], 1)
    assert word(await by_device(authority, device, first.chain, private_key())) == "chain-refused"


async def test_a_device_that_was_removed_renews_again_once_a_code_has_proved_its_number(authority, device):
    first = await authority.enrol(device)
    authority.clock.now += HOUR
    await revoke(authority, device, first.chain[0], 5)
    authority.clock.now += HOUR
    again = await authority.enrol(device)
    assert (await by_device(authority, device, again.chain)).status_code == 200


async def test_an_order_that_was_ready_before_its_device_was_removed_is_not_issued(authority, device, acme_problem):
    certified = await authority.enrol(device)
    account, spare = await authority.account(), Device()
    order = await account.order(one(ALICE))
    request = account.by_device(certified.chain, device.key, ALICE, spare.key, authority.clock.now)
    await account.answer(order, await account.token("device", request))
    authority.clock.now += 60
    await revoke(authority, device, certified.chain[0], 5)
    word, _ = acme_problem(await account.finalize(order, spare.csr()))
    assert word == "rejectedIdentifier"


async def ported(authority: Authority) -> None:
    """What `authority port-out` does, beside the running authority."""
    now = authority.clock.now
    with authority.tokens.transaction():
        authority.tokens.forget_number(ALICE, now)
    with authority.store.transaction():
        end_tokens(authority.store, ALICE.digits, now)
        revoke_number(authority.store, ALICE.digits, Reason.privilege_withdrawn, now)


class Phone:
    """A carrier that speaks for Alice's number, and an account that wants an authority for that number."""

    def __init__(self) -> None:
        self.key = private_key()
        self.carriers = Carriers([Carrier(self.key.public_key(), ALICE_ALONE, START - 1, START + 86_400)])

    def asserted(self, account: AcmeAccount, now: int, *, ca: bool = False) -> TokenRequest:
        atc = account.atc(one(ALICE), ca=ca)
        claims = AssertionClaims(BASE_URL, atc, now, now + 600, "1")
        return TokenRequest(atc, CarrierRight(sign_assertion(self.key, claims)))


@pytest.mark.parametrize("ca", [False, True], ids=["device", "issuer"])
async def test_a_carriers_assertion_of_before_a_port_out_counts_no_more(open_at: Opener, word: Word, ca):
    phone = Phone()
    authority = await open_at(carriers=phone.carriers)
    account = await authority.account()
    request = phone.asserted(account, authority.clock.now, ca=ca)
    assert (await authority.token("carrier", request)).status_code == 200
    authority.clock.now += 10
    await ported(authority)
    authority.clock.now += 10
    assert word(await authority.token("carrier", request)) == "right-refused"
    assert (await authority.token("carrier", phone.asserted(account, authority.clock.now, ca=ca))).status_code == 200


async def test_an_issuer_for_a_number_that_has_gone_is_not_certified_on_an_earlier_token(open_at: Opener, acme_problem):
    phone, key = Phone(), private_key()
    authority = await open_at(carriers=phone.carriers)
    account = await authority.account()
    order = await account.order(one(ALICE))
    await account.answer(order, await account.token("carrier", phone.asserted(account, START, ca=True)))
    authority.clock.now += 10
    await ported(authority)
    request = delegation_csr(key, "Alice and sons", ALICE_ALONE, 0)
    word, _ = acme_problem(await account.finalize(order, request))
    assert word == "rejectedIdentifier"


async def test_a_port_out_revokes_an_issuer_for_the_number(open_at: Opener):
    phone, key = Phone(), private_key()
    authority = await open_at(carriers=phone.carriers)
    account = await authority.account()
    order = await account.order(one(ALICE))
    await account.answer(order, await account.token("carrier", phone.asserted(account, START, ca=True)))
    issued = await authority.issued(account, order, delegation_csr(key, "Alice and sons", ALICE_ALONE, 0))
    assert issued.chain
    await ported(authority)
    with authority.store.transaction():
        assert len(authority.store.rows("SELECT 1 FROM revocations")) == 1


async def test_a_certificate_that_had_ended_before_a_port_out_asks_no_more_about_the_number(authority, device, word):
    certified = await authority.enrol(device)
    authority.clock.now += 8 * DAY

    async def standing() -> httpx.Response:
        claims = StandingClaims(BASE_URL, authority.clock.now, secrets.token_hex(8))
        request = StandingRequest(certified.chain, sign_standing_proof(device.key, claims))
        return await authority.post("/v1/standing", request)

    assert (await standing()).status_code == 200
    await ported(authority)
    assert word(await standing()) == "chain-refused"
