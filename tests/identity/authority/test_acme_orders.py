"""Each way in which an order, its token or its certificate request can be wrong, and the problem that it gets."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority import rates
from identity.authority.app import open_authority, open_log_alone
from identity.authority.codes import CodeOutbox
from identity.authority.keys import read_keys
from identity.authority.rates import RateLimit
from identity.certificate_fields import TN_AUTH_LIST_OID
from identity.enrolment.authority_token import identifier_value
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList
from lab.serving import listening
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, one, private_key

NEW_ORDER = f"{BASE_URL}/acme/new-order"
BOB = TelephoneNumber.from_digits("12025550143")


@pytest.fixture
async def account(authority) -> AcmeAccount:
    return await authority.account()


async def place(account, *identifiers, **members):
    return await account.post(NEW_ORDER, {"identifiers": list(identifiers)} | members)


def number(value: str) -> dict[str, str]:
    return {"type": "TNAuthList", "value": value}


async def test_another_type_of_identifier_is_unsupported(account, device, acme_problem):
    dns = {"type": "dns", "value": "example.com"}

    word, problem = acme_problem(await place(account, number(one(device.number)), dns))

    assert word == "unsupportedIdentifier"
    assert [msgspec.to_builtins(each.identifier) for each in problem.subproblems] == [dns]


@pytest.mark.parametrize("value", ["", "AAAA", "not DER", "MA-iDRYLMTIwMjU1NTAxNDI=", "é"])
async def test_an_identifier_that_is_no_tnauthlist_is_malformed(account, acme_problem, value):
    assert acme_problem(await place(account, number(value)))[0] == "malformed"


async def test_an_order_has_one_identifier(account, device, acme_problem):
    both = number(one(device.number)), number(one(BOB))

    assert acme_problem(await place(account, *both))[0] == "malformed"
    assert acme_problem(await place(account))[0] == "malformed"


@pytest.mark.parametrize("name", ["notBefore", "notAfter"])
async def test_an_order_does_not_say_how_long_its_certificate_lives(account, device, acme_problem, name):
    response = await place(account, number(one(device.number)), **{name: "2027-01-01T00:00:00Z"})

    assert acme_problem(response)[0] == "malformed"


async def test_a_number_outside_the_prefixes_is_rejected(open_at, device, acme_problem):
    account = await (await open_at(allow=("+44",))).account()

    word, problem = acme_problem(await place(account, number(one(device.number))))

    assert (word, problem.subproblems[0].type) == ("rejectedIdentifier", problem.type)


async def test_a_range_beyond_the_prefixes_is_rejected(open_at, acme_problem):
    account = await (await open_at(allow=("+1202555",))).account()
    for entry in (TelephoneNumberRange("12025540000", 10), ServiceProviderCode("1234")):
        value = identifier_value(TNAuthList((entry,)))

        assert acme_problem(await place(account, number(value)))[0] == "rejectedIdentifier"


async def test_a_withdrawn_number_gets_no_order_and_no_certificate(open_at, device, acme_problem, word):
    authority = await open_at()
    account = await authority.account()
    order = await authority.ready(account, device)
    withdraw(authority, device.number)

    refused, problem = acme_problem(await place(account, number(one(device.number))))
    assert (refused, problem.subproblems[0].type) == ("rejectedIdentifier", "urn:ringtrue:authority:number-withdrawn")
    assert acme_problem(await account.finalize(order, device.csr()))[0] == "rejectedIdentifier"
    response = await authority.http.post("/v1/challenges", json={"number": device.number.e164})
    assert word(response) == "number-withdrawn"


def withdraw(authority, number):
    with authority.store.transaction():
        authority.store.execute(
            "INSERT INTO statuses (number, status, ends_at) VALUES (?, ?, ?)",
            number.digits,
            NumberStatus.WITHDRAWN.value,
            authority.clock.now + 86_400,
        )


async def test_an_order_that_nobody_completes_ends_after_an_hour(authority, account, device, acme_problem):
    pending, ready = await account.order(one(device.number)), await authority.ready(account, device)
    authority.clock.now += 3_600

    assert (await account.post(pending.url)).json()["status"] == "invalid"
    assert (await account.authorization(pending))["status"] == "invalid"
    assert (await account.authorization(ready))["status"] == "expired"
    assert acme_problem(await account.finalize(ready, device.csr()))[0] == "orderNotReady"
    challenge = (await account.authorization(pending))["challenges"][0]
    assert acme_problem(await account.post(challenge["url"], {"tkauth": "a.b.c"}))[0] == "malformed"


async def test_orders_that_ended_a_day_ago_are_forgotten(authority, account, device, acme_problem):
    old = await account.order(one(device.number))
    authority.clock.now += 3_600 + 86_400
    await account.order(one(device.number))

    assert acme_problem(await account.post(old.url))[1].status == 404


async def test_an_order_is_not_finalized_before_it_is_authorized(account, device, acme_problem):
    order = await account.order(one(device.number))

    assert acme_problem(await account.finalize(order, device.csr()))[0] == "orderNotReady"


async def test_an_authorization_that_was_given_up_serves_no_order(authority, account, device, acme_problem):
    order = await authority.ready(account, device)

    given_up = await account.post(order.body["authorizations"][0], {"status": "deactivated"})

    assert given_up.json()["status"] == "deactivated"
    assert acme_problem(await account.finalize(order, device.csr()))[0] == "orderNotReady"


# Tokens: RFC 9448 §6 has its own tests, check by check (test_authority_token.py); here is what an order makes of them.


async def refused(authority, account, device, token) -> dict:
    """Answer with a token that is to be refused; return the challenge's error after looking at all three states."""
    order = await account.order(one(device.number))
    challenge = (await account.answer(order, token)).json()
    assert challenge["status"] == (await account.authorization(order))["status"] == "invalid"
    after = (await account.post(order.url)).json()
    assert (after["status"], after["error"]) == ("invalid", challenge["error"])
    return challenge["error"]


