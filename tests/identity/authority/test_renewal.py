"""The old key's proof renews a certificate: once per proof, for the same number, not forever."""

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.wire import RENEWAL_GRACE, IssuedChain
from identity.binding import DeviceVerifier
from identity.certificates import public_point
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

DAY = 86_400


async def test_a_renewed_device_keeps_number_and_key(authority, device):
    old = await authority.enrol(device)
    authority.clock.now += 5 * DAY
    csr = device.csr()

    response = await authority.renew(old.chain, csr, authority.proof(device, csr))

    assert response.status_code == 201
    new = msgspec.json.decode(response.content, type=IssuedChain)
    verifier = DeviceVerifier(await authority.anchors())
    key = public_point(device.key.public_key())
    before = verifier.verify(old.chain, key, authority.clock.now)
    after = verifier.verify(new.chain, key, authority.clock.now)
    verifier.check_successor(old.chain, new.chain)
    assert after.identity == before.identity
    assert new.not_after == old.not_after + 5 * DAY
    assert (await authority.http.get(new.x5u)).status_code == 200
    assert (await authority.http.get(old.x5u)).status_code == 200


async def test_a_renewal_may_bring_a_new_key(authority, device, make_device):
    old = await authority.enrol(device)
    csr = make_device().csr()

    assert (await authority.renew(old.chain, csr, authority.proof(device, csr))).status_code == 201


async def test_a_proof_serves_once(authority, device, word):
    old = await authority.enrol(device)
    csr = device.csr()
    proof = authority.proof(device, csr)
    await authority.renew(old.chain, csr, proof)

    assert word(await authority.renew(old.chain, csr, proof)) == "proof-replayed"


async def test_a_rewritten_signature_is_the_same_proof(authority, device, word):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    old = await authority.enrol(device)
    csr = device.csr()
    proof = authority.proof(device, csr)
    signing_input, _, signature = proof.rpartition(".")
    octets = jwt.utils.base64url_decode(signature)
    other_s = (order - int.from_bytes(octets[32:])).to_bytes(32)
    rewritten = f"{signing_input}.{jwt.utils.base64url_encode(octets[:32] + other_s).decode()}"
    await authority.renew(old.chain, csr, proof)

    assert rewritten != proof
    assert word(await authority.renew(old.chain, csr, rewritten)) == "proof-replayed"


@pytest.mark.parametrize("skew", [-61, 61])
async def test_a_proof_of_another_minute_is_refused(authority, device, word, skew):
    old = await authority.enrol(device)
    csr = device.csr()
    proof = authority.proof(device, csr, iat=authority.clock.now + skew)

    assert word(await authority.renew(old.chain, csr, proof)) == "proof-refused"


@pytest.mark.parametrize("change", [{"aud": "http://other.example"}, {"csr": "00" * 32}, {"csr": "é"}])
async def test_a_proof_for_something_else_is_refused(authority, device, word, change):
    old = await authority.enrol(device)
    csr = device.csr()

    assert word(await authority.renew(old.chain, csr, authority.proof(device, csr, **change))) == "proof-refused"


async def test_a_proof_by_another_key_is_refused(authority, device, make_device, word):
    old = await authority.enrol(device)
    thief = make_device()
    csr = thief.csr()

    assert word(await authority.renew(old.chain, csr, authority.proof(thief, csr))) == "proof-refused"


@pytest.mark.parametrize(
    ("algorithm", "headers"),
    [("ES256", None), ("ES256", {"typ": "passport"}), ("ES256", {"kid": "1", "typ": "ringtrue-renewal+jwt"})],
)
async def test_a_token_of_another_kind_is_no_proof(authority, device, word, algorithm, headers):
    old = await authority.enrol(device)
    csr = device.csr()
    claims = jwt.PyJWS().decode_complete(authority.proof(device, csr), options={"verify_signature": False})["payload"]
    token = jwt.PyJWS().encode(claims, device.key, algorithm=algorithm, headers=headers)

    assert word(await authority.renew(old.chain, csr, token)) == "proof-refused"


async def test_an_unsigned_token_is_no_proof(authority, device, word):
    old = await authority.enrol(device)
    csr = device.csr()
    payload = authority.proof(device, csr).split(".")[1]
    header = jwt.utils.base64url_encode(b'{"alg":"none","typ":"ringtrue-renewal+jwt"}').decode()

    assert word(await authority.renew(old.chain, csr, f"{header}.{payload}.")) == "proof-refused"


async def test_a_chain_is_renewable_until_its_grace_is_over(authority, device, make_device, word):
    early, late = await authority.enrol(device), await authority.enrol(late_device := make_device())
    authority.clock.now = early.not_after + RENEWAL_GRACE - 1
    csr = device.csr()
    assert (await authority.renew(early.chain, csr, authority.proof(device, csr))).status_code == 201

    authority.clock.now = late.not_after + RENEWAL_GRACE
    csr = late_device.csr()
    assert word(await authority.renew(late.chain, csr, authority.proof(late_device, csr))) == "chain-refused"


async def test_a_chain_of_another_authority_is_not_renewed(authority, device, word):
    now = authority.clock.now
    root_key, root = create_root("Elsewhere", now, 100 * DAY)
    authority_list = TNAuthList((OneNumber(device.number.digits),))
    issuer_key, issuer = create_issuer(root_key, root, "Elsewhere", authority_list, now, 100 * DAY)
    leaf = issue_device_certificate(issuer_key, issuer, device.key.public_key(), device.number, now)
    chain = [der(leaf), der(issuer)]
    csr = device.csr()

    assert word(await authority.renew(chain, csr, authority.proof(device, csr))) == "chain-refused"


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x00"], [b"x"] * 9])
async def test_what_is_no_chain_is_refused(authority, device, word, chain):
    csr = device.csr()

    assert word(await authority.renew(chain, csr, authority.proof(device, csr))) == "chain-refused"


async def test_a_request_for_another_number_is_refused(authority, device, make_device, word):
    old = await authority.enrol(device)
    csr = make_device(TelephoneNumber.from_digits("12025550143"), device.key).csr()

    assert word(await authority.renew(old.chain, csr, authority.proof(device, csr))) == "csr-refused"


async def test_a_number_must_be_proved_again_after_ninety_days(authority, device, word):
    chain = (await authority.enrol(device)).chain
    for _ in range(14):
        authority.clock.now += 6 * DAY
        csr = device.csr()
        response = await authority.renew(chain, csr, authority.proof(device, csr))
        assert response.status_code == 201
        chain = msgspec.json.decode(response.content, type=IssuedChain).chain
    authority.clock.now += 6 * DAY

    csr = device.csr()
    assert word(await authority.renew(chain, csr, authority.proof(device, csr))) == "number-proof-due"


async def test_a_number_is_renewed_at_most_48_times_a_day(authority, device, word):
    old = await authority.enrol(device)
    for _ in range(48):
        csr = device.csr()
        assert (await authority.renew(old.chain, csr, authority.proof(device, csr))).status_code == 201

    csr = device.csr()
    assert word(await authority.renew(old.chain, csr, authority.proof(device, csr))) == "rate-limited"


async def test_narrower_prefixes_end_renewals_outside_them(open_at, device, word):
    before = await open_at()
    old = await before.enrol(device)
    after = await open_at(allow=("+44",))
    csr = device.csr()

    assert word(await after.renew(old.chain, csr, after.proof(device, csr))) == "number-refused"


def der(certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
