"""A contact request proves its number by itself: each check breaks one thing of a genuine one."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from client.defence.contact_proof import CLOCK_TOLERANCE, prove, request_digest
from client.errors import ContactProofError
from client.services.delivery import CONTACT_REQUESTS
from client.services.signing import RequestSigner
from delivery_service.wire import (
    CONTACT_REQUEST_LIFETIME,
    SIGNATURE_FIELD_LIMIT,
    SIGNATURE_MAX_AGE,
    AskedContact,
    ContactRequest,
)
from identity.device import DeviceVerifier
from tests.client.delivery_scene import ALICE, BOB, HOST, NOW, YEAR, Scene

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group


@dataclass
class Genuine:
    """Alice's request to Bob, as a service passes it on."""

    scene: Scene
    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]

    def asked(self, **changes: object) -> AskedContact:
        key, now = changes.pop("key", self.key), changes.pop("now", NOW)
        number, chain = changes.pop("number", BOB.e164), changes.pop("chain", self.chain)
        body = msgspec.json.encode({"number": number, "chain": list(chain)})
        method, path = changes.pop("method", "POST"), changes.pop("path", CONTACT_REQUESTS)
        request = httpx.Request(method, f"https://{HOST}{path}", content=body)
        RequestSigner(key, self.chain[0]).sign(request, now)
        fields = {
            "at": NOW,
            "authority": request.headers["host"],
            "signature_input": request.headers["signature-input"],
            "signature": request.headers["signature"],
            "body": body,
        }
        return AskedContact(**{**fields, **changes})

    def refuse(self, asked: AskedContact, words: str, now: int = NOW) -> None:
        with pytest.raises(ContactProofError, match=words):
            prove(asked, self.verifier, BOB, now)

    @property
    def verifier(self) -> DeviceVerifier:
        return DeviceVerifier(self.scene.anchors)


def make_genuine() -> Genuine:
    scene, key = Scene(), ec.generate_private_key(ec.SECP256R1())
    return Genuine(scene, key, scene.chain(key, ALICE))


GENUINE = make_genuine()


def test_a_genuine_request_proves_its_number():
    asked = GENUINE.asked()
    proven = prove(asked, GENUINE.verifier, BOB, NOW)
    assert (proven.number, proven.chain, proven.at) == (ALICE, GENUINE.chain, NOW)
    assert proven.identity.startswith(ALICE.e164.encode())


def test_a_service_makes_no_second_request_of_one_by_what_is_not_signed():
    asked = GENUINE.asked()
    label, covered = asked.signature_input.split("=", 1)
    signature = asked.signature.removeprefix(label)
    for changes in (
        {"authority": asked.authority.upper()},
        {"signature_input": f"other={covered}", "signature": f"other{signature}"},
    ):
        again = msgspec.structs.replace(asked, **changes)
        assert prove(again, GENUINE.verifier, BOB, NOW).number == ALICE
        assert request_digest(again) == request_digest(asked)


def test_the_service_s_time_is_not_believed():
    assert prove(GENUINE.asked(at=0), GENUINE.verifier, BOB, NOW).at == NOW


def test_a_chain_of_another_root_is_refused():
    other = Scene()
    chain = other.chain(GENUINE.key, ALICE)
    GENUINE.refuse(GENUINE.asked(chain=chain), "certificate is not accepted")
    assert prove(GENUINE.asked(chain=chain), DeviceVerifier(other.anchors), BOB, NOW).number == ALICE


def test_a_chain_must_be_valid_when_it_signs_and_may_end_while_the_request_waits():
    end = NOW + YEAR
    GENUINE.refuse(GENUINE.asked(now=end + 1), "certificate is not accepted", end + 1)
    assert prove(GENUINE.asked(now=end - 1), GENUINE.verifier, BOB, end + CONTACT_REQUEST_LIFETIME)


def test_a_request_of_somebody_else_s_key_is_refused():
    stolen = ec.generate_private_key(ec.SECP256R1())
    GENUINE.refuse(GENUINE.asked(key=stolen), "not signed by the key")


def test_a_request_to_somebody_else_is_refused():
    GENUINE.refuse(GENUINE.asked(number=ALICE.e164), "for another number")


