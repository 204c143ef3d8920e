"""Form, header, claims and digest of a PASSporT: strict, because every leniency is a second reading of one token."""

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.base64url import decode_base64url, encode_base64url
from identity.errors import PassportError
from identity.number import TelephoneNumber
from identity.passport import (
    HEADER_SIZE_LIMIT,
    PASSPORT_SIZE_LIMIT,
    X5U_SIZE_LIMIT,
    canonical_json,
    check_digest,
    message_digest,
    parse_passport,
    sign_passport,
    verify_signature,
)
from tests.identity.conftest import private_key, sign_parts
from tests.identity.published import T1, T1_BODY

KEY = private_key(1)
HEADER: dict[str, Any] = {
    "alg": "ES256",
    "ppt": "msg",
    "typ": "passport",
    "x5u": "https://cert.example.org/passport.cer",
}
CLAIMS: dict[str, Any] = {
    "dest": {"tn": ["12125551213"]}, "iat": 1_471_375_418, "msgi": message_digest(b"x"), "orig": {"tn": "12155551212"},
}  # fmt: skip
H, P, S = T1.split(b".")


def refusal(token: bytes | str) -> tuple[int, str]:
    with pytest.raises(PassportError) as refused:
        parse_passport(token)
    return refused.value.check, refused.value.code


def signed(header: bytes | dict[str, Any] = HEADER, claims: bytes | dict[str, Any] = CLAIMS) -> bytes:
    parts = [part if isinstance(part, bytes) else canonical_json(part) for part in (header, claims)]
    return sign_parts(KEY, *parts)


def b64(octets: bytes) -> bytes:
    return encode_base64url(octets)


def test_the_parts_that_the_cases_below_change_are_sound() -> None:
    parse_passport(signed())
    parse_passport(b".".join((H, P, S)))
    parse_passport(T1.decode())


FORMS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "parts"),
    "one part": (H, "parts"),
    "two parts": (H + b"." + P, "parts"),
    "four parts": (T1 + b".", "parts"),
    "compact form": (b".." + S, "json"),
    "too large": (T1 + b"A" * PASSPORT_SIZE_LIMIT, "too-large"),
    "header too large": (b"A" * (HEADER_SIZE_LIMIT + 1) + b"." + P + b"." + S, "too-large"),
    "no signature": (H + b"." + P + b".", "signature-length"),
    "short signature": (H + b"." + P + b"." + b64(bytes(63)), "signature-length"),
    "long signature": (H + b"." + P + b"." + b64(bytes(65)), "signature-length"),
    "DER signature": (H + b"." + P + b"." + b64(bytes(70)), "signature-length"),
    "padded signature": (T1 + b"==", "base64url"),
    "padded payload": (H + b"." + P + b"=." + S, "base64url"),
    "plus in signature": (H + b"." + P + b"." + b"+" + S[1:], "base64url"),
    "slash in signature": (H + b"." + P + b"." + b"/" + S[1:], "base64url"),
    "line break": (H + b"." + P + b"." + S[:40] + b"\n" + S[40:], "base64url"),
    "space at the end": (T1 + b" ", "base64url"),
    "unused bits of the signature": (T1[:-1] + b"R", "base64url"),
    "not ASCII": (H + b"." + P + b"." + b"\xff" * 86, "base64url"),
    "header is no JSON": (signed(header=b"{"), "json"),
    "payload is no JSON": (signed(claims=b"nonsense"), "json"),
    "payload is no UTF-8": (signed(claims=b'{"a":"\xff"}'), "json"),
    "payload is an array": (signed(claims=b"[]"), "canonical"),
    "payload is a number": (signed(claims=b"1"), "canonical"),
    "NaN": (signed(claims=b'{"iat":NaN}'), "json"),
    "lone surrogate": (signed(claims=b'{"a":"\\ud800"}'), "json"),
    "two values": (signed(claims=canonical_json(CLAIMS) + b"{}"), "json"),
    "space after": (signed(claims=canonical_json(CLAIMS) + b" "), "canonical"),
    "space before": (signed(claims=b" " + canonical_json(CLAIMS)), "canonical"),
    "space within": (signed(claims=canonical_json(CLAIMS).replace(b":", b": ")), "canonical"),
    "duplicate name": (signed(claims=canonical_json(CLAIMS).replace(b'"iat"', b'"iat":1,"iat"')), "canonical"),
    "duplicate name within": (
        signed(claims=canonical_json(CLAIMS).replace(b'{"tn":"', b'{"tn":"1","tn":"')),
        "canonical",
    ),
    "duplicate name in header": (
        signed(header=canonical_json(HEADER).replace(b'"alg"', b'"alg":"none","alg"')),
        "canonical",
    ),
    "unsorted": (
        signed(claims=json.dumps(dict(reversed(CLAIMS.items())), separators=(",", ":")).encode()),
        "canonical",
    ),
    "unsorted header": (signed(header=b'{"ppt":"msg","alg":"ES256"}'), "canonical"),
    "needless escape": (signed(claims=canonical_json(CLAIMS).replace(b"msgi", b"msg\\u0069")), "canonical"),
    "iat with exponent": (signed(claims=canonical_json(CLAIMS).replace(b"1471375418", b"1e9")), "canonical"),
    "iat minus zero": (signed(claims=canonical_json(CLAIMS).replace(b"1471375418", b"-0")), "canonical"),
    "deep nesting": (signed(claims=b'{"a":' * 900), "json"),
    "deep closed nesting": (signed(claims=b"[" * 2_900 + b"]" * 2_900), "json"),
}


