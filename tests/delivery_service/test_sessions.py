"""Sessions begin with proof of the certificate's key, and nothing works without one."""

import hashlib
from base64 import b64decode
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from delivery_service.wire import SESSION_LIFETIME, SIGNATURE_MAX_AGE, SIGNED_COMPONENTS

ALICE, BOB = "+12025550142", "+12025550143"

SESSION_ROUTES = [
    ("PUT", "/v1/key-packages"),
    ("GET", "/v1/key-packages"),
    ("GET", "/v1/key-packages/references"),
    ("GET", "/v1/openings"),
    ("POST", "/v1/key-packages/claims"),
    ("POST", "/v1/groups"),
    ("GET", "/v1/groups"),
    ("POST", "/v1/groups/AAAA/entries"),
    ("GET", "/v1/groups/AAAA/entries"),
    ("POST", "/v1/groups/AAAA/commits"),
    ("GET", "/v1/inbox"),
    ("POST", "/v1/inbox/ack"),
    ("GET", "/v1/events"),
]


async def test_a_session_names_the_device_and_its_end(world):
    alice = await world.device(ALICE)
    answer = await world.http.send(alice.session_request())
    granted = answer.json()
    assert granted["device"].startswith(f"{ALICE}/")
    assert (granted["number"], granted["expires_at"]) == (ALICE, alice.now + SESSION_LIFETIME)
    status = (await world.http.get("/v1/status")).json()
    assert len(b64decode(status.pop("franking_key"))) == 65
    assert len(b64decode(status["eviction"].pop("key"))) == 65
    assert status.pop("eviction") == {"idle": 0}
    assert status.pop("revocations") == {"sources": 0, "lists": 0, "next_update": 0, "failed_since": 0}
    assert status == {"host": "delivery.example", "now": alice.now, "retention": 30 * 86_400}


