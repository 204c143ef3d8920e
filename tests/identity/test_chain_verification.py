"""verify_chain: what X.509 path validation leaves to us, and what must never pass (RFC 8226, RFC 9060, RFC 5280)."""

import random
import warnings
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from identity.certificate_fields import CERTIFICATE_SIZE_LIMIT, CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.certificates import (
    CHAIN_LENGTH_LIMIT,
    TRUST_LIST_SIZE_LIMIT,
    ChainVerifier,
    TrustAnchors,
    leaf_number,
    leaf_public_point,
    verify_chain,
)
from identity.claim_constraints import ClaimConstraints
from identity.errors import CertificateError, IdentityError
from identity.issuing import DEVICE_LIFETIME, MESSAGING_ONLY
from identity.tn_auth_list import Coverage, OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList
from identity.trust import TrustPolicy
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    RANGE,
    Authority,
    Extension,
    any_certificate,
    der,
    key_usage,
    one,
    private_key,
    rsa_key,
    tn_extension,
)  # fmt: skip
from tests.identity.published import RFC_9118_CERTIFICATE

AUTHORITY = Authority()
CA_FIELDS: tuple[Extension, ...] = (
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (key_usage(key_cert_sign=True, crl_sign=True), True),
)


def refusal(chain: Sequence[bytes], anchors: TrustAnchors = AUTHORITY.anchors, now: int = NOW) -> str:
    with pytest.raises(CertificateError) as refused:
        verify_chain(chain, anchors, now)
    return refused.value.code


def test_a_device_chain_is_verified() -> None:
    chain = AUTHORITY.device_chain(private_key(1), ALICE)
    verified = verify_chain(chain, AUTHORITY.anchors, NOW)
    assert (verified.number, verified.issuer, verified.serial) == (ALICE, "Test issuer", 3)
    assert (verified.constraints, verified.conflicting_constraints) == (MESSAGING_ONLY, False)
    assert (verified.not_before, verified.not_after) == (NOW - 3_600, NOW + DEVICE_LIFETIME)
    assert verified.public_point == leaf_public_point(chain[0])
    assert verified.bounds == (RANGE,)
    assert verified.covers(ALICE) is Coverage.BY_NUMBER
    assert verified.covers(BOB) is Coverage.NO


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (NOW - 3_601, "not-yet-valid"),
        (NOW + DEVICE_LIFETIME + 1, "expired"),
        (-1, "not-yet-valid"),
        (10**20, "expired"),
    ],
)
def test_a_chain_has_its_time(now: int, code: str) -> None:
    assert refusal(AUTHORITY.device_chain(private_key(1), ALICE), now=now) == code


def test_the_first_and_last_second_count() -> None:
    chain = AUTHORITY.device_chain(private_key(1), ALICE)
    for now in (NOW - 3_600, NOW + DEVICE_LIFETIME):
        verify_chain(chain, AUTHORITY.anchors, now)


def test_the_published_certificate_of_rfc_9118_has_expired() -> None:
    leaf = x509.load_pem_x509_certificate(RFC_9118_CERTIFICATE).public_bytes(Encoding.DER)
    assert refusal([leaf]) == "expired"
    assert refusal([leaf], now=1_640_000_000) == "untrusted"


def test_no_trust_list_is_said() -> None:
    assert refusal(AUTHORITY.device_chain(private_key(1), ALICE), TrustAnchors(())) == "no-anchors"


def test_a_root_of_the_same_name_with_another_key_is_not_trusted() -> None:
    impostor = Authority(root_key=private_key(6_666))
    assert refusal(AUTHORITY.device_chain(private_key(1), ALICE), impostor.anchors) == "untrusted"


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["issuer", "subject"])
def test_a_name_that_cannot_be_read_is_a_refusal_wherever_it_stands(place: int, name: str) -> None:
    chain = list(AUTHORITY.device_chain(private_key(1), ALICE))
    called = getattr(x509.load_der_x509_certificate(chain[place]), name).public_bytes()
    no_text = called[:-2] + bytes((0xFF, 0xFF))  # no UTF-8
    before, there, behind = chain[place].rpartition(called) if name == "subject" else chain[place].partition(called)
    assert there
    chain[place] = before + no_text + behind
    assert refusal(tuple(chain)) == "malformed"
    verifier = ChainVerifier(AUTHORITY.anchors)
    verifier.verify(AUTHORITY.device_chain(private_key(1), ALICE), NOW)
    with pytest.raises(CertificateError):  # below an issuer that is known
        verifier.verify(tuple(chain), NOW)