@pytest.mark.parametrize(("token", "code"), FORMS.values(), ids=FORMS.keys())
def test_check_1_refuses_any_other_form(token: bytes, code: str) -> None:
    assert refusal(token) == (1, code)


def test_unused_bits_of_header_and_payload_are_zero() -> None:
    for length, header in ((2, b'{"a":1}'), (0, b"{}")):
        text = encode_base64url(header)
        assert len(text) % 4 in {2, 3}, length
        position = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(text[-1:])
        changed = text[:-1] + b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[position + 1 :][:1]
        assert refusal(changed + b"." + P + b"." + S) == (1, "base64url")
        assert refusal(H + b"." + changed + b"." + S) == (1, "base64url")


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "no ppt": (without(HEADER, "ppt"), "ppt"),
    "shaken": (HEADER | {"ppt": "shaken"}, "ppt"),
    "rcd": (HEADER | {"ppt": "rcd"}, "ppt"),
    "ppt in capitals": (HEADER | {"ppt": "MSG"}, "ppt"),
    "ppt in an array": (HEADER | {"ppt": ["msg"]}, "ppt"),
    "no alg": (without(HEADER, "alg"), "header"),
    "no typ": (without(HEADER, "typ"), "header"),
    "no x5u": (without(HEADER, "x5u"), "header"),
    "typ JWT": (HEADER | {"typ": "JWT"}, "header"),
    "alg none": (HEADER | {"alg": "none"}, "header"),
    "alg HS256": (HEADER | {"alg": "HS256"}, "header"),
    "kid": (HEADER | {"kid": "1"}, "header"),
    "jwk": (HEADER | {"jwk": {}}, "header"),
    "crit": (HEADER | {"crit": ["b64"], "b64": False}, "header"),
    "x5u is no string": (HEADER | {"x5u": 1}, "x5u"),
    "x5u with a query": (HEADER | {"x5u": "https://a.example/b?c"}, "x5u"),
    "x5u with user": (HEADER | {"x5u": "https://a@b.example/c"}, "x5u"),
    "x5u with an escape": (HEADER | {"x5u": "https://a.example/\u202ec"}, "x5u"),
    "x5u of another scheme": (HEADER | {"x5u": "ftp://a.example/b"}, "x5u"),
    "x5u too long": (HEADER | {"x5u": "https://a.example/" + "b" * X5U_SIZE_LIMIT}, "x5u"),
}


@pytest.mark.parametrize(("header", "code"), HEADERS.values(), ids=HEADERS.keys())
def test_check_2_refuses_any_other_header(header: dict[str, Any], code: str) -> None:
    assert refusal(signed(header=header)) == (2, code)


