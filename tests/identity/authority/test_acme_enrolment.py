"""A device gets its certificate by ACME with an authority token, and what happens around that."""

import re

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import DeviceVerifier, x5u_for
from identity.certificates import public_point
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, one


async def test_an_enrolled_device_is_the_device_of_its_number(authority, device):
    account = await authority.account()
    order = await authority.ready(account, device)

    issued = await authority.issued(account, order, device.csr())

    verifier = DeviceVerifier(await authority.anchors())
    identity = verifier.verify(issued.chain, public_point(device.key.public_key()), authority.clock.now)
    assert identity.number == device.number
    assert identity.chain.not_after == issued.not_after == authority.clock.now + 7 * 86_400


async def test_each_step_is_what_the_next_one_needs(authority, device):
    account = await authority.account()
    order = await account.order(one(device.number))
    assert order.body["status"] == "pending"
    authorization = await account.authorization(order)
    assert (authorization["status"], authorization["identifier"]) == ("pending", order.body["identifiers"][0])
    (challenge,) = authorization["challenges"]
    assert (challenge["type"], challenge["tkauth-type"], challenge["token-authority"]) == ("tkauth-01", "atc", BASE_URL)

    response = await account.answer(order, await authority.code_token(account, device))

    assert f'<{order.body["authorizations"][0]}>;rel="up"' in response.headers.get_list("link")
    assert response.json()["validated"] == "2026-11-18T11:06:40Z"
    assert (await account.authorization(order))["status"] == "valid"
    assert (await account.post(order.url)).json()["status"] == "ready"
    done = (await account.finalize(order, device.csr())).json()
    assert done["status"] == "valid"
    assert (await account.post(order.url)).json() == done


async def test_the_whole_path_is_published_where_x5u_says(authority, device):
    account = await authority.account()
    issued = await authority.issued(account, await authority.ready(account, device), device.csr())
    assert issued.x5u == x5u_for(BASE_URL, issued.chain[0])

    response = await authority.http.get(issued.x5u)

    assert response.headers["content-type"] == "application/pem-certificate-chain"
    published = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(response.content)]
    assert published[:2] == issued.chain
    assert published[2:] == [root.public_bytes(Encoding.DER) for root in (await authority.anchors()).roots]


async def test_a_certificate_and_its_order_are_their_accounts_alone(authority, device, acme_problem):
    account, other = await authority.account(), await authority.account()
    order = await authority.ready(account, device)
    done = (await account.finalize(order, device.csr())).json()

    assert (await account.post(done["certificate"])).headers["content-type"] == "application/pem-certificate-chain"
    for url in (
        order.url,
        order.body["authorizations"][0],
        done["certificate"],
        order.url.replace("order", "challenge"),
    ):
        assert acme_problem(await other.post(url))[1].status == 404
    assert acme_problem(await other.finalize(order, device.csr()))[1].status == 404


async def test_orders_survive_a_restart(open_at, device):
    before = await open_at()
    account = await before.account()
    order = await before.ready(account, device)

    after = await open_at()
    again = AcmeAccount(after.http, account.key, account.kid)

    assert (await after.issued(again, order, device.csr())).chain


async def test_an_accounts_orders_are_listed_without_the_failed_ones(authority, device, make_device):
    account = await authority.account()
    first = await authority.ready(account, device)
    failed = await account.order(one(device.number))
    await account.answer(failed, "a.b.c")

    listed = (await account.post(f"{account.kid}/orders")).json()["orders"]

    assert listed == [first.url]


async def test_a_lost_answer_to_finalize_is_found_at_the_order(authority, device, acme_problem):
    account = await authority.account()
    order = await authority.ready(account, device)
    done = (await account.finalize(order, device.csr())).json()

    word, _ = acme_problem(await account.finalize(order, device.csr()))

    assert word == "orderNotReady"
    assert (await account.post(order.url)).json() == done


async def test_a_lost_answer_to_a_challenge_may_be_asked_for_again(authority, device):
    account = await authority.account()
    order = await account.order(one(device.number))
    token = await authority.code_token(account, device)

    first, again = await account.answer(order, token), await account.answer(order, token)

    assert first.json() == again.json()
    assert again.json()["status"] == "valid"


async def test_a_renewal_by_the_devices_key_keeps_number_and_key(authority, device):
    account = await authority.account()
    old = await authority.issued(account, await authority.ready(account, device), device.csr())
    authority.clock.now += 5 * 86_400
    order = await account.order(one(device.number))
    request = account.by_device(old.chain, device.key, device.number, device.key, authority.clock.now)
    token = (await authority.token("device", request)).json()["token"]
    await account.answer(order, token)

    new = await authority.issued(account, order, device.csr())

    verifier = DeviceVerifier(await authority.anchors())
    key = public_point(device.key.public_key())
    before, after = (verifier.verify(each.chain, key, authority.clock.now) for each in (old, new))
    verifier.check_successor(old.chain, new.chain)
    assert after.identity == before.identity
    assert new.not_after == old.not_after + 5 * 86_400


async def test_a_first_device_vouches_for_a_second_one(authority, device, make_device):
    account, second = await authority.account(), make_device()
    first = await authority.issued(account, await authority.ready(account, device), device.csr())
    others = await authority.account()
    order = await others.order(one(device.number))
    request = others.by_device(first.chain, device.key, device.number, second.key, authority.clock.now)
    token = (await authority.token("device", request)).json()["token"]
    await others.answer(order, token)

    issued = await authority.issued(others, order, second.csr())

    verifier = DeviceVerifier(await authority.anchors())
    identity = verifier.verify(issued.chain, public_point(second.key.public_key()), authority.clock.now)
    assert identity.number == device.number
    # The second device renews by itself, for as long as the first one could.
    again = others.by_device(issued.chain, second.key, device.number, second.key, authority.clock.now)
    assert (await authority.token("device", again)).status_code == 200


async def test_the_server_says_where_everything_is_with_a_nonce_on_every_answer(authority):
    directory = await authority.http.get("/acme/directory")
    nonces = [(await authority.http.request(method, "/acme/new-nonce")) for method in ("HEAD", "GET")]

    assert directory.json()["newOrder"] == f"{BASE_URL}/acme/new-order"
    assert [each.status_code for each in nonces] == [200, 204]
    drawn = {each.headers["replay-nonce"] for each in (directory, *nonces)}
    assert len(drawn) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", nonce) for nonce in drawn)
    assert {each.headers["cache-control"] for each in nonces} == {"no-store"}
    assert f'<{BASE_URL}/acme/directory>;rel="index"' in directory.headers.get_list("link")