def test_a_certificate_over_the_limit_is_refused_before_it_is_parsed() -> None:
    issuer = AUTHORITY.device_chain(private_key(1), ALICE)[1]
    assert refusal((bytes(CERTIFICATE_SIZE_LIMIT + 1), issuer)) == "too-large"


@pytest.mark.parametrize("count", [0, CHAIN_LENGTH_LIMIT + 1])
def test_a_chain_has_one_to_four_certificates(count: int) -> None:
    assert refusal([AUTHORITY.device_chain(private_key(1), ALICE)[0]] * count) == "length"


def test_a_chain_is_exactly_the_path_without_its_root() -> None:
    leaf, issuer = AUTHORITY.device_chain(private_key(1), ALICE)
    assert refusal([leaf]) == "untrusted"
    assert refusal([leaf, issuer, der(AUTHORITY.root)]) == "order"
    assert refusal([leaf, issuer, leaf]) == "order"
    assert refusal([leaf, issuer, issuer]) == "order"
    assert refusal([issuer, leaf]) == "order"


LEAVES: dict[str, tuple[Sequence[Extension], str]] = {
    "CA as leaf": (((x509.BasicConstraints(ca=True, path_length=None), True), LEAF_FIELDS[1]), "ca-leaf"),
    "CA as leaf, not critical": (
        ((x509.BasicConstraints(ca=True, path_length=None), False), LEAF_FIELDS[1]),
        "ca-leaf",
    ),
    "no key usage": (LEAF_FIELDS[:1], "key-usage"),
    "key for agreement": ((LEAF_FIELDS[0], (key_usage(key_agreement=True), True)), "key-usage"),
    "key for certificates": (
        (LEAF_FIELDS[0], (key_usage(digital_signature=True, key_cert_sign=True), True)),
        "key-usage",
    ),
    "unknown critical extension": (
        (*LEAF_FIELDS, (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)),
        "untrusted",
    ),
    "wrong authority key": (
        (*LEAF_FIELDS, (x509.AuthorityKeyIdentifier(b"12345678901234567890", None, None), False)),
        "key-identifiers",
    ),
    "malformed constraints": (
        (*LEAF_FIELDS, (x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, b"\x30\x00"), False)),
        "claim-constraints",
    ),
}


@pytest.mark.parametrize(("fields", "code"), LEAVES.values(), ids=LEAVES.keys())
def test_leaves_that_may_not_sign(fields: Sequence[Extension], code: str) -> None:
    assert refusal(AUTHORITY.chain((*fields, tn_extension(one(ALICE))))) == code


def test_a_leaf_without_numbers_is_refused() -> None:
    assert refusal(AUTHORITY.chain(LEAF_FIELDS)) == "tn-auth-list"


def test_a_leaf_without_basic_constraints_is_an_end_entity() -> None:
    chain = AUTHORITY.chain((LEAF_FIELDS[1], tn_extension(one(ALICE))))
    assert verify_chain(chain, AUTHORITY.anchors, NOW).number == ALICE


@pytest.mark.parametrize("critical", [False, True])
def test_the_list_is_read_whether_critical_or_not(critical: bool) -> None:
    """Pins that an ExtensionType subclass that only carries an OID serves an ExtensionPolicy."""
    chain = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE), critical)))
    assert verify_chain(chain, AUTHORITY.anchors, NOW).number == ALICE


@pytest.mark.parametrize(
    "octets", [b"", b"\x30\x00", one(ALICE).encode() + b"\x00", bytes.fromhex("300d820b3132303235353530313432")]
)
def test_a_leaf_with_a_malformed_list_is_refused(octets: bytes) -> None:
    assert refusal(AUTHORITY.chain((*LEAF_FIELDS, tn_extension(octets)))) == "tn-auth-list"


