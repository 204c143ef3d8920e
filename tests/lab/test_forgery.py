"""The forger's tools make tokens that are wrong in exactly one way."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.base64url import decode_base64url
from identity.errors import PassportError
from identity.passport import canonical_json, parse_passport, verify_signature
from lab.forgery import (
    msg_header,
    sign_octets,
    sign_values,
    with_broken_signature,
    with_other_signature,
    with_public_key_as_secret,
)

KEY = ec.generate_private_key(ec.SECP256R1())
HEADER = msg_header("https://authority.example/certificates/00.pem")
CLAIMS = {
    "dest": {"uri": ["mimi://ringtrue.example/g/AA"]},
    "iat": 1_795_000_000,
    "msgi": "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "orig": {"tn": "12025550199"},
}


def test_signed_values_are_a_valid_token() -> None:
    passport = parse_passport(sign_values(KEY, HEADER, CLAIMS))
    verify_signature(passport, KEY.public_key())
    assert passport.orig == "12025550199"


def test_signed_octets_are_kept_as_they_are() -> None:
    octets = canonical_json(CLAIMS)[:-1] + b',"orig":{"tn":"1"}}'
    with pytest.raises(PassportError) as refusal:
        parse_passport(sign_octets(KEY, canonical_json(HEADER), octets))
    assert (refusal.value.check, refusal.value.code) == (1, "canonical")


def test_other_signature_differs_and_verifies_too() -> None:
    token = sign_values(KEY, HEADER, CLAIMS)
    other = with_other_signature(token)
    assert other != token
    verify_signature(parse_passport(other), KEY.public_key())


def test_broken_signature_does_not_verify() -> None:
    passport = parse_passport(with_broken_signature(sign_values(KEY, HEADER, CLAIMS)))
    with pytest.raises(PassportError) as refusal:
        verify_signature(passport, KEY.public_key())
    assert refusal.value.check == 8


def test_public_key_as_secret_gives_a_token_that_only_a_confused_verifier_accepts() -> None:
    token = with_public_key_as_secret(KEY.public_key(), HEADER | {"alg": "HS512"}, CLAIMS)
    with pytest.raises(PassportError) as refusal:
        parse_passport(token)
    assert refusal.value.check == 2
    signing_input, _, signature = token.rpartition(b".")
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert decode_base64url(signature) == hmac.digest(pem, signing_input, "sha512")
