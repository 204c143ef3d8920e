"""By what right an authority token is issued: a code, a certified device's key, a carrier's word."""

import dataclasses
import hashlib
import re

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.authority.errors import CarrierError
from identity.authority.status.revocations import end_tokens, revoke
from identity.authority.tokens.carriers import Carriers
from identity.authority.tokens.wire import AssertionClaims, CarrierRight, CodeRight, TokenRequest, sign_assertion
from identity.authority.wire import NUMBER_PROOF_LIFETIME, RENEWAL_GRACE
from identity.certificate_fields import certificate_tn_auth_list
from identity.certificates import verify_chain
from identity.enrolment.authority_token import TokenIssuers, identifier_value, verify_authority_token
from identity.enrolment.delegation import delegation_csr
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.status.revocation import Reason
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, one, private_key, thumbprint

DAY = 86_400
NUMBER = TelephoneNumber.from_digits("12025550117")
BOB = TelephoneNumber.from_digits("12025550143")
RANGE = TNAuthList((TelephoneNumberRange("12025550100", 100), ServiceProviderCode("1234")))

garbage = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def account(authority) -> AcmeAccount:
    return await authority.account()


async def roots(authority) -> TokenIssuers:
    pem = (await authority.http.get("/at/anchors.pem")).content
    return TokenIssuers(x509.load_pem_x509_certificates(pem))


async def granted(authority, account, response, value):
    """The token in an answer, verified as a certification authority does."""
    assert response.status_code == 200, response.text
    jwk = bytes.fromhex(account.fingerprint.removeprefix("SHA256 ").replace(":", ""))
    return verify_authority_token(response.json()["token"], value, jwk, await roots(authority), authority.clock.now)


async def test_a_code_gets_a_token_for_one_number_account_and_key(authority, account, device):
    challenge, code = await authority.challenge()

    response = await authority.token(challenge, account.by_code(code, device.number, device.key))

    token = await granted(authority, account, response, one(device.number))
    assert (token.ca, token.right, token.key) == (False, "code", thumbprint(device.key))
    assert token.expires_at == authority.clock.now + 600


async def test_a_lost_answer_is_asked_for_again_until_the_code_ends(authority, account, device, word):
    challenge, code = await authority.challenge()
    request = account.by_code(code, device.number, device.key)
    await authority.token(challenge, request)
    authority.clock.now += 599

    again = await authority.token(challenge, request)

    assert (await granted(authority, account, again, one(device.number))).key == thumbprint(device.key)
    authority.clock.now += 1
    assert word(await authority.token(challenge, request)) == "challenge-expired"


async def test_a_used_code_serves_no_other_account_or_key(authority, account, device, word):
    challenge, code = await authority.challenge()
    await authority.token(challenge, account.by_code(code, device.number, device.key))
    other = await authority.account()

    for request in (
        other.by_code(code, device.number, device.key),
        account.by_code(code, device.number, private_key()),
        account.by_code(code, device.number, None),
    ):
        assert word(await authority.token(challenge, request)) == "challenge-used"


async def test_a_request_that_cannot_be_served_costs_no_attempt(authority, account, device, word):
    challenge, code = await authority.challenge()
    good = account.by_code(code, device.number, device.key)
    for _ in range(6):
        for change in ({"tkvalue": one(BOB)}, {"tktype": "other"}, {"tkvalue": "AAAA"}, {"ca": True}):
            bad = msgspec.structs.replace(good, atc=msgspec.structs.replace(good.atc, **change))
            assert word(await authority.token(challenge, bad)) == "atc-refused"

    assert (await authority.token(challenge, good)).status_code == 200


