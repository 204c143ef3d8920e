"""Identity header fields of SIP: each way in which carriers' tests break a call is stopped by the right check."""

import dataclasses
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import ChainVerifier, Expected, TelephoneNumber, TNAuthList, TrustAnchors, Verdict
from identity.errors import PassportError
from identity.passport import sign_token
from identity.sip import FIELDS_LIMIT, IdentityHeader, format_identity, identity_fields, parse_identity, verify_identity
from identity.tn_auth_list import ServiceProviderCode, TelephoneNumberRange
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    YEAR,
    Authority,
    any_certificate,
    der,
    private_key,
    rsa_key,
    tn_extension,
)

INFO = "https://certificates.example/1234.pem"
KEY = private_key(1)
CODE = TNAuthList((ServiceProviderCode("1234"),))
WHO = Expected(NOW + 2, ALICE, {BOB}, kinds={"shaken"})


class Call:
    """A carrier's call from Alice to Bob; one thing in it is changed before it is signed."""

    def __init__(self, authority: Authority, numbers: TNAuthList = CODE, key: Any = KEY, **leaf: Any) -> None:
        issuer = authority.issuer(numbers)
        fields = (*LEAF_FIELDS, *leaf.pop("more", (tn_extension(numbers),)))
        certificate = any_certificate(authority.issuer_key, issuer.subject, key.public_key(), fields, **leaf)
        self.chain: tuple[bytes, ...] = (der(certificate), der(issuer))
        self.chains = ChainVerifier(authority.anchors)

    def field(self, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, rest: str = "") -> str:
        base: dict[str, Any] = {
            "attest": "A", "dest": {"tn": [BOB.digits]}, "iat": NOW, "orig": {"tn": ALICE.digits},
            "origid": "123e4567-e89b-12d3-a456-426655440000",
        }  # fmt: skip
        first = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": INFO}
        token = sign_token(KEY, merged(first, header), merged(base, claims))
        return f"Identity: {token}{rest or f';info=<{INFO}>;alg=ES256;ppt=shaken'}"

    def verify(self, field: str, expected: Expected = WHO, chain: tuple[bytes, ...] | None = None) -> Any:
        given = dataclasses.replace(expected, chain=self.chain if chain is None else chain)
        return verify_identity(field, None, given, self.chains, None)


def merged(values: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values | (changes or {})).items() if value is not None}


def test_a_call_that_is_right_is_vouched_for(authority: Authority) -> None:
    call = Call(authority)
    result = call.verify(call.field())
    assert (result.verdict, result.code, result.failed_check) == (Verdict.CARRIER, None, None)


# One dictionary a rule: what is changed in the claims, the header, or what follows the token; the check that must fail
# and the code of RFC 8224 §6.2.2. The list of cases is that of the public call tests for STIR verifiers.
CLAIMS: dict[str, tuple[dict[str, Any], int, int]] = {
    "iat zero": ({"iat": 0}, 5, 437),
    "iat missing": ({"iat": None}, 3, 438),
    "iat in the past": ({"iat": NOW - 120}, 11, 403),
    "iat in the future": ({"iat": NOW + 120}, 11, 403),
    "iat far in the future": ({"iat": NOW + 90 * YEAR}, 5, 437),
    "iat garbage": ({"iat": "yesterday"}, 3, 438),
    "iat negative": ({"iat": -1}, 3, 438),
    "iat empty": ({"iat": ""}, 3, 438),
    "orig missing": ({"orig": None}, 3, 438),
    "orig empty": ({"orig": {"tn": ""}}, 3, 438),
    "orig garbage": ({"orig": {"tn": "alice"}}, 3, 438),
    "orig mismatched": ({"orig": {"tn": "12025550166"}}, 12, 438),
    "dest missing": ({"dest": None}, 3, 438),
    "dest empty": ({"dest": {"tn": []}}, 3, 438),
    "dest garbage": ({"dest": {"tn": ["bob"]}}, 3, 438),
    "dest mismatched": ({"dest": {"tn": ["12025550166"]}}, 10, 438),
    "attest missing": ({"attest": None}, 3, 438),
    "attest empty": ({"attest": ""}, 3, 438),
    "attest invalid": ({"attest": "D"}, 3, 438),
    "origid invalid": ({"origid": "1"}, 3, 438),
}
HEADERS: dict[str, tuple[dict[str, Any], int, int]] = {
    "alg missing": ({"alg": None}, 2, 438),
    "alg invalid": ({"alg": "RS256"}, 2, 438),
    "ppt missing": ({"ppt": None}, 2, 428),
    "ppt invalid": ({"ppt": "shaking"}, 2, 428),
    "typ invalid": ({"typ": "JWT"}, 2, 438),
    "x5u missing": ({"x5u": None}, 2, 438),
    "x5u empty": ({"x5u": ""}, 2, 438),
    "x5u garbage": ({"x5u": "certificates.example"}, 2, 438),
}
RESTS: dict[str, tuple[str, int]] = {
    "info missing": (";alg=ES256;ppt=shaken", 1),
    "info empty": (";info=<>;alg=ES256;ppt=shaken", 1),
    "info without brackets": (f";info={INFO};alg=ES256", 1),
    "info of another certificate": (";info=<https://certificates.example/4321.pem>;alg=ES256;ppt=shaken", 4),
    "parameter ppt invalid": (f";info=<{INFO}>;alg=ES256;ppt=msg", 4),
    "parameter alg invalid": (f";info=<{INFO}>;alg=RS256;ppt=shaken", 4),
    "parameter twice": (f";info=<{INFO}>;ppt=shaken;ppt=shaken", 1),
    "parameters garbage": (f";info=<{INFO}>;;=", 1),
}


