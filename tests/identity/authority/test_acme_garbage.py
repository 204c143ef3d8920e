"""Whatever arrives at the ACME server, the answer is a problem of the client's making, with a fresh nonce."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.base64url import encode_base64url
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, flattened, one

NAMES = (
    "new-account",
    "account/x",
    "account/x/orders",
    "new-order",
    "order/x",
    "order/x/finalize",
    "authorization/x",
    "challenge/x",
    "certificate/x",
    "revoke-certificate",
    "key-change",
)
garbage = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)
FIELDS = ("status", "identifiers", "csr", "tkauth", "certificate", "reason", "account", "oldKey", "contact", "type")
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)


@pytest.fixture
async def account(authority) -> AcmeAccount:
    return await authority.account()


@pytest.mark.parametrize("name", NAMES)
@given(body=st.binary(max_size=200))
@garbage
async def test_any_octets(account, acme_problem, name, body):
    assert acme_problem(await account.send(f"{BASE_URL}/acme/{name}", body))[0] == "malformed"


@pytest.mark.parametrize("name", NAMES)
@given(
    header=st.dictionaries(st.sampled_from(("alg", "url", "nonce", "jwk", "kid", "crit", "x5c")), values, max_size=5),
    payload=st.binary(max_size=60),
    signature=st.binary(max_size=70),
)
@garbage
async def test_any_flattened_jws(account, acme_problem, name, header, payload, signature):
    parts = (msgspec.json.encode(header), payload, signature)
    protected, middle, end = (encode_base64url(part).decode() for part in parts)
    body = msgspec.json.encode({"protected": protected, "payload": middle, "signature": end})

    word, problem = acme_problem(await account.send(f"{BASE_URL}/acme/{name}", body))

    assert word in ("malformed", "badSignatureAlgorithm", "unauthorized")
    assert problem.status < 500


@pytest.mark.parametrize("name", [name for name in NAMES if name != "new-account"])
@given(payload=bodies.map(msgspec.json.encode) | st.binary(max_size=60))
@garbage
async def test_any_signed_payload(authority, account, acme_problem, name, payload):
    authority.clock.now += 3_600
    response = await account.post(f"{BASE_URL}/acme/{name}", payload)

    word, problem = acme_problem(response)
    assert word in ("malformed", "unauthorized", "badRevocationReason", "unsupportedIdentifier", "badPublicKey")
    assert problem.status < 500


@given(payload=bodies.map(msgspec.json.encode) | st.binary(min_size=1, max_size=60))
@garbage
async def test_any_payload_at_what_exists(authority, account, device, acme_problem, payload):
    authority.clock.now += 3_600
    order = await account.order(one(device.number))
    places = order.url, order.body["authorizations"][0], order.body["finalize"], order.url.replace("order", "challenge")
    for url in places:
        response = await account.post(url, payload)
        if response.status_code != 200:
            assert acme_problem(response)[0] in ("malformed", "orderNotReady")


@given(name=st.from_regex(r"\A[A-Za-z0-9._~%!$&'()*+,;=:@-]{1,60}\Z"))
@garbage
async def test_any_name_of_a_certificate(account, acme_problem, name):
    url = str(account.http.build_request("POST", f"{BASE_URL}/acme/certificate/{name}").url)
    response = await account.send(url, flattened(account.key, b"", await account.headers(url)))

    assert acme_problem(response)[0] in ("malformed", "unauthorized")