async def test_a_token_may_leave_the_key_open_and_then_nothing_renews_on_it(authority, account, device, word):
    challenge, code = await authority.challenge()
    response = await authority.token(challenge, account.by_code(code, device.number, None))
    assert (await granted(authority, account, response, one(device.number))).key is None
    order = await account.order(one(device.number))
    await account.answer(order, response.json()["token"])
    issued = await authority.issued(account, order, device.csr())

    renewal = account.by_device(issued.chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", renewal)) == "number-proof-due"


async def test_the_address_fits_the_right(authority, account, device, word):
    request = account.by_code("123456", device.number, device.key)

    assert word(await authority.token("A" * 22, request)) == "unknown-challenge"
    assert word(await authority.token("device", request)) == "unknown-challenge"
    by_carrier = TokenRequest(request.atc, CarrierRight("a.b.c"))
    assert word(await authority.token("device", by_carrier)) == "right-refused"


# A certified device's key.


@pytest.fixture
async def chain(authority, account, device) -> list[bytes]:
    issued = await authority.issued(account, await authority.ready(account, device), device.csr())
    return issued.chain


async def test_a_proof_serves_once(authority, account, device, chain, word):
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    assert (await authority.token("device", request)).status_code == 200

    assert word(await authority.token("device", request)) == "proof-replayed"


async def test_a_rewritten_signature_is_the_same_proof(authority, account, device, chain, word):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    signing_input, _, signature = request.right.proof.rpartition(".")
    octets = jwt.utils.base64url_decode(signature)
    other_s = (order - int.from_bytes(octets[32:])).to_bytes(32)
    rewritten = f"{signing_input}.{jwt.utils.base64url_encode(octets[:32] + other_s).decode()}"
    assert rewritten != request.right.proof
    await authority.token("device", request)

    again = msgspec.structs.replace(request, right=msgspec.structs.replace(request.right, proof=rewritten))

    assert word(await authority.token("device", again)) == "proof-replayed"


@pytest.mark.parametrize("skew", [-61, 61])
async def test_a_proof_of_another_minute_is_refused(authority, account, device, chain, word, skew):
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now + skew)

    assert word(await authority.token("device", request)) == "proof-refused"


@pytest.mark.parametrize("change", [{"aud": "http://other.example"}, {"key": "A" * 43}, {"key": None}, {"atc": None}])
async def test_a_proof_for_something_else_is_refused(authority, account, device, chain, word, change):
    if "atc" in change:
        change = {"atc": (await authority.account()).atc(one(device.number))}
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now, **change)

    assert word(await authority.token("device", request)) == "proof-refused"


