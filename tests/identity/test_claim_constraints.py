"""JWT claim constraints: RFC 8226 §8 and RFC 9118, their published DER and their rules."""

from base64 import b64decode

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from identity.certificate_fields import certificate_constraints, certificate_tn_auth_list
from identity.claim_constraints import CLAIM_CONSTRAINTS_SIZE_LIMIT, ClaimConstraints
from identity.errors import ClaimConstraintsError
from identity.tn_auth_list import ServiceProviderCode, TNAuthList
from tests.identity.published import RFC_9118_CERTIFICATE

RFC_9118_DER = (
    "3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e666964656e6365300e0c04686967680c066d656469756d"
    "a20c300a16087072696f72697479"
)
RFC_9118_CONSTRAINTS = ClaimConstraints(("confidence",), (("confidence", ("high", "medium")),), ("priority",))
HOUSLEY_8226 = b64decode("MD2gBzAFFgNmb2+hMjAwMBkWA2ZvbzASDARmb28xDARmb28yDARmb28zMBMWA2JhcjAMDARiYXIxDARiYXIy")


def test_the_published_enhanced_constraints() -> None:
    assert ClaimConstraints.decode_9118(bytes.fromhex(RFC_9118_DER)) == RFC_9118_CONSTRAINTS
    assert RFC_9118_CONSTRAINTS.encode_9118().hex() == RFC_9118_DER


def test_the_published_constraints_of_rfc_8226() -> None:
    expected = ClaimConstraints(("foo",), (("foo", ("foo1", "foo2", "foo3")), ("bar", ("bar1", "bar2"))))
    assert ClaimConstraints.decode_8226(HOUSLEY_8226) == expected


def test_the_published_certificate_holds_the_published_constraints() -> None:
    certificate = x509.load_pem_x509_certificate(RFC_9118_CERTIFICATE)
    assert certificate_constraints(certificate) == (RFC_9118_CONSTRAINTS, False)
    assert certificate_tn_auth_list(certificate) == TNAuthList((ServiceProviderCode("1234"),))


@pytest.mark.parametrize(
    "claims", [{"confidence": "high"}, {"confidence": "medium", "other": 1}], ids=["exact", "others are free"]
)
def test_claims_within_the_constraints(claims: dict[str, object]) -> None:
    RFC_9118_CONSTRAINTS.check(claims)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, "must-include"),
        ({"confidence": "low"}, "permitted-values"),
        ({"confidence": "HIGH"}, "permitted-values"),
        ({"confidence": ["high"]}, "permitted-values"),
        ({"confidence": {"high": 1}}, "permitted-values"),
        ({"confidence": "high", "priority": None}, "must-exclude"),
    ],
)
def test_claims_against_the_constraints(claims: dict[str, object], code: str) -> None:
    with pytest.raises(ClaimConstraintsError) as refused:
        RFC_9118_CONSTRAINTS.check(claims)
    assert refused.value.code == code


def test_a_permitted_value_does_not_demand_the_claim() -> None:
    ClaimConstraints(permitted_values=(("confidence", ("high",)),)).check({})


@pytest.mark.parametrize("name", ["iat", "orig", "dest"])
def test_excluding_a_base_claim_voids_the_extension(name: str) -> None:
    assert ClaimConstraints(must_exclude=("attest", name)).void
    assert not ClaimConstraints(must_exclude=("attest",), must_include=(name,)).void


REFUSED = {
    "nothing": "",
    "no constraint": "3000",
    "empty list": "3004a0023000",
    "implicit tags": "3008a00616046d736769",
    "empty values": "300ca10a3008 3006 1602 6162 3000".replace(" ", ""),
    "trailing octet": RFC_9118_DER + "00",
    "unknown field": "300aa308300616046d736769",
    "wrong order": "3014a208300616046d736769a008300616046d736769",
    "non-minimal length": "30810aa008300616046d736769",
}


@pytest.mark.parametrize("der", REFUSED.values(), ids=REFUSED.keys())
def test_malformed_constraints_are_refused(der: str) -> None:
    for decode in (ClaimConstraints.decode_8226, ClaimConstraints.decode_9118):
        with pytest.raises(ClaimConstraintsError):
            decode(bytes.fromhex(der))


def test_the_old_form_has_no_exclusions() -> None:
    with pytest.raises(ClaimConstraintsError):
        ClaimConstraints.decode_8226(bytes.fromhex(RFC_9118_DER))


def test_constraints_that_constrain_nothing_cannot_be_encoded() -> None:
    with pytest.raises(ClaimConstraintsError):
        ClaimConstraints().encode_9118()


def test_constraints_over_the_limit_are_refused() -> None:
    with pytest.raises(ClaimConstraintsError) as refused:
        ClaimConstraints.decode_9118(bytes(CLAIM_CONSTRAINTS_SIZE_LIMIT + 1))
    assert refused.value.code == "too-large"


names = st.from_regex(r"[a-z#0-9]{1,10}", fullmatch=True)
some_names = st.lists(names, max_size=4).map(tuple)
permitted = st.lists(st.tuples(names, st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple)), max_size=3)


@given(st.builds(ClaimConstraints, some_names, permitted.map(tuple), some_names))
def test_constraints_survive_their_encoding(constraints: ClaimConstraints) -> None:
    if constraints == ClaimConstraints():
        return
    assert ClaimConstraints.decode_9118(constraints.encode_9118()) == constraints


@given(st.binary(max_size=80) | st.builds(
    lambda n, b: bytes.fromhex(RFC_9118_DER)[:n] + b + bytes.fromhex(RFC_9118_DER)[n + 1 :],
    st.integers(0, 66), st.binary(max_size=2)))  # fmt: skip
def test_any_octets_are_constraints_or_a_claim_constraints_error(octets: bytes) -> None:
    try:
        constraints = ClaimConstraints.decode_9118(octets)
    except ClaimConstraintsError:
        return
    assert constraints.encode_9118() == octets
