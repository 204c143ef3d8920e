"""OCSP as STIR uses it: the number goes with question and answer, and nothing else passes for an answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import RevocationError
from identity.status.ocsp import (
    REQUEST_SIZE_LIMIT,
    RESPONSE_LIFETIME_LIMIT,
    RESPONSE_SIZE_LIMIT,
    TN_QUERY_OID,
    StatusQuery,
    decode_query,
    encode_query,
    sign_response,
    verify_response,
)
from identity.status.ocsp_asn1 import (
    BasicOCSPResponse,
    OCSPExtension,
    OCSPRequest,
    OCSPResponse,
    ResponseBytes,
    ResponseData,
    SingleRequest,
    SingleResponse,
    TBSRequest,
)
from identity.status.revocation import CertificateStatus, Reason, StatusState
from tests.identity.conftest import ALICE, BOB, NOW, Authority, der, private_key

DAY = 86_400
GOOD = CertificateStatus(StatusState.GOOD)
REVOKED = CertificateStatus(StatusState.REVOKED, NOW - 50, Reason.superseded)


def leaf(authority: Authority) -> bytes:
    return authority.device_chain(private_key(1), ALICE)[0]


def query(authority: Authority) -> StatusQuery:
    return decode_query(encode_query(leaf(authority), der(authority.issuer()), ALICE))


def answered(authority: Authority, status: CertificateStatus = GOOD, **changes) -> bytes:
    options = {"key": authority.issuer_key, "query": query(authority), "now": NOW, "lifetime": DAY} | changes
    key, asked = options.pop("key"), options.pop("query")
    return sign_response(key, authority.issuer(), asked, status, **options)


def verified(authority: Authority, response: bytes, moment: int = NOW + 10, now: int = NOW + 10) -> CertificateStatus:
    return verify_response(response, leaf(authority), der(authority.issuer()), ALICE, moment=moment, now=now)


def by_cryptography(authority: Authority, *, critical: bool = False) -> bytes:
    """A response that another implementation builds: SHA-256 not truncated, and without the number."""
    certificate, issuer = x509.load_der_x509_certificate(leaf(authority)), authority.issuer()
    at = datetime.fromtimestamp(NOW, UTC)
    builder = ocsp.OCSPResponseBuilder().responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
    builder = builder.add_response(
        certificate, issuer, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, at, at + timedelta(days=1), None, None
    )
    if critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(authority.issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_another_implementation_reads_our_requests(authority: Authority) -> None:
    read = ocsp.load_der_ocsp_request(encode_query(leaf(authority), der(authority.issuer()), ALICE))
    assert (read.serial_number, type(read.hash_algorithm)) == (3, hashes.SHA256)
    asked = query(authority)
    assert (read.issuer_name_hash, read.issuer_key_hash) == (
        asked.certificate.issuer_name_hash,
        asked.certificate.issuer_key_hash,
    )
    assert asked.number == ALICE
    assert len(read.issuer_name_hash) == len(read.issuer_key_hash) == 20


def test_a_request_of_another_implementation_is_read_as_one_without_a_number(authority: Authority) -> None:
    certificate, issuer = x509.load_der_x509_certificate(leaf(authority)), authority.issuer()
    other = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    asked = decode_query(other.public_bytes(Encoding.DER))
    assert (asked.certificate.serial, asked.number) == (3, None)
    assert asked.certificate != query(authority).certificate  # its hashes are not truncated


def test_a_request_by_another_hash_is_refused(authority: Authority) -> None:
    certificate, issuer = x509.load_der_x509_certificate(leaf(authority)), authority.issuer()
    other = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()
    with pytest.raises(RevocationError) as caught:
        decode_query(other.public_bytes(Encoding.DER))
    assert caught.value.code == "hash"


def test_another_implementation_reads_our_responses(authority: Authority) -> None:
    read = ocsp.load_der_ocsp_response(answered(authority, REVOKED))
    assert (read.certificate_status, read.revocation_reason) == (ocsp.OCSPCertStatus.REVOKED, Reason.superseded)
    (number,) = read.single_extensions
    assert (number.oid, number.critical, number.value.value) == (TN_QUERY_OID, False, b"\x16\x0b12025550142")


def test_a_response_says_whether_and_of_which_number_the_certificate_is_good(authority: Authority) -> None:
    assert verified(authority, answered(authority)) == CertificateStatus(StatusState.GOOD, this_update=NOW)
    revoked = CertificateStatus(StatusState.REVOKED, NOW - 50, Reason.superseded, NOW)
    assert verified(authority, answered(authority, REVOKED)) == revoked


def test_a_revocation_counts_without_the_number_and_when_the_response_is_over(authority: Authority) -> None:
    without = StatusQuery(query(authority).certificate, None)
    assert verified(authority, answered(authority, REVOKED, query=without)).state is StatusState.REVOKED
    assert verified(authority, answered(authority, REVOKED), NOW + 9 * DAY).state is StatusState.REVOKED


def test_a_response_is_of_use_for_what_was_signed_before_it_is_over(authority: Authority) -> None:
    late = verified(authority, answered(authority), NOW + DAY - 1, NOW + 30 * DAY)
    assert late.state is StatusState.GOOD


def unsuccessful(_: Authority) -> bytes:
    status = ocsp.OCSPResponseStatus.UNAUTHORIZED
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def of_another_leaf(authority: Authority) -> bytes:
    other = StatusQuery(query(authority).certificate.__class__.of(authority.issuer(), 99), ALICE)
    return answered(authority, query=other)


def unknown(authority: Authority) -> bytes:
    """Good, turned into unknown."""
    return with_octets(authority, GOOD, b"\x80\x00\x18\x0f", b"\x82\x00\x18\x0f")


def with_octets(authority: Authority, status: CertificateStatus, old_octets: bytes, new_octets: bytes) -> bytes:
    """A response changed and signed again: this authority says no such thing."""
    honest = answered(authority, status)
    tbs = ocsp.load_der_ocsp_response(honest).tbs_response_bytes
    assert tbs.count(old_octets) == 1
    changed = tbs.replace(old_octets, new_octets)
    while True:  # until the new signature is as long as the old one, so that no length around it changes
        signature = authority.issuer_key.sign(changed, ec.ECDSA(hashes.SHA256()))
        old = ocsp.load_der_ocsp_response(honest).signature
        if len(signature) == len(old):
            return honest.replace(tbs, changed).replace(old, signature)


def test_a_revocation_for_a_reason_that_there_is_not_is_one_without_a_reason(authority: Authority) -> None:
    found = verified(authority, with_octets(authority, REVOKED, b"\x0a\x01\x04", b"\x0a\x01\x07"))
    assert found == CertificateStatus(StatusState.REVOKED, NOW - 50, Reason.unspecified, NOW)


def test_a_revocation_counts_from_when_it_is_said_at_the_latest(authority: Authority) -> None:
    later = CertificateStatus(StatusState.REVOKED, NOW + 9 * DAY, Reason.superseded)
    assert verified(authority, answered(authority, later)).revoked_at == NOW


def by_another_hash(authority: Authority) -> bytes:
    """The same truncated hashes, said to be by SHA-384."""
    return with_octets(
        authority, GOOD, bytes.fromhex("0609608648016503040201"), bytes.fromhex("0609608648016503040202")
    )


def of_another_responder(authority: Authority) -> bytes:
    key = bytes.fromhex("a2160414") + query(authority).certificate.issuer_key_hash
    return with_octets(authority, GOOD, key, key[:-1] + b"\0")


def without_an_end(authority: Authority) -> bytes:
    honest = asn1.decode_der(OCSPResponse, answered(authority))
    basic = asn1.decode_der(BasicOCSPResponse, honest.response.response)
    (single,) = basic.tbs.responses
    endless = SingleResponse(
        cert_id=single.cert_id,
        status=single.status,
        this_update=single.this_update,
        next_update=None,
        extensions=single.extensions,
    )
    responder, made = basic.tbs.responder_key_hash, basic.tbs.produced_at
    tbs = ResponseData(responder_key_hash=responder, produced_at=made, responses=[endless])
    signature = authority.issuer_key.sign(asn1.encode_der(tbs), ec.ECDSA(hashes.SHA256()))
    signed = BasicOCSPResponse(tbs=tbs, algorithm=basic.algorithm, signature=asn1.BitString(signature, 0))
    whole = ResponseBytes(kind=honest.response.kind, response=asn1.encode_der(signed))
    return asn1.encode_der(OCSPResponse(status=honest.status, response=whole))


BREAKS: list[tuple[str, int, str, Callable[[Authority], bytes]]] = [
    ("too large", 1, "too-large", lambda _: bytes(RESPONSE_SIZE_LIMIT + 1)),
    ("no response", 1, "malformed", lambda _: b"\x30\x03\x02\x01\x05"),
    ("a refusal", 1, "unsuccessful", unsuccessful),
    ("a critical extension", 1, "critical", lambda a: by_cryptography(a, critical=True)),
    ("hashes that are not truncated", 2, "certificate", by_cryptography),
    ("about another certificate", 2, "certificate", of_another_leaf),
    ("by another hash", 2, "certificate", by_another_hash),
    ("of another responder", 3, "responder", of_another_responder),
    ("by another key", 3, "signature", lambda a: answered(a, key=private_key(66))),
    ("of the future", 4, "time", lambda a: answered(a, now=NOW + DAY)),
    ("valid for too long", 4, "time", lambda a: answered(a, lifetime=RESPONSE_LIFETIME_LIMIT + 1)),
    ("without an end", 4, "time", without_an_end),
    ("over", 4, "expired", lambda a: answered(a, now=NOW - 2 * DAY)),
    ("unknown", 5, "unknown", unknown),
    ("without the number", 6, "coverage", lambda a: answered(a, query=StatusQuery(query(a).certificate, None))),
    ("for another number", 6, "coverage", lambda a: answered(a, query=StatusQuery(query(a).certificate, BOB))),
]


@pytest.mark.parametrize(("number", "code", "broken"), [pytest.param(*each[1:], id=each[0]) for each in BREAKS])
def test_a_check_stops_what_it_is_for(
    authority: Authority, number: int, code: str, broken: Callable[[Authority], bytes]
) -> None:
    with pytest.raises(RevocationError) as caught:
        verified(authority, broken(authority))
    assert (caught.value.check, caught.value.code) == (number, code)


def test_a_response_is_signed_with_the_algorithm_of_the_leafs_own_signature(authority: Authority) -> None:
    issuer, key = authority.issuer(), private_key(1).public_key()
    builder = x509.CertificateBuilder().subject_name(issuer.subject).issuer_name(issuer.subject).public_key(key)
    at = datetime.fromtimestamp(NOW, UTC)
    builder = builder.serial_number(3).not_valid_before(at).not_valid_after(at + timedelta(days=1))
    same, other = (der(builder.sign(authority.issuer_key, each)) for each in (hashes.SHA256(), hashes.SHA384()))
    verify_response(answered(authority), same, der(issuer), ALICE, moment=NOW, now=NOW)
    with pytest.raises(RevocationError) as refused:
        verify_response(answered(authority), other, der(issuer), ALICE, moment=NOW, now=NOW)
    assert (refused.value.check, refused.value.code) == (3, "responder")


def test_a_request_asks_about_one_certificate_and_nothing_that_is_not_known(authority: Authority) -> None:
    asked = asn1.decode_der(OCSPRequest, encode_query(leaf(authority), der(authority.issuer()), ALICE)).tbs.requests[0]
    assert asked.extensions is not None
    (number,) = asked.extensions
    critical = OCSPExtension(oid=number.oid, critical=True, value=number.value)
    unknown_critical = OCSPExtension(oid=x509.ObjectIdentifier("1.2.3.4"), critical=True, value=b"\x05\x00")
    twice = SingleRequest(cert_id=asked.cert_id, extensions=[number, number])
    for tbs, code in (
        (TBSRequest(requests=[asked, asked]), "form"),
        (TBSRequest(requests=[]), "form"),
        (TBSRequest(version=1, requests=[asked]), "form"),
        (TBSRequest(requests=[SingleRequest(cert_id=asked.cert_id, extensions=[critical])]), "critical"),
        (TBSRequest(requests=[asked], extensions=[unknown_critical]), "critical"),
        (TBSRequest(requests=[twice]), "critical"),
    ):
        with pytest.raises(RevocationError) as refused:
            decode_query(asn1.encode_der(OCSPRequest(tbs=tbs)))
        assert (refused.value.check, refused.value.code) == (1, code)


@given(st.binary(max_size=200))
def test_any_octets_are_refused_as_a_request_and_as_a_response(octets: bytes) -> None:
    with pytest.raises(RevocationError):
        decode_query(octets)
    with pytest.raises(RevocationError):
        verified(Authority(), octets)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_response_with_other_octets_in_it_is_never_taken(place: int, octets: bytes) -> None:
    authority = Authority()
    honest = answered(authority)
    place %= len(honest)
    changed = honest[:place] + octets + honest[place + len(octets) :]
    if changed != honest:
        with pytest.raises(RevocationError):
            verified(authority, changed)


@given(st.integers(0, 150), st.binary(min_size=1, max_size=3))
def test_a_request_with_other_octets_in_it_is_another_request_or_none(place: int, octets: bytes) -> None:
    authority = Authority()
    honest = encode_query(leaf(authority), der(authority.issuer()), ALICE)
    place %= len(honest)
    changed = honest[:place] + octets + honest[place + len(octets) :]
    try:
        decode_query(changed)
    except RevocationError:
        return
    assert len(changed) <= REQUEST_SIZE_LIMIT
