"""Requests that are not as RFC 8555 §6 wants them are refused with the right problem, and change nothing."""

import hashlib
import hmac

import josepy
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from identity.authority.acme.nonces import Nonces
from identity.enrolment.acme_jws import JWK, read_request, sign_request, verify_request
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, flattened, one, private_key

NEW_ACCOUNT = f"{BASE_URL}/acme/new-account"
NEW_ORDER = f"{BASE_URL}/acme/new-order"


def order_of(device) -> dict:
    return {"identifiers": [{"type": "TNAuthList", "value": one(device.number)}]}


@pytest.fixture
async def account(authority) -> AcmeAccount:
    return await authority.account()


async def test_a_nonce_serves_once(account, device, acme_problem):
    nonce = await account.nonce()
    assert (await account.post(NEW_ORDER, order_of(device), nonce=nonce)).status_code == 201

    word, problem = acme_problem(await account.post(NEW_ORDER, order_of(device), nonce=nonce))

    assert (word, problem.status) == ("badNonce", 400)


@pytest.mark.parametrize("nonce", ["", "AAAA", "é", "x" * 200, None])
async def test_a_nonce_that_was_never_drawn_is_refused(account, device, acme_problem, nonce):
    headers = await account.headers(NEW_ORDER, nonce=nonce)

    assert acme_problem(await account.send(NEW_ORDER, flattened(account.key, b"{}", headers)))[0] == "badNonce"


async def test_a_nonce_of_before_a_restart_is_refused_with_a_fresh_one(open_at, device, acme_problem):
    account = await (await open_at()).account()
    old = await account.nonce()
    again = AcmeAccount((await open_at()).http, account.key, account.kid)

    response = await again.post(NEW_ORDER, order_of(device), nonce=old)

    assert acme_problem(response)[0] == "badNonce"
    fresh = response.headers["replay-nonce"]
    assert (await again.post(NEW_ORDER, order_of(device), nonce=fresh)).status_code == 201


async def test_a_request_that_fails_its_signature_spends_no_nonce(account, device, acme_problem):
    nonce = await account.nonce()
    forged = AcmeAccount(account.http, private_key(), account.kid)

    assert acme_problem(await forged.post(NEW_ORDER, order_of(device), nonce=nonce))[0] == "malformed"
    assert (await account.post(NEW_ORDER, order_of(device), nonce=nonce)).status_code == 201


async def test_a_request_for_another_address_is_refused(account, device, acme_problem):
    headers = await account.headers(NEW_ACCOUNT)

    assert acme_problem(await account.send(NEW_ORDER, flattened(account.key, b"{}", headers)))[0] == "unauthorized"


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS256", "ES384"])
async def test_another_algorithm_is_refused_with_those_that_are_taken(account, acme_problem, algorithm):
    keys = {
        "HS256": b"0" * 64,
        "none": None,
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
    }
    headers = await account.headers(NEW_ACCOUNT)

    word, problem = acme_problem(await account.send(NEW_ACCOUNT, flattened(keys[algorithm], b"{}", headers, algorithm)))

    assert (word, problem.algorithms) == ("badSignatureAlgorithm", ["ES256"])


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-384", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "oct", "k": "AAAA"},
        {},
        [],
        "key",
    ],
)
async def test_a_key_that_is_no_p256_key_is_refused(authority, acme_problem, jwk):
    account = AcmeAccount(authority.http)

    assert acme_problem(await account.post(NEW_ACCOUNT, b"{}", jwk=jwk))[0] == "badPublicKey"


async def test_jwk_and_kid_exclude_each_other(account, device, acme_problem):
    both = {"jwk": msgspec.to_builtins(JWK.of(account.key.public_key()))}

    assert acme_problem(await account.post(NEW_ORDER, order_of(device), **both))[0] == "malformed"
    assert acme_problem(await account.post(NEW_ORDER, order_of(device), kid=None))[0] == "malformed"