def test_a_request_whose_body_was_exchanged_is_refused():
    body = msgspec.json.encode(ContactRequest(BOB.e164, list(GENUINE.chain[:1] + GENUINE.chain[1:])))
    GENUINE.refuse(GENUINE.asked(number=ALICE.e164, body=body), "not signed by the key")


def test_a_request_without_certificates_is_refused():
    GENUINE.refuse(GENUINE.asked(chain=()), "without a certificate")


def test_words_in_a_request_are_refused():
    body = msgspec.json.encode({"number": BOB.e164, "chain": list(GENUINE.chain), "text": "hello"})
    GENUINE.refuse(GENUINE.asked(body=body), "not a contact request")


@pytest.mark.parametrize("path", ["/v1/key-packages/claims", "/v1/contact-requests/"])
def test_a_signature_over_another_address_is_refused(path):
    GENUINE.refuse(GENUINE.asked(path=path), "not signed by the key")


def test_a_signature_over_another_method_or_service_is_refused():
    GENUINE.refuse(GENUINE.asked(method="PUT"), "not signed by the key")
    GENUINE.refuse(GENUINE.asked(authority="elsewhere.example"), "not signed by the key")


def test_a_signature_that_leaves_out_the_body_is_refused():
    asked = GENUINE.asked()
    short = asked.signature_input.replace(' "content-digest"', "")
    GENUINE.refuse(msgspec.structs.replace(asked, signature_input=short), "does not cover")


@pytest.mark.parametrize("tag", ['"ringtrue-other"', '""'])
def test_a_signature_with_another_purpose_is_refused(tag):
    asked = GENUINE.asked()
    other = asked.signature_input.replace('"ringtrue-delivery"', tag)
    GENUINE.refuse(msgspec.structs.replace(asked, signature_input=other), "for something else")


def test_a_request_stands_for_so_long():
    asked = GENUINE.asked()
    last = NOW + CONTACT_REQUEST_LIFETIME + SIGNATURE_MAX_AGE
    assert prove(asked, GENUINE.verifier, BOB, last)
    GENUINE.refuse(asked, "within the time", last + 1)
    assert prove(GENUINE.asked(now=NOW + CLOCK_TOLERANCE), GENUINE.verifier, BOB, NOW)
    GENUINE.refuse(GENUINE.asked(now=NOW + CLOCK_TOLERANCE + 1), "within the time")


@pytest.mark.parametrize("signature", ["", "device=:", "device=::", "other=:AAAA:", "device=:!!!!:", "device=:é:"])
def test_a_signature_that_is_none_is_refused(signature):
    GENUINE.refuse(GENUINE.asked(signature=signature), "signature|signed")


def test_a_long_field_is_refused():
    asked = GENUINE.asked()
    long = asked.signature_input + f';note="{"n" * SIGNATURE_FIELD_LIMIT}"'
    GENUINE.refuse(msgspec.structs.replace(asked, signature_input=long), "does not cover")


def test_a_second_signature_of_the_same_request_is_the_same_request():
    asked = GENUINE.asked()
    octets = b64decode(asked.signature.removeprefix("device=:").removesuffix(":"))
    twin = octets[:32] + (ORDER - int.from_bytes(octets[32:])).to_bytes(32)
    again = msgspec.structs.replace(asked, signature=f"device=:{b64encode(twin).decode()}:", at=1)
    assert prove(again, GENUINE.verifier, BOB, NOW).number == ALICE
    assert request_digest(again) == request_digest(asked)


hostile = st.text(max_size=200)


@given(hostile, hostile, hostile, st.binary(max_size=300))
def test_whatever_a_service_passes_on_is_refused_in_words(authority, signature_input, signature, body):
    GENUINE.refuse(AskedContact(0, authority, signature_input, signature, body), ".")
    genuine = GENUINE.asked()
    for field, value in (("authority", authority), ("signature_input", signature_input), ("signature", signature)):
        changed = msgspec.structs.replace(genuine, **{field: value})
        assert isinstance(request_digest(changed), bytes)
        GENUINE.refuse(changed, ".")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_request_with_one_octet_changed_is_refused(place, change):
    genuine = GENUINE.asked()
    body = bytearray(genuine.body)
    body[place % len(body)] ^= change
    GENUINE.refuse(msgspec.structs.replace(genuine, body=bytes(body)), ".")