async def test_a_proof_by_another_key_is_refused(authority, account, device, chain, word):
    request = account.by_device(chain, private_key(), device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "proof-refused"


@pytest.mark.parametrize("headers", [None, {"typ": "passport"}, {"kid": "1", "typ": "ringtrue-right+jwt"}])
async def test_a_token_of_another_kind_is_no_proof(authority, account, device, chain, word, headers):
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    claims = jwt.PyJWS().decode_complete(request.right.proof, options={"verify_signature": False})["payload"]
    proof = jwt.PyJWS().encode(claims, device.key, algorithm="ES256", headers=headers)

    changed = msgspec.structs.replace(request, right=msgspec.structs.replace(request.right, proof=proof))

    assert word(await authority.token("device", changed)) == "proof-refused"


async def test_a_device_vouches_for_its_own_number_alone(authority, account, device, chain, word):
    request = account.by_device(chain, device.key, BOB, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "atc-refused"


async def test_a_certificate_counts_for_a_while_after_its_end(authority, account, device, chain, word):
    end = x509.load_der_x509_certificate(chain[0]).not_valid_after_utc.timestamp()
    authority.clock.now = int(end) + RENEWAL_GRACE - 1
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    assert (await authority.token("device", request)).status_code == 200

    authority.clock.now += 1
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    assert word(await authority.token("device", request)) == "chain-refused"


async def test_a_chain_of_another_authority_is_refused(authority, account, device, word):
    now = authority.clock.now
    root_key, root = create_root("Elsewhere", now, 100 * DAY)
    authority_list = TNAuthList((OneNumber(device.number.digits),))
    issuer_key, issuer = create_issuer(root_key, root, "Elsewhere", authority_list, now, 100 * DAY)
    leaf = issue_device_certificate(issuer_key, issuer, device.key.public_key(), device.number, now)
    chain = [each.public_bytes(Encoding.DER) for each in (leaf, issuer)]

    request = account.by_device(chain, device.key, device.number, device.key, now)

    assert word(await authority.token("device", request)) == "chain-refused"


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x00"], [b"x"] * 9])
async def test_what_is_no_chain_is_refused(authority, account, device, word, chain):
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "chain-refused"


async def renewed(authority, account, device, chain, until) -> list[bytes]:
    """Renew every six days until shortly before a time, then let it come; the last chain."""
    while authority.clock.now + 6 * DAY < until:
        authority.clock.now += 6 * DAY
        order = await account.order(one(device.number))
        request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
        await account.answer(order, (await authority.token("device", request)).json()["token"])
        chain = (await authority.issued(account, order, device.csr())).chain
    authority.clock.now = until
    return chain


async def test_a_number_is_proved_again_after_ninety_days_whatever_was_renewed(authority, account, device, chain, word):
    end = authority.clock.now + NUMBER_PROOF_LIFETIME
    chain = await renewed(authority, account, device, chain, end - 1)
    early = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    assert (await authority.token("device", early)).status_code == 200
    authority.clock.now = end

    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "number-proof-due"


async def test_a_second_device_inherits_the_age_of_the_proof(authority, account, device, chain, make_device, word):
    proved, second = authority.clock.now, make_device()
    authority.clock.now += 6 * DAY
    request = account.by_device(chain, device.key, device.number, second.key, authority.clock.now)
    order = await account.order(one(device.number))
    await account.answer(order, (await authority.token("device", request)).json()["token"])
    others = (await authority.issued(account, order, second.csr())).chain
    others = await renewed(authority, account, second, others, proved + NUMBER_PROOF_LIFETIME)

    late = account.by_device(others, second.key, second.number, second.key, authority.clock.now)

    assert word(await authority.token("device", late)) == "number-proof-due"


async def test_who_proves_a_number_anew_does_not_prolong_its_earlier_holder(
    authority, account, device, chain, make_device, word
):
    """A recycled number: the former holder's key goes by its own proof, not by the new holder's."""
    end = authority.clock.now + NUMBER_PROOF_LIFETIME
    chain = await renewed(authority, account, device, chain, end - 1)
    holder = await authority.account()
    await authority.ready(holder, make_device())
    authority.clock.now = end

    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "number-proof-due"


async def test_a_number_that_was_handed_over_is_proved_anew(authority, account, device, chain, word):
    with authority.tokens.transaction():
        assert authority.tokens.forget_number(device.number, authority.clock.now) == 1

    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "number-proof-due"


async def test_a_token_of_before_the_handing_over_gets_no_certificate(authority, account, device, acme_problem):
    order = await authority.ready(account, device)
    authority.clock.now += 1
    with authority.store.transaction():
        end_tokens(authority.store, device.number.digits, authority.clock.now)

    assert acme_problem(await account.finalize(order, device.csr()))[0] == "rejectedIdentifier"
    new = await authority.account()
    assert (await authority.issued(new, await authority.ready(new, device), device.csr())).chain


async def test_a_revoked_certificate_gives_no_right(authority, account, device, chain, word):
    with authority.store.transaction():
        revoke(authority.store, hashlib.sha256(chain[0]).digest(), Reason.superseded, authority.clock.now)

    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    assert word(await authority.token("device", request)) == "chain-refused"


async def test_a_number_is_renewed_at_most_48_times_a_day(authority, account, device, chain, word):
    def request():
        return account.by_device(chain, device.key, device.number, device.key, authority.clock.now)

    for _ in range(48):
        assert (await authority.token("device", request())).status_code == 200

    assert word(await authority.token("device", request())) == "rate-limited"


async def test_narrower_prefixes_end_tokens_outside_them(open_at, device, word):
    before = await open_at()
    account = await before.account()
    chain = (await before.issued(account, await before.ready(account, device), device.csr())).chain
    after = await open_at(allow=("+44",))

    request = account.by_device(chain, device.key, device.number, device.key, after.clock.now)

    assert word(await after.token("device", request)) == "number-refused"


# A carrier's word.


@dataclasses.dataclass
class Carrier:
    """A carrier's key and certificate."""

    key: object
    certificate: x509.Certificate

    def assertion(self, account: AcmeAccount, value: str, now: int, ca: bool = False, **changes) -> TokenRequest:
        atc = account.atc(value, ca=ca)
        claims = msgspec.structs.replace(AssertionClaims(BASE_URL, atc, now, now + 300, "1"), **changes)
        return TokenRequest(atc, CarrierRight(sign_assertion(self.key, claims)))


@pytest.fixture
def carrier(clock) -> Carrier:
    root_key, root = create_root("Carriers", clock.now, 100 * DAY)
    return Carrier(*create_issuer(root_key, root, "Carrier", RANGE, clock.now, 50 * DAY))


@pytest.fixture
async def open_for(open_at, carrier, tmp_path):
    file = tmp_path / "carrier.pem"
    file.write_bytes(carrier.certificate.public_bytes(Encoding.PEM))
    return await open_at(carriers=Carriers.read([file]))


async def test_a_carrier_vouches_for_a_number_of_its_own(open_for, carrier, device):
    account, now = await open_for.account(), open_for.clock.now
    request = carrier.assertion(account, one(device.number), now)
    request = msgspec.structs.replace(request, key=thumbprint(device.key))

    response = await open_for.token("carrier", request)

    assert (await granted(open_for, account, response, one(device.number))).right == "carrier"
    order = await account.order(one(device.number))
    await account.answer(order, response.json()["token"])
    issued = await open_for.issued(account, order, device.csr())
    renewal = account.by_device(issued.chain, device.key, device.number, device.key, now)
    assert (await open_for.token("device", renewal)).status_code == 200


@pytest.mark.parametrize(
    "entries",
    [
        (TelephoneNumberRange("12025550110", 10),),
        (OneNumber("12025550142"), ServiceProviderCode("1234")),
        (ServiceProviderCode("1234"),),
    ],
)
async def test_a_carrier_vouches_for_an_authority_below_it(open_for, carrier, entries):
    account, value = await open_for.account(), identifier_value(TNAuthList(entries))

    response = await open_for.token("carrier", carrier.assertion(account, value, open_for.clock.now, ca=True))

    assert (await granted(open_for, account, response, value)).ca


async def test_a_carriers_word_gets_a_sub_issuer_certified(open_for, carrier, acme_problem):
    account, key = await open_for.account(), private_key()
    wanted = TNAuthList((TelephoneNumberRange("12025550110", 10),))
    order = await account.order(identifier_value(wanted))
    request = carrier.assertion(account, identifier_value(wanted), open_for.clock.now, ca=True)
    await account.answer(order, (await open_for.token("carrier", request)).json()["token"])
    as_end_entity = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    word, problem = acme_problem(await account.finalize(order, as_end_entity.public_bytes(Encoding.DER)))
    assert (word, problem.check) == ("badCSR", 9)

    issued = await open_for.issued(account, order, delegation_csr(key, "Enterprise", wanted))

    sub_issuer, *above = (x509.load_der_x509_certificate(der) for der in issued.chain)
    assert certificate_tn_auth_list(sub_issuer) == wanted
    assert sub_issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    leaf = issue_device_certificate(key, sub_issuer, private_key().public_key(), NUMBER, open_for.clock.now)
    chain = [each.public_bytes(Encoding.DER) for each in (leaf, sub_issuer, *above)]
    assert verify_chain(chain, await open_for.anchors(), open_for.clock.now).number == NUMBER


async def test_a_list_is_certified_for_no_end_entity(open_for, carrier, device, acme_problem):
    account = await open_for.account()
    value = identifier_value(TNAuthList((TelephoneNumberRange("12025550110", 10),)))
    order = await account.order(value)
    token = (await open_for.token("carrier", carrier.assertion(account, value, open_for.clock.now))).json()["token"]
    assert (await account.answer(order, token)).json()["status"] == "valid"
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))

    csr = builder.sign(device.key, hashes.SHA256()).public_bytes(Encoding.DER)

    assert acme_problem(await account.finalize(order, csr))[0] == "rejectedIdentifier"