def digest(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()[:32]


async def test_a_device_sees_each_session_that_its_key_opened(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    world.clock.now += 7
    nonce = "the nonce of another client"
    assert (await world.http.send(alice.session_request(nonce=nonce))).status_code == 201
    first, second = (await alice.call("GET", "/v1/openings")).json()["openings"]
    assert (first["number"], first["at"]) == (1, alice.now - 7)
    assert second == {"number": 2, "at": alice.now, "nonce": digest(nonce)}
    (only,) = (await bob.call("GET", "/v1/openings")).json()["openings"]
    assert only["nonce"] not in (first["nonce"], second["nonce"])


async def test_a_renewed_certificate_keeps_the_openings_and_another_key_of_the_number_has_its_own(world):
    alice, other = await world.device(ALICE), await world.device(ALICE)
    alice.use(world.roots.chain(alice.key, ALICE, alice.now, 1000), world.roots.anchors)
    await alice.open_session()
    assert len((await alice.call("GET", "/v1/openings")).json()["openings"]) == 2
    assert len((await other.call("GET", "/v1/openings")).json()["openings"]) == 1


async def test_a_refused_request_for_a_session_is_no_opening(world, problem_word):
    alice = await world.device(ALICE)
    request = alice.session_request()
    assert (await world.http.send(request)).status_code == 201
    assert problem_word(await world.http.send(request)) == "invalid-signature"
    forged = alice.session_request(key=ec.generate_private_key(ec.SECP256R1()))
    assert problem_word(await world.http.send(forged)) == "invalid-signature"
    assert len((await alice.call("GET", "/v1/openings")).json()["openings"]) == 2


async def test_a_session_ends_with_its_certificate_at_the_latest(world):
    alice = await world.device(ALICE, lifetime=120)
    granted = (await world.http.send(alice.session_request())).json()
    assert granted["expires_at"] <= alice.now + 120


async def test_every_other_address_needs_a_session(world, problem_word):
    for method, path in SESSION_ROUTES:
        for token in (None, "", "Bearer", "Bearer ", "Bearer !", "Bearer AAAA", "Basic AAAA", "Bearer é"):
            headers = {} if token is None else {"authorization": token.encode()}
            answer = await world.http.request(method, path, headers=headers)
            assert (answer.status_code, problem_word(answer)) == (401, "session-expired"), (path, token)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_is_good_for_its_time_only_and_cannot_be_altered(world, problem_word):
    alice = await world.device(ALICE)
    world.clock.now += SESSION_LIFETIME - 1
    assert (await alice.call("GET", "/v1/groups")).status_code == 200
    token, last = alice.token, alice.token[-8]
    alice.token = token[:-8] + ("A" if last != "A" else "B") + token[-7:]
    assert problem_word(await alice.call("GET", "/v1/groups")) == "session-expired"
    alice.token = token
    world.clock.now += 1
    assert problem_word(await alice.call("GET", "/v1/groups")) == "session-expired"


async def test_a_chain_of_another_root_is_refused(world, strange_roots, problem_word):
    alice = await world.device(ALICE)
    alice.use(strange_roots.chain(alice.key, ALICE, alice.now, 86_400), strange_roots.anchors)
    answer = await world.http.send(alice.session_request())
    assert (answer.status_code, problem_word(answer)) == (403, "credential-refused")


async def test_a_lapsed_certificate_is_refused(world, problem_word):
    alice = await world.device(ALICE, lifetime=120)
    world.clock.now += 121
    assert problem_word(await world.http.send(alice.session_request())) == "credential-refused"


@pytest.mark.parametrize("chain", [[], [b""], [b"not a certificate"], [b"\x30\x03\x02\x01\x01"] * 9])
async def test_a_chain_that_is_none_is_refused(world, problem_word, chain):
    alice = await world.device(ALICE)
    alice.chain = chain
    answer = await world.http.send(alice.session_request())
    assert problem_word(answer) == ("credential-refused" if chain else "malformed")


@pytest.mark.parametrize("age", [-SIGNATURE_MAX_AGE, SIGNATURE_MAX_AGE])
async def test_a_signature_may_be_a_minute_old_or_early(world, age):
    alice = await world.device(ALICE)
    assert (await world.http.send(alice.session_request(at=alice.now - age))).status_code == 201


def changed_body(request: httpx.Request) -> httpx.Request:
    return httpx.Request(request.method, request.url, headers=request.headers, content=request.content + b" ")


def without_signature(request: httpx.Request) -> httpx.Request:
    del request.headers["signature"]
    return request


def other_host(request: httpx.Request) -> httpx.Request:
    request.headers["host"] = "another.example"
    return request


async def test_a_signature_must_be_fresh_single_whole_and_the_devices(world, problem_word):
    alice = await world.device(ALICE)
    now = alice.now
    requests = {
        "old": alice.session_request(at=now - SIGNATURE_MAX_AGE - 1),
        "early": alice.session_request(at=now + SIGNATURE_MAX_AGE + 1),
        "expired": alice.session_request(expires=datetime.fromtimestamp(now - 1, UTC)),
        "another key": alice.session_request(key=ec.generate_private_key(ec.SECP256R1())),
        "another tag": alice.session_request(tag="something-else"),
        "no nonce": alice.session_request(nonce=None),
        "short nonce": alice.session_request(nonce="x" * 15),
        "long nonce": alice.session_request(nonce="x" * 129),
        "no authority": alice.session_request(covered_component_ids=[SIGNED_COMPONENTS[0], SIGNED_COMPONENTS[2]]),
        "no digest": alice.session_request(body=None),
        "changed body": changed_body(alice.session_request()),
        "unsigned": without_signature(alice.session_request()),
        "another host": other_host(alice.session_request()),
    }
    answers = {name: await world.http.send(request) for name, request in requests.items()}
    assert {name: problem_word(answer) for name, answer in answers.items()} == dict.fromkeys(
        requests, "invalid-signature"
    )
    assert {answer.status_code for answer in answers.values()} == {401}


async def test_a_request_signed_for_another_service_is_refused_although_the_signature_is_good(world, problem_word):
    alice = await world.device(ALICE)
    body = msgspec.json.encode({"chain": list(alice.chain)})
    headers = {"content-type": "application/json", "host": "another.example"}
    request = httpx.Request("POST", "http://another.example/v1/sessions", content=body, headers=headers)
    signed = alice.sign(request)
    signed.url = httpx.URL("http://delivery.example/v1/sessions")
    answer = await world.http.send(signed)
    assert problem_word(answer) == "invalid-signature"
    assert "another.example" in answer.json()["detail"]


async def test_a_signed_request_works_once(world, problem_word):
    alice = await world.device(ALICE)
    request = alice.session_request()
    assert (await world.http.send(request)).status_code == 201
    assert problem_word(await world.http.send(request)) == "invalid-signature"


async def test_a_claim_must_be_signed_by_the_sessions_device(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    assert problem_word(await alice.claim_answer(BOB, key=bob.key)) == "invalid-signature"
    assert (await alice.claim_answer(BOB)).status_code == 200