@pytest.mark.parametrize(
    "key", [rsa_key().public_key(), ec.generate_private_key(ec.SECP384R1()).public_key()], ids=["RSA", "P-384"]
)
def test_only_p256_keys_sign_messages(key: object) -> None:
    assert refusal(AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE))), key)) == "key-type"


def test_ed25519_leaves_are_refused() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    assert refusal(AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE))), key)) in {"untrusted", "key-type"}


@pytest.mark.parametrize(
    ("entries", "number"),
    [
        ((OneNumber(ALICE.digits), OneNumber(BOB.digits)), None),
        ((TelephoneNumberRange("12025550140", 5),), None),
        ((OneNumber(ALICE.digits),), ALICE),
    ],
)
def test_only_a_single_entry_is_the_leafs_number(entries: tuple[OneNumber, ...], number: object) -> None:
    verified = verify_chain(AUTHORITY.chain((*LEAF_FIELDS, tn_extension(TNAuthList(entries)))), AUTHORITY.anchors, NOW)
    assert verified.number == number
    assert verified.covers(ALICE) is Coverage.BY_NUMBER


def issuer_chain(fields: Sequence[Extension], key: ec.EllipticCurvePrivateKey | None = None) -> tuple[bytes, ...]:
    """A device of Alice's under an issuer with any fields."""
    issuer_key = key or AUTHORITY.issuer_key
    issuer = any_certificate(AUTHORITY.root_key, AUTHORITY.root.subject, issuer_key.public_key(), fields, name="issuer")
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)))
    return der(any_certificate(issuer_key, issuer.subject, private_key(1).public_key(), fields)), der(issuer)


ISSUERS: dict[str, tuple[Sequence[Extension], str]] = {
    "list beside the number": ((*CA_FIELDS, tn_extension(one(BOB))), "encompassing"),
    "malformed list": ((*CA_FIELDS, tn_extension(b"\x30\x00")), "tn-auth-list"),
    "no CA": ((*LEAF_FIELDS, tn_extension(RANGE)), "untrusted"),
    "may not sign certificates": ((CA_FIELDS[0], LEAF_FIELDS[1], tn_extension(RANGE)), "untrusted"),
    "claim constraints": (
        (*CA_FIELDS, (x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, MESSAGING_ONLY.encode_9118()), False)),
        "claim-constraints",
    ),
    "wrong authority key": (
        (*CA_FIELDS, tn_extension(RANGE), (x509.AuthorityKeyIdentifier(b"12345678901234567890", None, None), False)),
        "key-identifiers",
    ),
    "old claim constraints": (
        (*CA_FIELDS, (x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, MESSAGING_ONLY.encode_9118()), False)),
        "claim-constraints",
    ),
}


@pytest.mark.parametrize(("fields", "code"), ISSUERS.values(), ids=ISSUERS.keys())
def test_issuers_that_may_not_issue(fields: Sequence[Extension], code: str) -> None:
    assert refusal(issuer_chain(fields)) == code


@pytest.mark.parametrize("entries", [RANGE, TNAuthList((ServiceProviderCode("1234"),)), None])
def test_issuers_that_may_issue(entries: TNAuthList | None) -> None:
    """With the number in range; with a code, of which no list says what numbers it has (RFC 9060); without a bound."""
    fields = CA_FIELDS if entries is None else (*CA_FIELDS, tn_extension(entries))
    assert verify_chain(issuer_chain(fields), AUTHORITY.anchors, NOW).covers(ALICE) is Coverage.BY_NUMBER


def test_a_list_in_the_root_bounds_the_path_too() -> None:
    key = AUTHORITY.root_key
    root = any_certificate(key, AUTHORITY.root.subject, key.public_key(), (*CA_FIELDS, tn_extension(one(BOB))),
                           name="Test root")  # fmt: skip
    assert refusal(AUTHORITY.device_chain(private_key(1), ALICE), TrustAnchors((root,))) == "encompassing"


def test_an_issuer_for_end_entities_makes_no_further_issuer() -> None:
    issuer = AUTHORITY.issuer()  # pathlen 0
    below = any_certificate(AUTHORITY.issuer_key, issuer.subject, private_key(9).public_key(), CA_FIELDS, name="below")
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)))
    leaf = any_certificate(private_key(9), below.subject, private_key(1).public_key(), fields)
    assert refusal((der(leaf), der(below), der(issuer))) == "untrusted"