async def test_each_kind_of_request_takes_its_kind_of_key(authority, account, device, acme_problem):
    by_jwk = AcmeAccount(authority.http, account.key)

    assert acme_problem(await by_jwk.post(NEW_ORDER, order_of(device)))[0] == "malformed"
    assert acme_problem(await account.post(NEW_ACCOUNT, b"{}"))[0] == "malformed"


@pytest.mark.parametrize(
    "kid", [f"{BASE_URL}/acme/account/nobody", "nobody", "http://other.example/acme/account/x", ""]
)
async def test_an_account_that_does_not_exist_is_refused(account, device, acme_problem, kid):
    headers = await account.headers(NEW_ORDER) | {"kid": kid}

    assert acme_problem(await account.send(NEW_ORDER, flattened(account.key, b"{}", headers)))[0] == (
        "accountDoesNotExist"
    )


async def test_a_header_outside_the_signature_is_refused(account, acme_problem):
    body = msgspec.json.decode(flattened(account.key, b"{}", await account.headers(NEW_ORDER)))

    for more in ({"header": {"kid": account.kid}}, {"signatures": []}):
        assert acme_problem(await account.send(NEW_ORDER, msgspec.json.encode(body | more)))[0] == "malformed"


async def test_a_critical_extension_is_refused(account, acme_problem):
    headers = await account.headers(NEW_ORDER) | {"crit": ["exp"], "exp": 1}

    assert acme_problem(await account.send(NEW_ORDER, flattened(account.key, b"{}", headers)))[0] == "malformed"


async def test_a_body_of_another_type_or_size_is_refused(account, acme_problem):
    good = flattened(account.key, b"{}", await account.headers(NEW_ORDER))

    assert acme_problem(await account.send(NEW_ORDER, good, "application/json"))[1].status == 415
    assert acme_problem(await account.send(NEW_ORDER, b"x" * 300_000))[1].status == 413


async def test_unknown_addresses_and_methods_are_problems(authority, account, acme_problem):
    assert acme_problem(await account.post(f"{BASE_URL}/acme/nothing"))[1].status == 404
    response = await authority.http.get(NEW_ORDER)
    assert acme_problem(response)[1].status == 405
    assert response.headers["allow"] == "POST"


async def test_what_is_read_by_post_as_get_takes_no_payload(authority, account, device, acme_problem):
    order = await authority.ready(account, device)

    for url in (order.url, f"{account.kid}/orders"):
        assert acme_problem(await account.post(url, b"{}"))[0] == "malformed"


async def test_a_key_has_one_account(authority, account):
    again = AcmeAccount(authority.http, account.key)

    response = await again.post(NEW_ACCOUNT, {"onlyReturnExisting": True})

    assert (response.status_code, response.headers["location"]) == (200, account.kid)
    assert response.json() == {"status": "valid", "orders": f"{account.kid}/orders"}
    assert (await again.post(NEW_ACCOUNT, {"contact": ["mailto:a@example.com"]})).headers["location"] == account.kid


async def test_an_unknown_key_is_told_that_it_has_no_account(authority, acme_problem):
    stranger = AcmeAccount(authority.http)

    assert acme_problem(await stranger.post(NEW_ACCOUNT, {"onlyReturnExisting": True}))[0] == "accountDoesNotExist"


async def test_a_deactivated_account_does_nothing_any_more(authority, account, device, acme_problem):
    assert (await account.post(account.kid, {"status": "deactivated"})).json()["status"] == "deactivated"

    assert acme_problem(await account.post(NEW_ORDER, order_of(device)))[0] == "unauthorized"
    assert acme_problem(await AcmeAccount(authority.http, account.key).post(NEW_ACCOUNT, b"{}"))[0] == "unauthorized"


async def test_an_account_is_shown_to_itself_alone(authority, account, acme_problem):
    other = await authority.account()

    assert (await account.post(account.kid)).json()["status"] == "valid"
    for url in (account.kid, f"{account.kid}/orders"):
        assert acme_problem(await other.post(url))[0] == "unauthorized"


