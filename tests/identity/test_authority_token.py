"""The nine checks of RFC 9448 §6, each broken alone."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from identity.enrolment.authority_token import (
    AuthorityToken,
    TokenIssuers,
    account_fingerprint,
    check_ca,
    identifier_value,
    read_identifier,
    verify_authority_token,
)
from identity.errors import AuthorityTokenError, TNAuthListError
from identity.issuing import create_root, issue_device_certificate, issuer_certificate, token_signer_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

NOW = 1_795_000_000
DAY = 86_400
IDENTIFIER = identifier_value(TNAuthList((OneNumber("12025550142"),)))
OTHER = identifier_value(TNAuthList((OneNumber("12025550143"),)))
ACCOUNT = bytes(range(32))
HOST = "tokens.example"


@dataclass
class Issuer:
    """A token authority with its root."""

    root: x509.Certificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def token(self, headers: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A good token but for the changes; a claim or header that is None is left out."""
        good = {"exp": NOW + 600, "iat": NOW, "jti": "1", "iss": "https://tokens.example", "atc": atc()}
        claims = {name: value for name, value in (good | changes).items() if value is not None}
        header = {"typ": "JWT", "x5c": x5c(self.certificate)} | (headers or {})
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.PyJWS().encode(msgspec.json.encode(claims), key or self.key, headers=header, algorithm="ES256")


def atc(**changes: Any) -> dict[str, Any]:
    good = {"tktype": "TNAuthList", "tkvalue": IDENTIFIER, "ca": False, "fingerprint": account_fingerprint(ACCOUNT)}
    return {name: value for name, value in (good | changes).items() if value is not None}


def x5c(*certificates: x509.Certificate) -> list[str]:
    return [b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in certificates]


def create_issuer(now: int = NOW) -> Issuer:
    root_key, root = create_root("Tokens", now, 100 * DAY)
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer(root, token_signer_certificate(root_key, root, key.public_key(), "Signer", now, 50 * DAY), key)


