"""Who holds a number's certificate can list the number's certificates; nobody else, and each proof asks once."""

import hashlib
import secrets
from base64 import b64encode

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.authority.wire import (
    Holdings,
    HoldingsClaims,
    HoldingsRequest,
    sign_holdings_proof,
)
from identity.certificate_fields import load_certificate
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

BASE_URL = "http://authority.example"
BOB = TelephoneNumber.from_digits("12025550143")
DAY = 86_400

garbage = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def proof(authority, device, chain, /, **changes):
    leaf = hashlib.sha256(chain[0]).hexdigest()
    claims = HoldingsClaims(BASE_URL, leaf, authority.clock.now, secrets.token_hex(16))
    return sign_holdings_proof(device.key, msgspec.structs.replace(claims, **changes))


async def ask(authority, chain, token):
    return await authority.post("/v1/holdings", HoldingsRequest(chain, token))


async def held(authority, device, chain):
    response = await ask(authority, chain, proof(authority, device, chain))
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=Holdings).certificates


async def test_a_holder_sees_its_own_certificate_and_each_renewal(authority, device):
    issued = await authority.enrol(device)
    authority.clock.now += 2 * DAY
    await authority.renew(device, issued.chain)

    newest, first = await held(authority, device, issued.chain)

    assert (first.by, first.issued_at) == ("code", authority.clock.now - 2 * DAY)
    assert first.fingerprint == hashlib.sha256(issued.chain[0]).hexdigest()
    assert first.not_after == issued.not_after
    assert (newest.by, newest.key) == ("renewal", first.key)


async def test_a_number_certified_for_another_key_shows_at_its_earlier_holder(authority, device, make_device):
    issued = await authority.enrol(device)
    authority.clock.now += 60
    await authority.enrol(make_device())

    foreign, own = await held(authority, device, issued.chain)

    assert foreign.key != own.key
    assert (foreign.by, foreign.issued_at) == ("code", authority.clock.now)


async def test_certificates_that_have_ended_are_not_listed(authority, device, make_device):
    await authority.enrol(make_device())
    authority.clock.now += 8 * DAY
    issued = await authority.enrol(device)

    assert len(await held(authority, device, issued.chain)) == 1


async def test_another_number_is_told_nothing_of_this_one(authority, device, make_device, word):
    issued = await authority.enrol(device)
    other = make_device(BOB)
    others = await authority.enrol(other)

    assert [each.fingerprint for each in await held(authority, other, others.chain)] == [
        hashlib.sha256(others.chain[0]).hexdigest()
    ]
    # Bob's key over Alice's published chain is not Alice's proof.
    assert word(await ask(authority, issued.chain, proof(authority, other, issued.chain))) == "proof-refused"
    assert word(await ask(authority, issued.chain, proof(authority, other, others.chain))) == "proof-refused"


async def test_a_proof_asks_once(authority, device, word):
    issued = await authority.enrol(device)
    token = proof(authority, device, issued.chain)
    assert (await ask(authority, issued.chain, token)).status_code == 200

    assert word(await ask(authority, issued.chain, token)) == "proof-replayed"


@pytest.mark.parametrize(
    "changes",
    [{"aud": "http://other.example"}, {"leaf": "0" * 64}, {"iat": 1_795_000_000 - 61}, {"iat": 1_795_000_061}],
)
async def test_a_proof_for_something_else_is_refused(authority, device, word, changes):
    issued = await authority.enrol(device)

    assert word(await ask(authority, issued.chain, proof(authority, device, issued.chain, **changes))) == (
        "proof-refused"
    )


async def test_a_proof_for_a_token_is_none_for_the_holdings(authority, device, word):
    issued = await authority.enrol(device)
    account = await authority.account()
    request = account.by_device(issued.chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await ask(authority, issued.chain, request.right.proof)) == "proof-refused"


async def test_who_no_longer_holds_the_number_is_told_nothing(authority, device, word):
    issued = await authority.enrol(device)
    authority.clock.now = issued.not_after + 1

    assert word(await ask(authority, issued.chain, proof(authority, device, issued.chain))) == "chain-refused"


async def test_a_chain_of_another_root_is_refused(authority, device, word):
    root_key, root = create_root("Elsewhere", authority.clock.now, DAY)
    numbers = TNAuthList((OneNumber(device.number.digits),))
    issuer_key, issuer = create_issuer(root_key, root, "Elsewhere", numbers, authority.clock.now, DAY)
    leaf = issue_device_certificate(issuer_key, issuer, device.key.public_key(), device.number, authority.clock.now)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in (leaf, issuer)]
    assert load_certificate(chain[0])

    assert word(await ask(authority, chain, proof(authority, device, chain))) == "chain-refused"
    assert word(await ask(authority, [], proof(authority, device, chain))) == "chain-refused"


async def test_questions_of_one_number_are_counted(authority, device, word):
    issued = await authority.enrol(device)
    for _ in range(120):
        await held(authority, device, issued.chain)

    assert word(await ask(authority, issued.chain, proof(authority, device, issued.chain))) == "rate-limited"


@given(body=st.binary(max_size=200))
@garbage
async def test_any_octets_are_a_problem(authority, word, body):
    response = await authority.http.post("/v1/holdings", content=body, headers={"content-type": "application/json"})

    assert word(response) == "malformed"


@given(chain=st.lists(st.binary(max_size=80), max_size=4), token=st.text("abAB01-_.=", min_size=1, max_size=60))
@garbage
async def test_well_shaped_nonsense_is_a_problem(authority, word, chain, token):
    body = {"chain": [b64encode(der).decode() for der in chain], "proof": token}
    response = await authority.http.post("/v1/holdings", json=body)
    authority.clock.now += DAY

    assert word(response) in ("malformed", "chain-refused")
