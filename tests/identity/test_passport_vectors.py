"""The published PASSporTs, and those made from the published key: which verify, and why the others must not."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from identity.base64url import decode_base64url
from identity.errors import PassportError
from identity.number import TelephoneNumber
from identity.passport import (
    DeterministicES256,
    canonical_json,
    check_digest,
    message_digest,
    parse_passport,
    sign_passport,
    split_token,
    verify_signature,
)
from tests.identity import published
from tests.identity.conftest import sign_parts

PRIVATE = load_pem_private_key(published.RFC_8225_PRIVATE_KEY, None)
assert isinstance(PRIVATE, ec.EllipticCurvePrivateKey)
A1 = PRIVATE
A1_PUBLIC = A1.public_key()
A2_PUBLIC = load_pem_public_key(published.RFC_8225_PUBLIC_KEY)
assert isinstance(A2_PUBLIC, ec.EllipticCurvePublicKey)


def test_the_published_private_key() -> None:
    value = 0x8BBAB64D9BCDF550C583C572A823F4E9B113AD1DAFF0C46FAFCF6B9F88BE5006
    assert A1.private_numbers().private_value == value
    assert A1.public_key() == ec.derive_private_key(value, ec.SECP256R1()).public_key()
    assert A1.public_key() != A2_PUBLIC


def test_rfc_6979_sample() -> None:
    key = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
    signature = DeterministicES256(DeterministicES256.SHA256).sign(b"sample", key)
    assert signature.hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def test_section_7_has_a_good_signature_over_a_string_iat() -> None:
    token = split_token(published.RFC_8225_SECTION_7)
    assert isinstance(A2_PUBLIC, ec.EllipticCurvePublicKey)
    verify_signature(token, A2_PUBLIC)
    assert token.unverified_claims["iat"] == "1443208345"
    as_msg = canonical_json(dict(token.unverified_claims) | {"msgi": message_digest(b"")})
    assert refused_claims(as_msg) == (3, "iat")


def refused_claims(payload: bytes) -> tuple[int, str]:
    header = canonical_json({"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": "https://cert.example.org/a.cer"})
    with pytest.raises(PassportError) as refused:
        parse_passport(sign_parts(A1, header, payload))
    return refused.value.check, refused.value.code


@pytest.mark.parametrize("public_key", [A1_PUBLIC, A2_PUBLIC], ids=["A.1", "A.2"])
def test_appendix_a_verifies_with_neither_printed_key(public_key: ec.EllipticCurvePublicKey) -> None:
    with pytest.raises(PassportError) as refused:
        verify_signature(split_token(published.RFC_8225_APPENDIX_A), public_key)
    assert (refused.value.check, refused.value.code) == (8, "signature")


def test_appendix_a_is_canonical() -> None:
    token = split_token(published.RFC_8225_APPENDIX_A)
    assert canonical_json(token.unverified_claims) == (
        b'{"dest":{"uri":["sip:alice@example.com"]},"iat":1471375418,"orig":{"tn":"12155551212"}}'
    )
    assert canonical_json(token.unverified_header) == decode_base64url(published.RFC_8225_APPENDIX_A.split(b".")[0])


def test_t0_verifies_and_is_reproduced() -> None:
    verify_signature(split_token(published.T0), A1_PUBLIC)
    signature = DeterministicES256(DeterministicES256.SHA256).sign(published.APPENDIX_A_SIGNING_INPUT, A1)
    assert signature == decode_base64url(published.T0.split(b".")[2])


@pytest.mark.parametrize("token", [published.T0, published.RFC_8225_APPENDIX_A, published.RFC_8225_SECTION_7])
def test_a_passport_of_another_type_is_no_message(token: bytes) -> None:
    with pytest.raises(PassportError) as refused:
        parse_passport(token)
    assert (refused.value.check, refused.value.code) == (2, "ppt")


def test_t1_is_reproduced_and_verifies() -> None:
    made = sign_passport(
        A1,
        x5u="https://cert.example.org/passport.cer",
        orig=TelephoneNumber.from_digits("12155551212"),
        dest_uris=(),
        dest_numbers=(TelephoneNumber.from_digits("12125551213"),),
        iat=1_471_375_418,
        msgi=message_digest(published.T1_BODY),
    )
    assert made.encode() == published.T1
    passport = parse_passport(published.T1)
    verify_signature(passport, A1_PUBLIC)
    check_digest(passport.msgi, published.T1_BODY)
    assert (passport.orig, passport.dest_numbers, passport.dest_uris) == ("12155551212", ("12125551213",), ())
    assert (passport.iat, passport.x5u) == (1_471_375_418, "https://cert.example.org/passport.cer")


@pytest.mark.parametrize(("algorithm", "digest"), published.T1_DIGESTS.items())
def test_the_digests_of_t1(algorithm: str, digest: str) -> None:
    assert len(published.T1_BODY) == 145
    assert message_digest(published.T1_BODY, algorithm) == f"{algorithm}-{digest}"
    check_digest(f"{algorithm}-{digest}", published.T1_BODY)
    check_digest(f"{algorithm}-{digest.rstrip('=')}", published.T1_BODY)


def test_the_digest_of_rfc_9795_has_the_same_form() -> None:
    check_digest(published.RFC_9795_RCDI, published.RFC_9795_JCD)


def test_the_example_of_rfc_9475_is_refused_for_its_length() -> None:
    with pytest.raises(PassportError) as refused:
        check_digest(published.RFC_9475_MSGI, b"alert('Hello, world.');")
    assert (refused.value.check, refused.value.code) == (9, "msgi-length")


def test_pyjwt_reads_what_we_sign_and_we_read_what_it_signs() -> None:
    header = {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": "https://cert.example.org/passport.cer"}
    claims = jwt.decode(published.T1, A1_PUBLIC, algorithms=["ES256"])
    assert claims == parse_passport(published.T1).claims
    assert jwt.get_unverified_header(published.T1) == header
    theirs = jwt.PyJWS().encode(canonical_json(claims), A1, algorithm="ES256", headers=header)
    passport = parse_passport(theirs)
    verify_signature(passport, A1_PUBLIC)
    assert passport.claims == claims
