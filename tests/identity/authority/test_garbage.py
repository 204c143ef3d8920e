"""Whatever arrives, the answer is a problem of the client's making."""

import asyncio
import string
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.number import TelephoneNumber
from tests.identity.authority.ordering import one

ROUTES = ("/v1/challenges", "/at/account/device/token", "/v1/holdings", "/v1/reports", "/v1/standing")
FIELDS = ("number", "atc", "right", "key", "chain", "proof", "evidence", "statement", "extra")
ATC = {
    "tktype": "TNAuthList",
    "tkvalue": one(TelephoneNumber.from_digits("12025550142")),
    "fingerprint": "SHA256 " + ":".join(["00"] * 32),
}
texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["A" * 22, "123456", "+12025550142", "MIIB", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"]),
    st.text(string.ascii_letters + string.digits + "-_.=", max_size=60),
)
json = st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3))
bodies = st.dictionaries(st.sampled_from(FIELDS), json, max_size=4)

garbage = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("route", ROUTES)
@given(body=st.binary(max_size=200))
@garbage
async def test_any_octets(authority, word, route, body):
    response = await authority.http.post(route, content=body, headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert word(response) == "malformed"


@pytest.mark.parametrize("route", ROUTES)
@given(body=bodies)
@garbage
async def test_any_json(authority, word, route, body):
    response = await authority.http.post(route, json=body)
    authority.clock.now += 86_400

    if response.status_code != 201:
        assert 400 <= response.status_code < 500
        assert word(response)
    else:
        assert body == {"number": "+12025550142"}


@pytest.mark.parametrize("route", ROUTES[1:])
@given(chain=st.lists(st.binary(max_size=80), max_size=5), proof=texts)
@garbage
async def test_well_shaped_nonsense(authority, word, route, chain, proof):
    encoded = [b64encode(der).decode() for der in chain]
    right = {"by": "device", "chain": encoded, "proof": proof}
    body = {
        "/at/account/device/token": {"atc": ATC, "right": right},
        "/v1/holdings": {"chain": encoded, "proof": proof},
        "/v1/reports": {"chain": encoded, "evidence": proof, "statement": proof},
        "/v1/standing": {"chain": encoded, "proof": proof},
    }[route]
    response = await authority.http.post(route, json=body)
    authority.clock.now += 86_400

    assert 400 <= response.status_code < 500
    assert word(response) in ("malformed", "chain-refused", "report-refused")


@given(name=st.text(min_size=1, max_size=80))
@garbage
async def test_any_certificate_name(authority, word, name):
    response = await authority.http.get(f"/certificates/{quote(name, safe='')}.pem")

    assert word(response) == "not-found"


async def test_a_lone_surrogate_is_malformed(authority, word):
    for route, field in zip(ROUTES, ("number", "key", "proof", "evidence", "proof"), strict=True):
        body = f'{{"{field}":"\\ud800"}}'.encode()
        response = await authority.http.post(route, content=body, headers={"content-type": "application/json"})
        assert word(response) in ("malformed", "invalid-number")


async def test_a_large_body_is_refused_with_the_limit(authority, problem):
    for route in set(ROUTES) - {"/v1/reports", "/at/account/device/token"}:
        response = await authority.http.post(route, json={"number": "1" * 33_000})
        assert (problem(response).limit_name, problem(response).limit) == ("BODY_LIMIT", 32_768)


async def test_another_type_is_refused(authority, word):
    response = await authority.http.post("/v1/challenges", data={"number": "+12025550142"})

    assert word(response) == "unsupported-type"


async def test_unknown_addresses_and_methods_are_problems(authority, word):
    assert word(await authority.http.get("/v2/anything")) == "not-found"
    response = await authority.http.get("/v1/challenges")
    assert word(response) == "method-not-allowed"
    assert response.headers["allow"] == "POST"


async def test_a_body_that_trickles_in_is_given_up(authority, monkeypatch, word):
    monkeypatch.setattr("identity.authority.exchange.BODY_TIMEOUT", 0.05)

    async def trickle():
        yield b'{"number"'
        await asyncio.sleep(5)
        yield b':"+12025550142"}'

    response = await authority.http.post(
        "/v1/challenges", content=trickle(), headers={"content-type": "application/json"}
    )

    assert word(response) == "too-slow"
