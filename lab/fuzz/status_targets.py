"""Targets among what says more of a certificate than it says itself: lists, responses, logs, attributes, tokens."""

import json
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificate_fields import load_certificate
from identity.enrolment.acme_jws import read_jwk, read_request, sign_request
from identity.enrolment.authority_token import (
    TokenIssuers,
    account_fingerprint,
    identifier_value,
    verify_authority_token,
)
from identity.number_attributes import NumberAttributes
from identity.passport import canonical_json, message_digest
from identity.reports.statement import sign_statement
from identity.rich_call_data import check_display
from identity.sip import format_identity, identity_fields, parse_identity
from identity.status.ocsp import decode_query, encode_query, read_response, sign_response
from identity.status.revocation import CertificateStatus, Reason, StatusState, sign_crl, verify_crl
from identity.transparency.entries import (
    EntryKind,
    certificate_entry,
    embedded_entry,
    extra_data,
    is_precertificate,
    precertificate_entry,
    read_extra_data,
    read_leaf,
)
from identity.transparency.timestamps import SignedTimestamp, embedded_timestamps, sign_timestamp
from lab.fuzz.target import ALICE, DAY, ISSUER_SCALAR, NOW, NUMBERS, Target, ders, path


def _attributes(octets: bytes) -> None:
    known = NumberAttributes.decode(octets)
    if known != NumberAttributes():
        assert NumberAttributes.decode(known.encode()) == known, "what is known survives"


def _timestamp(octets: bytes) -> None:
    SignedTimestamp.decode(octets)


def _leaf_of_log(octets: bytes) -> None:
    timestamp, entry = read_leaf(octets)
    assert read_leaf(entry.leaf_input(timestamp)) == (timestamp, entry), "what is read is what is written"


def _extra_data(octets: bytes) -> None:
    read_extra_data(EntryKind.PRECERTIFICATE, octets)


def _logged(octets: bytes) -> None:
    certificate, issuer = load_certificate(octets), path()[1][1]
    if is_precertificate(certificate):
        precertificate_entry(certificate, issuer)
    elif embedded_timestamps(certificate):
        embedded_entry(certificate, issuer)


def _crl(octets: bytes) -> None:
    verify_crl(octets, ders()[1], NOW)


def _response(octets: bytes) -> None:
    read_response(octets, *ders()[:2])


def _authority_token(octets: bytes) -> None:
    issuers = TokenIssuers((path()[1][2],))
    verify_authority_token(octets.decode("latin-1"), identifier_value(NUMBERS), b"a" * 32, issuers, NOW)


def _request(octets: bytes) -> None:
    _, header = read_request(octets)
    if header.jwk:
        read_jwk(header.jwk).key()


def _fields(octets: bytes) -> None:
    for field in identity_fields(octets.decode("latin-1")):
        parse_identity(field)


def _presented(octets: bytes) -> None:
    try:
        claims = json.loads(octets)
    except (ValueError, RecursionError):
        return  # what is no JSON never comes so far
    if isinstance(claims, dict):
        check_display(claims)


def _crl_seed() -> Iterable[bytes]:
    lost = {17: (NOW - 60, Reason.key_compromise), 18: (NOW - 60, Reason.cessation_of_operation)}
    return [sign_crl(_issuer_key(), path()[1][1], lost, number=7, now=NOW, lifetime=DAY)]


def _response_seed() -> Iterable[bytes]:
    query = decode_query(encode_query(ders()[0], ders()[1], ALICE))
    good = CertificateStatus(StatusState.GOOD, this_update=NOW)
    return [sign_response(_issuer_key(), path()[1][1], query, good, now=NOW, lifetime=DAY)]


def _token_seed() -> Iterable[bytes]:
    atc = {"tktype": "TNAuthList", "tkvalue": identifier_value(NUMBERS), "fingerprint": account_fingerprint(b"a" * 32)}
    claims = {"exp": NOW + 60, "jti": "fuzzed", "atc": atc}
    return [sign_statement(path()[0], "JWT", claims).encode()]


def _issuer_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(ISSUER_SCALAR, ec.SECP256R1())


_NAME = message_digest(b'"Q Branch"')
_RCD = {"rcd": {"nam": "Q Branch", "icn": "https://example.com/q.png"}, "rcdi": {"/nam": _NAME}, "crn": "Tea"}

STATUS_TARGETS = (
    Target("number_attributes", _attributes, lambda: [NumberAttributes(True, True, ("709J",)).encode()]),
    Target("signed_timestamp", _timestamp, lambda: [_signed_timestamp()]),
    Target("log_leaf", _leaf_of_log, lambda: [certificate_entry(path()[1][0]).leaf_input(NOW * 1_000)]),
    Target("log_extra_data", _extra_data, lambda: [extra_data(EntryKind.PRECERTIFICATE, ders()[0], ders()[1:])]),
    Target("logged_certificate", _logged, ders),
    Target("crl", _crl, _crl_seed),
    Target("ocsp_query", decode_query, lambda: [encode_query(ders()[0], ders()[1], ALICE)]),
    Target("ocsp_response", _response, _response_seed),
    Target("authority_token", _authority_token, _token_seed),
    Target("acme_request", _request, lambda: [sign_request(path()[0], b"{}", url="https://a/b", nonce="n", kid=None)]),
    Target(
        "identity_header", _fields, lambda: [f"Identity: {format_identity('a.b.c', 'https://a/b', 'msg')}".encode()]
    ),
    Target("rich_call_data", _presented, lambda: [canonical_json(_RCD)]),
)


def _signed_timestamp() -> bytes:
    return sign_timestamp(path()[0], certificate_entry(path()[1][0]), NOW * 1_000).encode()