CLAIM_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    **{f"no {name}": (without(CLAIMS, name), "claims") for name in CLAIMS},
    "one claim more": (CLAIMS | {"attest": "A"}, "claims"),
    "iat string": (CLAIMS | {"iat": "1471375418"}, "iat"),
    "iat true": (CLAIMS | {"iat": True}, "iat"),
    "iat float": (CLAIMS | {"iat": 1471375418.5}, "iat"),
    "iat whole float": (CLAIMS | {"iat": 1471375418.0}, "iat"),
    "iat null": (CLAIMS | {"iat": None}, "iat"),
    "iat negative": (CLAIMS | {"iat": -1}, "iat"),
    "iat after year 9999": (CLAIMS | {"iat": 253_402_300_800}, "iat"),
    "iat 2^64": (CLAIMS | {"iat": 2**64 - 1}, "iat"),
    "msgi object": (CLAIMS | {"msgi": {}}, "msgi"),
    "orig string": (CLAIMS | {"orig": "12155551212"}, "orig"),
    "orig empty": (CLAIMS | {"orig": {}}, "orig"),
    "orig uri": (CLAIMS | {"orig": {"uri": "sip:a@b"}}, "orig"),
    "orig two identities": (CLAIMS | {"orig": {"tn": "12155551212", "uri": "sip:a@b"}}, "orig"),
    "orig array": (CLAIMS | {"orig": {"tn": ["12155551212"]}}, "orig"),
    "orig with plus": (CLAIMS | {"orig": {"tn": "+12155551212"}}, "orig"),
    "orig with dashes": (CLAIMS | {"orig": {"tn": "1-215-555-1212"}}, "orig"),
    "orig 16 digits": (CLAIMS | {"orig": {"tn": "1" * 16}}, "orig"),
    "orig with line break": (CLAIMS | {"orig": {"tn": "12155551212\n"}}, "orig"),
    "orig number": (CLAIMS | {"orig": {"tn": 12155551212}}, "orig"),
    "dest string (libstirshaken)": (CLAIMS | {"dest": "12125551213"}, "dest"),
    "dest array": (CLAIMS | {"dest": ["12125551213"]}, "dest"),
    "dest empty": (CLAIMS | {"dest": {}}, "dest"),
    "dest other identity": (CLAIMS | {"dest": {"email": ["a@b"]}}, "dest"),
    "dest tn no array": (CLAIMS | {"dest": {"tn": "12125551213"}}, "dest"),
    "dest tn empty": (CLAIMS | {"dest": {"tn": []}}, "dest"),
    "dest tn numbers": (CLAIMS | {"dest": {"tn": [12125551213]}}, "dest"),
    "dest tn null": (CLAIMS | {"dest": {"tn": None}}, "dest"),
    "dest tn unsorted": (CLAIMS | {"dest": {"tn": ["2", "1"]}}, "dest"),
    "dest tn repeated": (CLAIMS | {"dest": {"tn": ["1", "1"]}}, "dest"),
    "dest tn with plus": (CLAIMS | {"dest": {"tn": ["+1"]}}, "dest"),
    "dest uri unsorted": (CLAIMS | {"dest": {"uri": ["b:", "a:"]}}, "dest"),
    "dest uri and null": (CLAIMS | {"dest": {"tn": ["1"], "uri": [None]}}, "dest"),
}


@pytest.mark.parametrize(("claims", "code"), CLAIM_CHANGES.values(), ids=CLAIM_CHANGES.keys())
def test_check_3_refuses_any_other_claims(claims: dict[str, Any], code: str) -> None:
    assert refusal(signed(claims=claims)) == (3, code)


SHA256 = message_digest(T1_BODY).removeprefix("sha256-")
DIGESTS: dict[str, tuple[str, str]] = {
    "no algorithm": (SHA256, "msgi-algorithm"),
    "empty": ("", "msgi-algorithm"),
    "capitals": ("SHA256-" + SHA256, "msgi-algorithm"),
    "hyphen in the name": ("sha-256-" + SHA256, "msgi-algorithm"),
    "broken algorithm": ("md5-" + SHA256, "msgi-algorithm"),
    "no digest": ("sha256-", "msgi-length"),
    "digest of sha256 called sha384": ("sha384-" + SHA256, "msgi-length"),
    "half a digest": ("sha256-" + SHA256[:20], "msgi-length"),
    "base64url": ("sha256-" + SHA256.replace("/", "_"), "msgi-base64"),
    "padding too long": ("sha256-" + SHA256 + "=", "msgi-base64"),
    "white space": ("sha256-" + SHA256 + "\n", "msgi-base64"),
    "unused bits": ("sha256-" + SHA256.replace("g=", "h="), "msgi-base64"),
    "not ASCII": ("sha256-é" + SHA256[1:], "msgi-base64"),
    "other octets": (message_digest(T1_BODY + b"!"), "msgi"),
    "other octets, unpadded": (message_digest(b"").rstrip("="), "msgi"),
}


