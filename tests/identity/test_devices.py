"""Which MLS credentials are devices of a number (RFC 9420 §5.3.1, with the profile's rules)."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from identity.binding import DeviceVerifier
from identity.certificate_fields import CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.certificates import TrustAnchors, public_point
from identity.claim_constraints import ClaimConstraints
from identity.device import MEMBER_GRACE
from identity.errors import BindingError, CertificateError, IdentityError
from identity.issuing import MESSAGING_ONLY
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from tests.identity.conftest import ALICE, BOB, LEAF_FIELDS, NOW, Authority, Extension, one, private_key, tn_extension

AUTHORITY = Authority()
KEY = private_key(1)
POINT = public_point(KEY.public_key())
CHAIN = AUTHORITY.device_chain(KEY, ALICE)


def devices() -> DeviceVerifier:
    return DeviceVerifier(AUTHORITY.anchors)


def constrained(constraints: ClaimConstraints) -> Extension:
    return x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, constraints.encode_9118()), False


def test_a_device_is_its_number_and_its_key() -> None:
    device = devices().verify(CHAIN, POINT, NOW)
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert device.number == ALICE
    assert device.identity == b"+12025550142/" + hashlib.sha256(spki).hexdigest()[:32].encode()


def test_two_devices_of_a_number_differ_and_a_renewal_does_not() -> None:
    verifier = devices()
    other = verifier.verify(
        AUTHORITY.device_chain(private_key(2), ALICE), public_point(private_key(2).public_key()), NOW
    )
    renewed = verifier.verify(AUTHORITY.device_chain(KEY, ALICE, lifetime=86_400), POINT, NOW)
    first = verifier.verify(CHAIN, POINT, NOW)
    assert first.chain.certificates != renewed.chain.certificates
    assert first.identity == renewed.identity != other.identity
    assert other.number == first.number


def test_the_certificate_must_be_for_the_signature_key_of_the_leaf() -> None:
    with pytest.raises(BindingError) as refused:
        devices().verify(CHAIN, public_point(private_key(2).public_key()), NOW)
    assert (refused.value.check, refused.value.code) == (4, "key")


@pytest.mark.parametrize(
    "entries", [(TelephoneNumberRange("12025550140", 5),), (*one(ALICE).entries, *one(BOB).entries)]
)
def test_a_device_has_exactly_one_number(entries: tuple[TelephoneNumberRange, ...]) -> None:
    chain = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(TNAuthList(entries)), constrained(MESSAGING_ONLY)))
    with pytest.raises(BindingError) as refused:
        devices().verify(chain, POINT, NOW)
    assert (refused.value.check, refused.value.code) == (6, "number")


@pytest.mark.parametrize(
    "constraints",
    [
        (),
        (constrained(ClaimConstraints(("msgi",))),),
        (constrained(ClaimConstraints((), (), ("attest", "origid"))),),
        (constrained(ClaimConstraints(("msgi",), (), ("attest",))),),
        (constrained(ClaimConstraints(("msgi",), (), ("attest", "iat", "origid"))),),
        (
            constrained(MESSAGING_ONLY),
            (x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, ClaimConstraints(("msgi",)).encode_9118()), False),
        ),
    ],
    ids=["none", "attest allowed", "msgi not needed", "origid allowed", "void", "both forms"],
)
def test_a_device_is_for_messaging_only(constraints: tuple[Extension, ...]) -> None:
    chain = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), *constraints))
    with pytest.raises(BindingError) as refused:
        devices().verify(chain, POINT, NOW)
    assert (refused.value.check, refused.value.code) == (7, "constraints")


def test_an_expired_or_untrusted_chain_is_no_device() -> None:
    for verifier, now in ((devices(), NOW + 10**8), (DeviceVerifier(Authority(private_key(5)).anchors), NOW)):
        with pytest.raises(CertificateError):
            verifier.verify(CHAIN, POINT, now)


def test_a_member_is_recognised_until_its_grace_is_over() -> None:
    end = devices().verify(CHAIN, POINT, NOW).chain.not_after
    for now in (NOW, end, end + 1, end + MEMBER_GRACE):
        assert devices().verify_member(CHAIN, POINT, now).number == ALICE
    with pytest.raises(CertificateError, match="too long") as refused:
        devices().verify_member(CHAIN, POINT, end + MEMBER_GRACE + 1)
    assert refused.value.code == "expired"


def test_a_member_that_has_ended_meets_every_other_check_as_of_its_end() -> None:
    after = devices().verify(CHAIN, POINT, NOW).chain.not_after + 1
    with pytest.raises(BindingError) as refused:
        devices().verify_member(CHAIN, public_point(private_key(2).public_key()), after)
    assert refused.value.code == "key"
    with pytest.raises(CertificateError):
        DeviceVerifier(TrustAnchors(())).verify_member(CHAIN, POINT, after)
    with pytest.raises(CertificateError):
        devices().verify_member((), POINT, after)


def test_a_successor_has_the_same_number() -> None:
    verifier = devices()
    verifier.check_successor(CHAIN, AUTHORITY.device_chain(private_key(2), ALICE))
    with pytest.raises(BindingError) as refused:
        verifier.check_successor(CHAIN, AUTHORITY.device_chain(KEY, BOB))
    assert refused.value.code == "successor"


@pytest.mark.parametrize(("old", "new"), [((), CHAIN), (CHAIN, ()), (CHAIN[1:], CHAIN[1:]), (CHAIN, CHAIN[1:])])
def test_what_has_no_number_has_no_successor(old: tuple[bytes, ...], new: tuple[bytes, ...]) -> None:
    with pytest.raises(BindingError):
        devices().check_successor(old, new)


@given(st.lists(st.binary(max_size=100), max_size=3), st.binary(max_size=70))
def test_any_octets_are_no_device(chain: list[bytes], key: bytes) -> None:
    with pytest.raises(IdentityError):
        devices().verify(chain, key, NOW)
    with pytest.raises(IdentityError):
        devices().check_successor(chain, CHAIN)