def test_an_rsa_issuer_is_a_switch_of_the_trust_list() -> None:
    key = rsa_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RSA root")])
    root = any_certificate(key, name, key.public_key(), CA_FIELDS, name="RSA root")
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)))
    chain = [der(any_certificate(key, name, private_key(1).public_key(), fields))]
    assert refusal(chain, TrustAnchors((root,))) == "issuer-algorithm"
    assert verify_chain(chain, TrustAnchors((root,), TrustPolicy(non_ecdsa_issuers=True)), NOW).number == ALICE


def test_an_issuer_that_an_rsa_root_has_signed_is_refused_although_it_signs_with_ecdsa_itself() -> None:
    key = rsa_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RSA root")])
    root = any_certificate(key, name, key.public_key(), CA_FIELDS, name="RSA root")
    issuer = any_certificate(key, name, AUTHORITY.issuer_key.public_key(), CA_FIELDS, name="issuer")
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)))
    leaf = any_certificate(AUTHORITY.issuer_key, issuer.subject, private_key(1).public_key(), fields)
    assert refusal((der(leaf), der(issuer)), TrustAnchors((root,))) == "issuer-algorithm"


def test_constraints_that_exclude_a_base_claim_count_as_absent() -> None:
    void = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, ClaimConstraints((), (), ("iat",)).encode_9118())
    chain = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), (void, False)))
    assert verify_chain(chain, AUTHORITY.anchors, NOW).constraints is None


def test_a_trust_list_is_read_from_pem_and_named_whatever_its_order() -> None:
    roots = [AUTHORITY.root, Authority(root_key=private_key(77)).root]
    pems = [root.public_bytes(Encoding.PEM) for root in roots]
    one_order, other_order = TrustAnchors.from_pem(b"".join(pems)), TrustAnchors.from_pem(b"".join(reversed(pems)))
    assert one_order.fingerprint == other_order.fingerprint != TrustAnchors.from_pem(pems[0]).fingerprint
    for malformed in (
        b"",
        b"nonsense",
        pems[0][:-40],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ):
        with pytest.raises(CertificateError):
            TrustAnchors.from_pem(malformed)


def test_a_trust_list_over_the_limit_is_refused() -> None:
    with pytest.raises(CertificateError) as refused:
        TrustAnchors.from_pem(bytes(TRUST_LIST_SIZE_LIMIT + 1))
    assert refused.value.code == "too-large"


def test_a_leaf_is_read_without_trust_for_its_number_and_key() -> None:
    leaf = AUTHORITY.device_chain(private_key(1), ALICE)[0]
    assert leaf_number(leaf) == ALICE
    assert leaf_number(der(AUTHORITY.root)) is None


CHAIN = AUTHORITY.device_chain(private_key(1), ALICE)


@pytest.mark.parametrize("serial", [0x00, 0x83], ids=["zero", "negative"])
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_serial_number_is_positive_whether_warnings_are_errors_or_not(serial: int) -> None:
    changed = CHAIN[0].replace(b"\x02\x01\x03", bytes((2, 1, serial)), 1)
    assert refusal((changed, CHAIN[1])) == "malformed"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refusal((changed, CHAIN[1])) == "malformed"


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_octets_are_no_chain(chain: list[bytes]) -> None:
    refusal(chain)


@given(st.sampled_from([0, 1]), st.integers(0, 500), st.binary(max_size=3), st.integers(0, 3))
def test_a_changed_chain_is_refused_with_our_error_only(which: int, position: int, octets: bytes, removed: int) -> None:
    certificate = CHAIN[which]
    changed = certificate[:position] + octets + certificate[position + removed :]
    chain = (changed, CHAIN[1]) if which == 0 else (CHAIN[0], changed)
    try:
        verify_chain(chain, AUTHORITY.anchors, NOW)
    except IdentityError:
        return
    assert chain == CHAIN


def test_every_single_octet_of_a_leaf_is_protected() -> None:
    positions = random.Random(7).sample(range(len(CHAIN[0])), 150)
    for position in positions:
        changed = bytearray(CHAIN[0])
        changed[position] ^= 1
        refusal((bytes(changed), CHAIN[1]))