@pytest.mark.parametrize(("msgi", "code"), DIGESTS.values(), ids=DIGESTS.keys())
def test_check_9_refuses_any_other_digest(msgi: str, code: str) -> None:
    with pytest.raises(PassportError) as refused:
        check_digest(msgi, T1_BODY)
    assert (refused.value.check, refused.value.code) == (9, code)


def test_a_passport_without_destination_cannot_be_signed() -> None:
    number = TelephoneNumber.from_digits("12155551212")
    with pytest.raises(PassportError):
        sign_passport(KEY, x5u="https://a.example/b", orig=number, dest_uris=(), dest_numbers=(), iat=1, msgi="x")


numbers = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(TelephoneNumber.from_digits)
uris = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3)


@given(numbers, uris, st.lists(numbers, min_size=1, max_size=4), st.integers(0, 2**37), st.binary(max_size=50))
def test_what_is_signed_is_read_back_and_verifies_here_and_in_pyjwt(
    orig: TelephoneNumber, dest_uris: list[str], dest: list[TelephoneNumber], iat: int, body: bytes
) -> None:
    token = sign_passport(
        KEY, x5u=HEADER["x5u"], orig=orig, dest_uris=dest_uris, dest_numbers=dest, iat=iat, msgi=message_digest(body)
    )
    passport = parse_passport(token)
    verify_signature(passport, KEY.public_key())
    check_digest(passport.msgi, body)
    assert (passport.orig, passport.iat) == (orig.digits, iat)
    assert passport.dest_numbers == tuple(sorted({number.digits for number in dest}))
    assert passport.dest_uris == tuple(sorted(set(dest_uris)))
    options: Any = {"verify_iat": False}
    assert jwt.decode(token, KEY.public_key(), algorithms=["ES256"], options=options) == passport.claims


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(json_values)
def test_canonical_json_is_that_of_the_standard_library_and_idempotent(value: object) -> None:
    octets = canonical_json(value)
    assert octets == json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    assert canonical_json(json.loads(octets)) == octets


@given(st.binary(max_size=60))
def test_base64url_reads_exactly_what_it_writes(octets: bytes) -> None:
    assert decode_base64url(encode_base64url(octets)) == octets


@given(st.binary(max_size=40) | st.text("ABQgw+/-_=\n 0", max_size=9).map(str.encode))
def test_only_one_text_is_read_as_given_octets(text: bytes) -> None:
    try:
        octets = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(octets) == text


@given(st.binary(max_size=400) | st.text(max_size=200))
def test_any_octets_are_refused_with_a_passport_error(token: bytes | str) -> None:
    assert refusal(token)[0] == 1


@given(json_values, json_values)
def test_any_json_is_refused_with_a_passport_error(header: object, claims: object) -> None:
    assert refusal(sign_parts(KEY, canonical_json(header), canonical_json(claims)))[0] in {1, 2}
    assert refusal(sign_parts(KEY, canonical_json(HEADER), canonical_json(claims)))[0] in {1, 3}


@given(st.integers(0, len(T1)), st.binary(max_size=3), st.integers(0, 3))
def test_a_changed_token_is_refused_or_does_not_verify(position: int, octets: bytes, removed: int) -> None:
    changed = T1[:position] + octets + T1[position + removed :]
    if changed == T1:
        return
    with pytest.raises(PassportError):
        verify_signature(parse_passport(changed), private_key(_A1).public_key())


_A1 = 0x8BBAB64D9BCDF550C583C572A823F4E9B113AD1DAFF0C46FAFCF6B9F88BE5006