@pytest.mark.parametrize(
    "entries",
    [
        (OneNumber("12025550200"),),
        (OneNumber("12025550142"), OneNumber("12025550200")),
        (TelephoneNumberRange("12025550190", 20),),
        (ServiceProviderCode("5678"),),
    ],
)
async def test_a_carrier_does_not_vouch_for_others_numbers(open_for, carrier, word, entries):
    account, value = await open_for.account(), identifier_value(TNAuthList(entries))

    response = await open_for.token("carrier", carrier.assertion(account, value, open_for.clock.now))

    assert word(response) == "right-refused"


@pytest.mark.parametrize(
    "change",
    [{"aud": "http://other.example"}, {"iat": 61}, {"exp": 0}, {"exp": 601}, {"atc": None}],
)
async def test_an_assertion_of_another_time_or_place_is_refused(open_for, carrier, device, word, change):
    account, now = await open_for.account(), open_for.clock.now
    change = {name: now + value if isinstance(value, int) else value for name, value in change.items()}
    if "atc" in change:
        change = {"atc": (await open_for.account()).atc(one(device.number))}

    response = await open_for.token("carrier", carrier.assertion(account, one(device.number), now, **change))

    assert word(response) == "right-refused"


async def test_an_assertion_by_nobody_known_is_refused(open_for, carrier, device, word):
    account, stranger = await open_for.account(), dataclasses.replace(carrier, key=private_key())

    response = await open_for.token("carrier", stranger.assertion(account, one(device.number), open_for.clock.now))

    assert word(response) == "right-refused"