@pytest.mark.parametrize(("claims", "check", "code"), CLAIMS.values(), ids=CLAIMS.keys())
def test_a_call_with_other_claims_is_refused(authority: Authority, claims: Any, check: int, code: int) -> None:
    call = Call(authority)
    stopped(call.verify(call.field(claims)), check, code)


@pytest.mark.parametrize(("header", "check", "code"), HEADERS.values(), ids=HEADERS.keys())
def test_a_call_with_another_header_is_refused(authority: Authority, header: Any, check: int, code: int) -> None:
    call = Call(authority)
    stopped(call.verify(call.field(None, header)), check, code)


@pytest.mark.parametrize(("rest", "check"), RESTS.values(), ids=RESTS.keys())
def test_a_call_whose_header_field_says_something_else_is_refused(authority: Authority, rest: str, check: int) -> None:
    call = Call(authority)
    stopped(call.verify(call.field(rest=rest)), check, 438)


@pytest.mark.parametrize(
    "token",
    ["garbage", "a.b.c", "..", "e30.e30." + "A" * 86, "bm8ganNvbg.bm8ganNvbg." + "A" * 86],
    ids=["garbage", "garbage in three parts", "compact form", "empty objects", "no JSON"],
)
def test_garbage_is_refused(authority: Authority, token: str) -> None:
    result = Call(authority).verify(f"Identity: {token};info=<{INFO}>;alg=ES256;ppt=shaken")
    assert result.failed_check.number in (1, 2)


def test_a_call_without_its_certificate_cannot_be_checked(authority: Authority) -> None:
    call = Call(authority)
    result = call.verify(call.field(), chain=())
    assert (result.verdict, result.code) == (Verdict.UNDECIDED, 436)


def certificates(authority: Authority) -> dict[str, tuple[bytes, ...]]:
    right = Call(authority).chain
    past, future = (NOW - 2 * YEAR, NOW - YEAR), (NOW + YEAR, NOW + 2 * YEAR)
    stranger = Authority(root_key=private_key(66))
    numbers = TNAuthList((TelephoneNumberRange("12025550150", 10),))
    return {
        "expired": Call(authority, period=past).chain,
        "of the future": Call(authority, period=future).chain,
        "untrusted": Call(stranger).chain,
        "garbage": (b"garbage", right[1]),
        "empty": (b"", right[1]),
        "of another key": Call(authority, key=private_key(5)).chain,
        "of an RSA key": Call(authority, key=rsa_key()).chain,
        "without a list": Call(authority, more=()).chain,
        "of other numbers": Call(authority, numbers).chain,
        "without its issuer": right[:1],
        "in disorder": right[::-1],
    }


