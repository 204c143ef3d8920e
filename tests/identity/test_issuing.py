"""What the authority builds: root, issuer, device certificates; and what it asks of a request."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from identity.certificate_fields import (
    ENHANCED_CLAIM_CONSTRAINTS_OID,
    TN_AUTH_LIST_OID,
    certificate_constraints,
    certificate_tn_auth_list,
    validity,
)
from identity.certificates import TrustAnchors, verify_chain
from identity.errors import CertificateError
from identity.issuing import (
    BACKDATING,
    CSR_SIZE_LIMIT,
    DEVICE_LIFETIME,
    MESSAGING_ONLY,
    check_csr,
    create_issuer,
    create_root,
    device_csr,
    issue_device_certificate,
)
from identity.number import TelephoneNumber
from tests.identity.conftest import ALICE, NOW, RANGE, YEAR, Authority, PrivateKey, der, one, private_key, rsa_key

AUTHORITY = Authority()


def device() -> x509.Certificate:
    return x509.load_der_x509_certificate(AUTHORITY.device_chain(private_key(1), ALICE)[0])


def test_a_device_certificate_has_the_profile_of_the_binding() -> None:
    certificate = device()
    critical = {extension.oid: extension.critical for extension in certificate.extensions}
    assert critical[x509.BasicConstraints.oid]
    assert critical[x509.KeyUsage.oid]
    assert not critical[TN_AUTH_LIST_OID]
    assert not critical[ENHANCED_CLAIM_CONSTRAINTS_OID]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not any((usage.key_cert_sign, usage.key_agreement, usage.key_encipherment, usage.content_commitment))
    assert certificate_tn_auth_list(certificate) == one(ALICE)
    assert certificate_constraints(certificate) == (MESSAGING_ONLY, False)
    assert (MESSAGING_ONLY.must_include, MESSAGING_ONLY.must_exclude) == (("msgi",), ("attest", "origid"))


def test_the_number_stands_in_the_list_and_not_in_the_name() -> None:
    assert ALICE.digits not in device().subject.rfc4514_string()


def test_a_device_certificate_is_back_dated_by_an_hour_and_lives_for_seven_days() -> None:
    assert validity(device()) == (NOW - BACKDATING, NOW + DEVICE_LIFETIME)
    assert (BACKDATING, DEVICE_LIFETIME) == (3_600, 604_800)


def test_a_device_certificate_does_not_outlive_its_issuer() -> None:
    root_key, root = create_root("Root", NOW, YEAR)
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", RANGE, NOW, 86_400)
    leaf = issue_device_certificate(issuer_key, issuer, private_key(1).public_key(), ALICE, NOW + 3_600)
    assert validity(leaf)[1] == validity(issuer)[1] == NOW + 86_400


@pytest.mark.parametrize("now", [NOW + YEAR, NOW + 2 * YEAR, NOW - YEAR])
def test_an_issuer_issues_nothing_outside_its_own_time(now: int) -> None:
    key = private_key(1).public_key()
    with pytest.raises(CertificateError) as refused:
        issue_device_certificate(AUTHORITY.issuer_key, AUTHORITY.issuer(), key, ALICE, now)
    assert refused.value.code == "expired"


def test_fresh_keys_make_a_chain_that_verifies() -> None:
    root_key, root = create_root("Root", NOW, YEAR)
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", RANGE, NOW, YEAR)
    leaf = issue_device_certificate(issuer_key, issuer, private_key(1).public_key(), ALICE, NOW)
    verified = verify_chain([der(leaf), der(issuer)], TrustAnchors((root,)), NOW)
    assert (verified.number, verified.issuer) == (ALICE, "Issuer")


def test_an_issuer_does_not_certify_numbers_beyond_its_list() -> None:
    foreign = TelephoneNumber.from_digits("447700900123")
    key = private_key(1).public_key()
    with pytest.raises(CertificateError) as refused:
        issue_device_certificate(AUTHORITY.issuer_key, AUTHORITY.issuer(), key, foreign, NOW)
    assert refused.value.code == "not-covered"


def test_the_same_inputs_make_the_same_certificate() -> None:
    """RFC 6979 signatures and a given serial number: vectors reproduce."""
    assert AUTHORITY.device_chain(private_key(1), ALICE) == Authority().device_chain(private_key(1), ALICE)


def test_a_request_proves_possession_of_its_key() -> None:
    key = private_key(1)
    assert check_csr(device_csr(key, ALICE)) == key.public_key()


def csr(key: PrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_request_needs_no_name_and_no_extension() -> None:
    assert check_csr(csr(private_key(1))) == private_key(1).public_key()


def test_a_request_for_another_kind_of_key_is_refused() -> None:
    keys: tuple[PrivateKey, ...] = (rsa_key(), ec.generate_private_key(ec.SECP384R1()))
    for key in keys:
        with pytest.raises(CertificateError) as refused:
            check_csr(csr(key))
        assert refused.value.code == "key-type"


def test_a_request_signed_by_another_key_is_refused() -> None:
    request = device_csr(private_key(1), ALICE)
    swapped = request.replace(private_point(1), private_point(2))
    with pytest.raises(CertificateError) as refused:
        check_csr(swapped)
    assert refused.value.code == "possession"


def private_point(number: int) -> bytes:
    numbers = private_key(number).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_a_request_over_the_limit_is_refused() -> None:
    with pytest.raises(CertificateError) as refused:
        check_csr(bytes(CSR_SIZE_LIMIT + 1))
    assert refused.value.code == "too-large"


REQUEST = device_csr(private_key(1), ALICE)


@given(st.binary(max_size=300) | st.builds(
    lambda position, octets: REQUEST[:position] + octets + REQUEST[position + 1 :],
    st.integers(0, len(REQUEST)), st.binary(max_size=2)))  # fmt: skip
def test_any_octets_are_a_request_or_a_certificate_error(octets: bytes) -> None:
    try:
        key = check_csr(octets)
    except CertificateError:
        return
    assert key == private_key(1).public_key()