def key_change(account, new, /, **changes) -> bytes:
    url = changes.pop("url", f"{BASE_URL}/acme/key-change")
    old = msgspec.to_builtins(JWK.of(account.key.public_key()))
    headers = {"url": url, "jwk": msgspec.to_builtins(JWK.of(new.public_key()))} | changes.pop("headers", {})
    return flattened(new, msgspec.json.encode({"account": account.kid, "oldKey": old} | changes), headers)


async def test_an_account_is_handed_over_to_another_key(authority, account, device, acme_problem):
    new = private_key()

    changed = await account.post(f"{BASE_URL}/acme/key-change", key_change(account, new))

    assert (changed.status_code, changed.headers["location"]) == (200, account.kid)
    assert acme_problem(await account.post(NEW_ORDER, order_of(device)))[0] == "malformed"
    moved = AcmeAccount(authority.http, new, account.kid)
    assert (await moved.post(NEW_ORDER, order_of(device))).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"url": NEW_ORDER},
        {"account": f"{BASE_URL}/acme/account/other"},
        {"oldKey": msgspec.to_builtins(JWK.of(private_key().public_key()))},
        {"oldKey": {}},
        {"headers": {"nonce": "AAAA"}},
        {"headers": {"kid": "x"}},
    ],
)
async def test_a_key_change_for_something_else_is_refused(account, acme_problem, changes):
    response = await account.post(f"{BASE_URL}/acme/key-change", key_change(account, private_key(), **changes))

    assert acme_problem(response)[0] in ("malformed", "unauthorized", "badPublicKey")
    assert (await account.post(account.kid)).status_code == 200


async def test_a_key_that_has_an_account_gets_no_second_one(authority, account, acme_problem):
    other = await authority.account()

    response = await account.post(f"{BASE_URL}/acme/key-change", key_change(account, other.key))

    assert acme_problem(response)[1].status == 409
    assert response.headers["location"] == other.kid


async def test_accounts_and_orders_of_an_address_are_counted(authority, account, device, acme_problem):
    for _ in range(100):
        assert (await account.post(NEW_ORDER, order_of(device))).status_code == 201

    response = await account.post(NEW_ORDER, order_of(device))

    assert acme_problem(response)[0] == "rateLimited"
    assert response.headers["retry-after"] == "3600"


def test_a_thumbprint_is_the_one_that_others_compute():
    key = private_key().public_key()

    assert JWK.of(key).thumbprint == josepy.JWKEC(key=key).thumbprint()


def test_a_signed_request_is_one_that_others_verify():
    key = private_key()
    body = sign_request(key, b"payload", url="http://a/b", nonce="AAAA", kid=None)

    read = josepy.JWS.from_json(msgspec.json.decode(body))
    assert read.verify(josepy.JWKEC(key=key.public_key()))
    signed, header = read_request(body)
    assert verify_request(signed, key.public_key()) == b"payload"
    assert (header.alg, header.url, header.nonce, header.kid) == ("ES256", "http://a/b", "AAAA", None)


def test_the_oldest_nonces_end_when_many_were_used(monkeypatch):
    monkeypatch.setattr("identity.authority.acme.nonces.USED_LIMIT", 3)
    nonces = Nonces()
    first, *others = (nonces.draw() for _ in range(6))

    assert all(nonces.spend(nonce) for nonce in others)
    assert not nonces.spend(first)
    assert not any(nonces.spend(nonce) for nonce in others)
    assert nonces.spend(nonces.draw())


def test_a_nonce_of_another_server_is_none_of_ours():
    number = (1).to_bytes(8)
    tag = hmac.digest(bytes(32), number, hashlib.sha256)[:16]

    assert not Nonces().spend(jwt.utils.base64url_encode(number + tag).decode())
    assert not Nonces().spend(Nonces().draw())