@pytest.mark.parametrize("name", certificates(Authority()))
def test_a_call_with_a_certificate_that_is_wrong_is_refused(authority: Authority, name: str) -> None:
    call = Call(authority)
    result = call.verify(call.field(), chain=certificates(authority)[name])
    check, code = {"of other numbers": (6, 437), "of another key": (8, 438)}.get(name, (5, 437))
    stopped(result, check, code)


def stopped(result: Any, check: int, code: int) -> None:
    assert result.verdict is Verdict.FAILED
    assert (result.failed_check.number, result.code) == (check, code)
    assert result.reason


def test_a_carried_chain_counts_as_one_at_hand(authority: Authority) -> None:
    call = Call(authority)
    carried = {"x5c": [b64encode(each).decode() for each in call.chain]}
    assert call.verify(call.field(None, carried), chain=()).verdict is Verdict.CARRIER
    assert call.verify(call.field(None, carried | {"x5u": None}), chain=()).verdict is Verdict.CARRIER


INVITE = """INVITE sip:bob@example.org SIP/2.0\r
From: <sip:+12025550142@example.net>;tag=1\r
Identity: aaa.bbb.ccc;info=<https://a.example/1.pem>;alg=ES256;ppt=shaken\r
IDENTITY : ddd.eee.fff;\r
\tinfo=<https://a.example/2.pem>;\r
 ppt="div"\r
y:ggg.hhh.iii;info=<https://a.example/3.pem>\r
Content-Length: 60\r
\r
Identity: not.a.header;info=<https://a.example/4.pem>\r
"""


def test_every_identity_field_of_a_message_is_found_and_nothing_of_its_body() -> None:
    found = [parse_identity(field) for field in identity_fields(INVITE)]
    assert [(each.token, each.info, dict(each.parameters)) for each in found] == [
        (b"aaa.bbb.ccc", "https://a.example/1.pem", {"alg": "ES256", "ppt": "shaken"}),
        (b"ddd.eee.fff", "https://a.example/2.pem", {"ppt": "div"}),
        (b"ggg.hhh.iii", "https://a.example/3.pem", {}),
    ]


def test_a_field_is_read_with_its_name_or_without() -> None:
    value = format_identity("a.b.c", INFO, "msg")
    assert parse_identity(value) == parse_identity(f"Identity: {value}") == parse_identity(f"y: {value}")
    assert parse_identity(value).parameters == {"alg": "ES256", "ppt": "msg"}


def test_a_flood_of_fields_is_refused() -> None:
    with pytest.raises(PassportError):
        identity_fields("Identity: a;info=<b:c>\n" * (FIELDS_LIMIT + 1))
    with pytest.raises(PassportError):
        identity_fields("x" * 2_000_000)
    with pytest.raises(PassportError):
        parse_identity("Identity: " + "a" * 100_000)


@given(st.text(max_size=300) | st.from_regex(r"Identity: [a-z.]*;info=<[!-~]*>(;[a-z]*=[!-~]*)*", fullmatch=True))
def test_any_field_is_read_or_refused(field: str) -> None:
    try:
        header = parse_identity(field)
    except PassportError:
        return
    assert isinstance(header, IdentityHeader)
    assert header.info.isascii()
    assert set(header.parameters) == {name.lower() for name in header.parameters}


@given(st.text(max_size=300), st.sampled_from(["\n", "\r\n", "\n ", "\n\t", "\r\n\r\n"]))
def test_any_message_is_searched(text: str, line_break: str) -> None:
    fields = identity_fields(line_break.join([text, "Identity: a.b.c;info=<b:c>", text]))
    assert all("\n" not in field for field in fields)


@given(st.text(max_size=200))
def test_any_field_has_a_verdict(field: str) -> None:
    result = verify_identity(field, None, WHO, ChainVerifier(TrustAnchors(())), None)
    assert (result.verdict, result.code) == (Verdict.FAILED, 438)


def test_a_message_may_be_late_where_a_call_may_not(authority: Authority) -> None:
    number = TelephoneNumber.from_digits("12025550142")
    call = Call(authority)
    late = dataclasses.replace(WHO, arrived=NOW + 61, orig=number)
    stopped(call.verify(call.field(), late), 11, 403)