async def test_what_is_no_token_is_malformed(authority, account, device):
    error = await refused(authority, account, device, "a.b.c")

    assert (error["type"], error["check"]) == ("urn:ietf:params:acme:error:malformed", 1)
    assert error["subproblems"][0]["identifier"] == number(one(device.number))


async def test_a_token_for_another_number_is_an_incorrect_response(authority, account, make_device, device):
    token = await authority.code_token(account, make_device(BOB))

    error = await refused(authority, account, device, token)

    assert (error["type"], error["check"]) == ("urn:ietf:params:acme:error:incorrectResponse", 6)


async def test_a_token_that_has_ended_is_an_incorrect_response(authority, account, device):
    token = await authority.code_token(account, device)
    authority.clock.now += 600

    error = await refused(authority, account, device, token)

    assert (error["type"], error["check"]) == ("urn:ietf:params:acme:error:incorrectResponse", 7)


async def test_a_token_for_another_account_is_an_incorrect_response(authority, account, device):
    token = await authority.code_token(await authority.account(), device)

    error = await refused(authority, account, device, token)

    assert (error["type"], error["check"]) == ("urn:ietf:params:acme:error:incorrectResponse", 8)


async def test_a_forged_token_is_unauthorized(authority, account, device):
    header, payload, _ = (await authority.code_token(account, device)).split(".")

    error = await refused(authority, account, device, f"{header}.{payload}.{'A' * 86}")

    assert (error["type"], error["check"]) == ("urn:ietf:params:acme:error:unauthorized", 4)


async def test_a_token_authorizes_one_order(authority, account, device):
    token = await authority.code_token(account, device)
    order = await account.order(one(device.number))
    assert (await account.answer(order, token)).json()["status"] == "valid"

    error = await refused(authority, account, device, token)

    assert error["type"] == "urn:ietf:params:acme:error:incorrectResponse"


async def test_an_answer_without_a_token_changes_nothing(account, device, acme_problem):
    order = await account.order(one(device.number))
    challenge = (await account.authorization(order))["challenges"][0]

    for answer in ({}, {"tkauth": 1}, {"tkauth": ""}, {"keyAuthorization": "x"}):
        assert acme_problem(await account.post(challenge["url"], answer))[0] == "malformed"
    assert (await account.post(challenge["url"])).json()["status"] == "pending"


# Certificate requests.


def csr_by(key, hash_=hashes.SHA256(), *extensions) -> bytes:  # noqa: B008 - a value
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hash_).public_bytes(Encoding.DER)


def unproven(key) -> bytes:
    csr = bytearray(csr_by(key))
    csr[-1] ^= 1
    return bytes(csr)


def naming(*entries) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(TN_AUTH_LIST_OID, TNAuthList(entries).encode())