async def test_a_carrier_whose_certificate_has_ended_vouches_for_nobody(open_for, carrier, device, word):
    account = await open_for.account()
    open_for.clock.now += 51 * DAY

    response = await open_for.token("carrier", carrier.assertion(account, one(device.number), open_for.clock.now))

    assert word(response) == "right-refused"


def test_a_file_without_a_carriers_certificate_is_refused(tmp_path):
    file = tmp_path / "carrier.pem"
    key = private_key()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for content in (b"", b"nothing", builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)):
        file.write_bytes(content)
        with pytest.raises(CarrierError, match=re.escape(str(file))):
            Carriers.read([file])
    _, root = create_root("No numbers", 1_795_000_000, DAY)
    file.write_bytes(root.public_bytes(Encoding.PEM))
    with pytest.raises(CarrierError, match="speaks for nobody"):
        Carriers.read([file])


@given(
    right=st.one_of(
        st.builds(CarrierRight, st.text("abAB01-_.", min_size=1, max_size=60)),
        st.builds(CodeRight, st.from_regex(r"\A[0-9]{6}\Z")),
    ),
    value=st.text("abAB01-_", min_size=1, max_size=40),
    subject=st.sampled_from(["device", "carrier", "A" * 22]),
)
@garbage
async def test_well_shaped_nonsense_is_a_problem(open_for, account, word, right, value, subject):
    response = await open_for.token(subject, TokenRequest(account.atc(value), right))
    open_for.clock.now += DAY

    assert word(response) in ("atc-refused", "right-refused", "unknown-challenge")