@dataclass
class Fetcher:
    """What is published where, and what was asked for."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.pages:
            raise OSError("404")
        return self.pages[address]


ISSUER = create_issuer()
STRANGER = create_issuer()


def verify(token: str, issuers: TokenIssuers | None = None, now: int = NOW) -> AuthorityToken:
    return verify_authority_token(token, IDENTIFIER, ACCOUNT, issuers or TokenIssuers([ISSUER.root]), now)


def failed(action: Callable[[], object]) -> int:
    with pytest.raises(AuthorityTokenError) as caught:
        action()
    return caught.value.check


def published(address: str = f"https://{HOST}/signer.pem", issuer: Issuer = ISSUER) -> tuple[TokenIssuers, Fetcher]:
    fetcher = Fetcher({address: issuer.certificate.public_bytes(Encoding.PEM)})
    return TokenIssuers([ISSUER.root], frozenset({HOST}), fetcher), fetcher


def test_a_good_token_says_what_it_grants():
    verified = verify(ISSUER.token(right="code", cnf={"jkt": "A" * 43}))

    assert (verified.ca, verified.issued_at, verified.expires_at) == (False, NOW, NOW + 600)
    assert (verified.right, verified.key) == ("code", "A" * 43)


def test_a_token_with_the_mandatory_claims_alone_is_good():
    verified = verify(ISSUER.token(iat=None, iss=None, atc=atc(ca=None)))

    assert (verified.ca, verified.issued_at, verified.right, verified.key) == (False, None, None, None)


def test_a_token_whose_certificate_is_at_its_x5u_is_good():
    issuers, fetcher = published()

    assert verify(ISSUER.token({"x5c": None, "x5u": f"https://{HOST}/signer.pem"}), issuers)
    assert fetcher.asked == [f"https://{HOST}/signer.pem"]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c",
        "é.é.é",
        ISSUER.token(exp=None),
        ISSUER.token(jti=None),
        ISSUER.token(jti=""),
        ISSUER.token(exp="soon"),
        ISSUER.token(atc=None),
        ISSUER.token(atc="TNAuthList"),
        *(ISSUER.token(atc=atc(**{name: None})) for name in ("tktype", "tkvalue", "fingerprint")),
        ISSUER.token(atc=atc(ca="no")),
        ISSUER.token(atc=atc(fingerprint="SHA256 00")),
        ISSUER.token({"x5c": None}),
        ISSUER.token({"x5u": f"https://{HOST}/signer.pem"}),
        ISSUER.token({"typ": "passport"}),
        ISSUER.token({"x5c": []}),
    ],
)
def test_1_what_is_no_token_is_refused(token):
    assert failed(lambda: verify(token)) == 1


@pytest.mark.parametrize(
    "address",
    [
        f"http://{HOST}/signer.pem",
        "https://elsewhere.example/signer.pem",
        f"https://{HOST}:444/signer.pem",
        f"https://user@{HOST}/signer.pem",
        f"https://{HOST}.evil.example/signer.pem",
        f"HTTPS//{HOST}/signer.pem",
        "https://[::1/signer.pem",
    ],
)
def test_2_an_x5u_elsewhere_is_not_even_fetched(address):
    issuers, fetcher = published(address)

    assert failed(lambda: verify(ISSUER.token({"x5c": None, "x5u": address}), issuers)) == 2
    assert not fetcher.asked


def test_2_an_x5u_that_leads_to_no_trusted_certificate_is_refused():
    address = f"https://{HOST}/signer.pem"
    token = STRANGER.token({"x5c": None, "x5u": address})
    missing = TokenIssuers([ISSUER.root], frozenset({HOST}), Fetcher())
    garbage = TokenIssuers([ISSUER.root], frozenset({HOST}), Fetcher({address: b"nothing"}))
    octets = ISSUER.certificate.public_bytes(Encoding.DER)
    version = b64encode(octets.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1))
    unreadable = b"-----BEGIN CERTIFICATE-----\n" + version + b"\n-----END CERTIFICATE-----\n"
    unknown = TokenIssuers([ISSUER.root], frozenset({HOST}), Fetcher({address: unreadable}))

    for issuers in (published(issuer=STRANGER)[0], missing, garbage, unknown):
        assert failed(lambda issuers=issuers: verify(token, issuers)) == 2


@pytest.mark.parametrize(
    "path",
    [
        x5c(STRANGER.certificate),
        x5c(STRANGER.certificate, STRANGER.root),
        x5c(ISSUER.root),
        ["*"],
        ["AAAA"],
        [b64encode(b"\x30\x00").decode()],
    ],
)
def test_3_an_x5c_of_nobody_trusted_is_refused(path):
    assert failed(lambda: verify(STRANGER.token({"x5c": path}))) == 3


def test_3_who_holds_a_number_below_the_same_root_grants_none():
    """One root above token authority and devices must not make a token authority of each device."""
    root_key, root = create_root("Both", NOW, 100 * DAY)
    key, issuer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    number = TelephoneNumber.from_digits("12025550142")
    numbers = TNAuthList((OneNumber(number.digits),))
    issuer = issuer_certificate(root_key, root, issuer_key.public_key(), "Issuer", numbers, NOW, 50 * DAY)
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), number, NOW)
    token = Issuer(root, leaf, key).token({"x5c": x5c(leaf, issuer)})

    assert failed(lambda: verify(token, TokenIssuers([root]))) == 3


def test_3_a_certificate_that_has_ended_is_refused():
    assert failed(lambda: verify(ISSUER.token(exp=NOW + 99 * DAY), now=NOW + 51 * DAY)) == 3


def test_4_a_signature_by_another_key_is_refused():
    assert failed(lambda: verify(ISSUER.token(key=STRANGER.key))) == 4


def test_4_an_unsigned_token_is_refused():
    header, payload, _ = ISSUER.token().split(".")
    none = jwt.utils.base64url_encode(msgspec.json.encode({"alg": "none", "x5c": x5c(ISSUER.certificate)})).decode()

    assert failed(lambda: verify(f"{none}.{payload}.")) == 4
    assert failed(lambda: verify(f"{header}.{payload}.{'A' * 86}")) == 4


def test_5_a_token_of_another_type_is_refused():
    assert failed(lambda: verify(ISSUER.token(atc=atc(tktype="JWTClaimConstraints")))) == 5


def test_6_a_token_for_another_number_is_refused():
    assert failed(lambda: verify(ISSUER.token(atc=atc(tkvalue=OTHER)))) == 6


@pytest.mark.parametrize("change", [{"exp": NOW}, {"iat": NOW + 61}, {"nbf": NOW + 61}])
def test_7_a_token_of_another_time_is_refused(change):
    assert failed(lambda: verify(ISSUER.token(**change))) == 7


def test_8_a_token_for_another_account_is_refused():
    assert failed(lambda: verify(ISSUER.token(atc=atc(fingerprint=account_fingerprint(bytes(32)))))) == 8


@pytest.mark.parametrize("granted", [True, False])
def test_9_a_request_for_what_the_token_does_not_grant_is_refused(granted):
    check_ca(granted, granted)

    assert failed(lambda: check_ca(granted, not granted)) == 9


@given(st.text(max_size=200))
def test_any_text_is_refused_as_no_token(text):
    assert failed(lambda: verify(text)) == 1


@given(st.dictionaries(st.sampled_from(["exp", "jti", "atc", "iss", "iat", "cnf", "right"]), st.integers() | st.text()))
def test_any_claims_are_refused_with_a_check(changes):
    assert failed(lambda: verify(ISSUER.token(**(changes | {"atc": changes.get("atc", "x")})))) == 1


@given(st.lists(st.text(max_size=60) | st.binary(max_size=60).map(lambda octets: b64encode(octets).decode())))
def test_any_certificates_are_refused_with_a_check(path):
    assert failed(lambda: verify(ISSUER.token({"x5c": path}))) in (1, 3)


@given(st.text(max_size=60))
def test_any_text_is_refused_as_no_identifier(text):
    with pytest.raises(TNAuthListError):
        read_identifier(text)


@given(st.text("0123456789#*", min_size=1, max_size=15))
def test_an_identifier_is_read_as_it_was_written(digits):
    wanted = TNAuthList((OneNumber(digits),))

    assert read_identifier(identifier_value(wanted)) == wanted