BAD = {
    "P-384": lambda _: csr_by(ec.generate_private_key(ec.SECP384R1())),
    "RSA": lambda _: csr_by(rsa.generate_private_key(65537, 2048)),
    "Ed25519": lambda _: csr_by(ed25519.Ed25519PrivateKey.generate(), None),
    "signature of another key": lambda key: unproven(key),
    "too large": lambda key: csr_by(key) + b"\0" * 70_000,
    "not DER": lambda _: b"\x30\x82garbage",
    "another number": lambda key: device_csr(key, BOB),
    "more numbers": lambda key: csr_by(key, hashes.SHA256(), naming(OneNumber("12025550142"), OneNumber(BOB.digits))),
    "for a CA": lambda key: csr_by(key, hashes.SHA256(), x509.BasicConstraints(ca=True, path_length=None)),
    "another key than the token's": lambda _: csr_by(private_key()),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_request_is_refused_and_leaves_the_order_ready(authority, account, device, acme_problem, kind):
    order = await authority.ready(account, device)

    word, problem = acme_problem(await account.finalize(order, BAD[kind](device.key)))

    assert word == "badCSR"
    assert problem.check == (9 if kind == "for a CA" else None)
    assert (await account.finalize(order, device.csr())).json()["status"] == "valid"


@pytest.mark.parametrize("csr", ["", "*", "é", None, 5])
async def test_what_is_no_base64url_is_malformed(authority, account, device, acme_problem, csr):
    order = await authority.ready(account, device)

    assert acme_problem(await account.post(order.body["finalize"], {"csr": csr}))[0] == "malformed"


async def test_the_accounts_own_key_is_not_certified(authority, device, make_device, acme_problem):
    account = await authority.account()
    same = make_device(device.number, account.key)
    order = await authority.ready(account, same)

    assert acme_problem(await account.finalize(order, same.csr()))[0] == "badCSR"


async def test_a_request_that_names_no_number_is_certified_for_the_ordered_one(authority, account, device):
    order = await authority.ready(account, device)

    issued = await authority.issued(account, order, csr_by(device.key))

    assert x509.load_der_x509_certificate(issued.chain[0]).public_key() == device.key.public_key()


async def test_of_many_requests_at_once_one_is_certified(authority, account, device, acme_problem):
    order = await authority.ready(account, device)

    answers = await asyncio.gather(*(account.finalize(order, device.csr()) for _ in range(8)))

    refused = [acme_problem(answer)[0] for answer in answers if answer.status_code != 200]
    assert refused == ["orderNotReady"] * 7
    with authority.store.transaction():
        assert len(authority.store.holdings(device.number.digits, authority.clock.now, 10)) == 1


async def test_of_many_orders_at_once_one_token_authorizes_one(authority, account, device):
    token = await authority.code_token(account, device)
    orders = [await account.order(one(device.number)) for _ in range(8)]

    answers = await asyncio.gather(*(account.answer(order, token) for order in orders))

    assert sorted(answer.json()["status"] for answer in answers) == ["invalid"] * 7 + ["valid"]


def spend(store, now: int, limit: RateLimit, subject: str) -> None:
    """Let a limit be reached."""
    with store.transaction():
        for _ in range(limit.count):
            store.admit(store.bucket(limit.name, subject), now + limit.window)


async def test_an_address_opens_so_many_accounts_and_orders(authority, account, device, acme_problem):
    for limit in (rates.ACCOUNTS_PER_ADDRESS, rates.ORDERS_PER_ADDRESS):
        spend(authority.store, authority.clock.now, limit, "192.0.2.1")
    other = AcmeAccount(authority.http)

    for refused in (
        await other.post(f"{BASE_URL}/acme/new-account", {}),
        await place(account, number(one(device.number))),
    ):
        assert acme_problem(refused)[0] == "rateLimited"
        assert refused.headers["retry-after"] == "3600"
    assert (await AcmeAccount(authority.http, account.key).register()).kid == account.kid


async def test_an_address_asks_for_so_many_tokens(authority, account, device, problem):
    challenge, code = await authority.challenge()
    spend(authority.tokens, authority.clock.now, rates.TOKENS_PER_ADDRESS, "192.0.2.1")

    refused = problem(await authority.token(challenge, account.by_code(code, device.number, device.key)))

    assert (refused.limit_name, refused.limit) == ("TOKENS_PER_ADDRESS", 600)


async def test_a_number_gets_sixty_certificates_a_day(authority, device, make_device, acme_problem):
    account = await authority.account()
    first = await authority.issued(account, await authority.ready(account, device), device.csr())
    spend(authority.store, authority.clock.now, rates.CERTIFICATES_PER_NUMBER, device.number.digits)
    order = await account.order(one(device.number))
    request = account.by_device(first.chain, device.key, device.number, device.key, authority.clock.now)
    await account.answer(order, (await authority.token("device", request)).json()["token"])

    response = await account.finalize(order, device.csr())

    assert acme_problem(response)[0] == "rateLimited"
    assert response.headers["retry-after"] == "86400"


async def test_an_order_stays_ready_while_its_certificate_cannot_be_logged(device, tmp_path, clock, acme_problem):
    """Nothing is issued past the log: what nobody could see is not certified."""
    codes, roots = CodeOutbox(), []
    async with AsyncExitStack() as log:
        url = await log.enter_async_context(
            listening(lambda url: open_log_alone(tmp_path / "log", url, "Log", lambda: roots, clock))
        )
        app = await asyncio.to_thread(open_authority, tmp_path / "logged", BASE_URL, codes, clock, logs=[url])
        roots.extend(read_keys(tmp_path / "logged").roots)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as http:
            account = await AcmeAccount(http).register()
            challenge = (await http.post("/v1/challenges", json={"number": device.number.e164})).json()["challenge"]
            request = account.by_code(codes.codes[device.number], device.number, device.key)
            order = await account.order(one(device.number))
            await account.answer(order, await account.token(challenge, request))
            await log.aclose()

            response = await account.finalize(order, device.csr())

            assert acme_problem(response)[0] == "serverInternal"
            assert (response.status_code, response.headers["retry-after"]) == (503, "30")
            assert (await account.post(order.url)).json()["status"] == "ready"
    for store in (app.state.store, app.state.tokens):
        store.close()
