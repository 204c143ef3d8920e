"""Number attributes (draft-wendt-stir-cert-tn-attr-ext): strict DER, the draft's rules, and what follows from them."""

import contextlib
from collections.abc import Sequence

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from identity import Expected, verify
from identity.certificates import ChainVerifier, verify_chain
from identity.errors import CertificateError, NumberAttributesError
from identity.issuing import issue_device_certificate
from identity.number_attributes import (
    ATTRIBUTES_LIMIT,
    ATTRIBUTES_SIZE_LIMIT,
    TN_ATTRIBUTES_OID,
    VALUES_LIMIT,
    NumberAttributes,
)
from identity.passport import sign_token
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TNAuthList
from identity.trust import TrustAnchors
from identity.verdict import Verdict, Verification
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    Authority,
    Extension,
    Scene,
    der,
    one,
    private_key,
    tn_extension,
)

NULL = "0500"
MESSAGING_CLOSED = NumberAttributes(do_not_originate_messaging=True)

# The draft publishes no examples: these were written octet by octet from its ASN.1.
WRITTEN = {
    "30073005 020102 0500": NumberAttributes(do_not_originate=True),
    "30073005 020103 0500": MESSAGING_CLOSED,
    "300e 3005 020102 0500 3005 020103 0500": NumberAttributes(do_not_originate=True, do_not_originate_messaging=True),
    "300d 300b 020104 3006 1604 31323334": NumberAttributes(authorized_originators=("1234",)),
    "3010 300e 020104 3009 1604 31323334 1601 39": NumberAttributes(authorized_originators=("1234", "9")),
    "3014 3012 020101 300d 160b 68747470733a2f2f612e62": NumberAttributes(placement_services=("https://a.b",)),
}
REFUSED = {
    "nothing": "",
    "empty list": "3000",
    "octet after the end": "30073005020103050000",
    "length that is not the shortest": "3081073005020103 0500",
    "indefinite length": "30803005020103 05000000",
    "type without a value": "30053003020103",
    "three fields": "3009 3007 020103 0500 0500",
    "presence with a value": "3008 3006 020103 020101",
    "presence that is an empty sequence": "3007 3005 020103 3000",
    "NULL with content": "3008 3006 020103 050100",
    "type that is no INTEGER": "3007 3005 0a0103 0500",
    "code that is no IA5String": "300d 300b 020104 3006 0c04 31323334",
    "no codes": "3007 3005 020104 3000",
    "code alone": "300b 3009 020104 1604 31323334",
}  # fmt: skip


def attribute(type_: int, value: str = NULL) -> str:
    content = f"0201{type_:02x}{value}"
    return f"30{len(content) // 2:02x}{content}"


def attributes(*each: str) -> bytes:
    content = "".join(each)
    return bytes.fromhex(f"30{len(content) // 2:02x}{content}")


@pytest.mark.parametrize("octets", WRITTEN)
def test_what_the_asn1_says_is_read_and_written(octets: str) -> None:
    encoded = bytes.fromhex(octets)
    assert NumberAttributes.decode(encoded) == WRITTEN[octets]
    assert WRITTEN[octets].encode() == encoded


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(octets: str) -> None:
    with pytest.raises(NumberAttributesError) as raised:
        NumberAttributes.decode(bytes.fromhex(octets))
    assert raised.value.code == "malformed"


def test_a_control_character_in_a_code_is_refused() -> None:
    with pytest.raises(NumberAttributesError, match="visible ASCII") as raised:
        NumberAttributes.decode(attributes(attribute(4, "3003160107")))
    assert raised.value.code == "originators"


def test_size_and_counts_are_limited() -> None:
    with pytest.raises(NumberAttributesError) as raised:
        NumberAttributes.decode(bytes(ATTRIBUTES_SIZE_LIMIT + 1))
    assert raised.value.code == "too-large"
    many = b"".join(bytes.fromhex(attribute(9)) for _ in range(ATTRIBUTES_LIMIT + 1))
    with pytest.raises(NumberAttributesError):
        NumberAttributes.decode(bytes((0x30, 0x81, len(many))) + many)
    with pytest.raises(NumberAttributesError) as raised:
        NumberAttributes(authorized_originators=tuple(map(str, range(VALUES_LIMIT + 1))))
    assert raised.value.code == "too-many"


def test_nothing_declared_is_not_written() -> None:
    with pytest.raises(NumberAttributesError):
        NumberAttributes().encode()


def test_an_unknown_type_is_passed_over() -> None:
    found = NumberAttributes.decode(attributes(attribute(5), attribute(99, "0c0178"), attribute(3)))
    assert found == MESSAGING_CLOSED
    assert NumberAttributes.decode(attributes(attribute(5))) == NumberAttributes()


def test_a_type_that_appears_twice_says_nothing() -> None:
    twice = attributes(attribute(3), attribute(2), attribute(3))
    assert NumberAttributes.decode(twice) == NumberAttributes(do_not_originate=True)


def test_an_address_that_is_not_https_is_passed_over() -> None:
    http, https = "687474703a2f2f612e62", "68747470733a2f2f612e62"
    found = NumberAttributes.decode(attributes(attribute(1, f"3019160a{http}160b{https}")))
    assert found.placement_services == ("https://a.b",)


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        found = NumberAttributes.decode(octets)
    except NumberAttributesError:
        return
    if found != NumberAttributes():
        assert NumberAttributes.decode(found.encode()) == found


@given(
    st.builds(
        NumberAttributes,
        st.booleans(),
        st.booleans(),
        st.lists(st.from_regex(r"[!-~]{1,64}", fullmatch=True), max_size=8, unique=True).map(tuple),
        st.lists(st.from_regex(r"https://[a-z]{1,9}(/[!-~]{0,9})?", fullmatch=True), max_size=8).map(tuple),
    ).filter(lambda each: each != NumberAttributes()),
    st.integers(min_value=0),
    st.integers(min_value=0, max_value=255),
)
def test_what_is_written_is_read_back_and_any_change_of_an_octet_is_read_or_refused(
    declared: NumberAttributes, position: int, octet: int
) -> None:
    encoded = declared.encode()
    assert NumberAttributes.decode(encoded) == declared
    changed = bytearray(encoded)
    changed[position % len(changed)] = octet
    with contextlib.suppress(NumberAttributesError):
        NumberAttributes.decode(bytes(changed))


def declaring(value: bytes | NumberAttributes, critical: bool = False) -> Extension:
    octets = value if isinstance(value, bytes) else value.encode()
    return x509.UnrecognizedExtension(TN_ATTRIBUTES_OID, octets), critical


def leaf_with(authority: Authority, entries: TNAuthList, declared: bytes | NumberAttributes) -> tuple[bytes, ...]:
    return authority.chain((*LEAF_FIELDS, tn_extension(entries), declaring(declared)))


def test_a_device_certificate_carries_what_is_declared(authority: Authority) -> None:
    declared = NumberAttributes(do_not_originate=True, authorized_originators=("1234",))
    issuer, key = authority.issuer(), private_key(1).public_key()
    leaf = issue_device_certificate(authority.issuer_key, issuer, key, ALICE, NOW, attributes=declared)
    extension = next(each for each in leaf.extensions if each.oid == TN_ATTRIBUTES_OID)
    assert not extension.critical
    assert verify_chain((der(leaf), der(issuer)), authority.anchors, NOW).attributes == declared


def test_a_certificate_that_declares_nothing_has_no_attributes(authority: Authority) -> None:
    assert verify_chain(authority.device_chain(private_key(1), ALICE), authority.anchors, NOW).attributes is None


def test_a_certificate_whose_attributes_cannot_be_read_is_refused(authority: Authority) -> None:
    with pytest.raises(CertificateError) as raised:
        verify_chain(leaf_with(authority, one(ALICE), b"\x30\x00"), authority.anchors, NOW)
    assert raised.value.code == "number-attributes"


def test_the_extension_is_never_critical(authority: Authority) -> None:
    chain = authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), declaring(MESSAGING_CLOSED, critical=True)))
    with pytest.raises(CertificateError) as raised:
        verify_chain(chain, authority.anchors, NOW)
    assert raised.value.code == "untrusted"


def test_what_stands_in_an_issuers_certificate_binds_nobody(authority: Authority, scene: Scene) -> None:
    """The draft's §3: the extension is for end entities."""
    key = authority.issuer_key.public_key()
    honest = authority.issuer()
    fields: Sequence[Extension] = [(each.value, each.critical) for each in honest.extensions]
    builder = x509.CertificateBuilder(
        honest.issuer, honest.subject, key, 9, honest.not_valid_before_utc, honest.not_valid_after_utc
    )
    for value, critical in (*fields, declaring(MESSAGING_CLOSED)):
        builder = builder.add_extension(value, critical)
    issuer = builder.sign(authority.root_key, honest.signature_hash_algorithm)  # type: ignore[arg-type]
    leaf = issue_device_certificate(authority.issuer_key, issuer, scene.key.public_key(), ALICE, NOW)
    scene.use_chain((der(leaf), der(issuer)))
    assert scene.verify().verdict is Verdict.VERIFIED


def test_a_message_by_a_number_that_sends_none_fails(authority: Authority, scene: Scene) -> None:
    scene.use_chain(leaf_with(authority, one(ALICE), MESSAGING_CLOSED))
    verification = scene.verify()
    assert verification.verdict is Verdict.FAILED
    assert verification.failed_check is not None
    assert verification.failed_check.number == 7
    assert verification.reason == "The certificate says that this number sends no messages."


def test_a_number_that_makes_no_calls_may_send_messages(authority: Authority, scene: Scene) -> None:
    scene.use_chain(leaf_with(authority, one(ALICE), NumberAttributes(do_not_originate=True)))
    assert scene.verify().verdict is Verdict.VERIFIED


def test_a_provider_that_the_holder_did_not_name_may_not_speak_for_the_number(
    authority: Authority, scene: Scene
) -> None:
    both = TNAuthList((ServiceProviderCode("5678"), OneNumber(ALICE.digits)))
    widest = TNAuthList((ServiceProviderCode("5678"), ServiceProviderCode("1234"), OneNumber(ALICE.digits)))
    for entries, verdict in ((both, Verdict.FAILED), (widest, Verdict.CARRIER)):
        issuer = authority.issuer(widest)
        chain = leaf_with(authority, entries, NumberAttributes(authorized_originators=("1234",)))
        scene.use_chain((chain[0], der(issuer)))
        verification = scene.verify()
        assert verification.verdict is verdict, verification.failed_check
        if verdict is Verdict.FAILED:
            assert verification.failed_check is not None
            assert verification.failed_check.number == 7
            assert verification.reason == "The number's holder does not let this provider speak for it."


def test_the_holder_speaks_for_the_number_whatever_providers_are_named(authority: Authority, scene: Scene) -> None:
    scene.use_chain(leaf_with(authority, one(ALICE), NumberAttributes(authorized_originators=("1234",))))
    assert scene.verify().verdict is Verdict.VERIFIED


def test_no_messages_comes_before_who_may_send_them(authority: Authority, scene: Scene) -> None:
    both = TNAuthList((ServiceProviderCode("1234"), OneNumber(ALICE.digits)))
    declared = NumberAttributes(do_not_originate_messaging=True, authorized_originators=("1234",))
    scene.use_chain((leaf_with(authority, both, declared)[0], der(authority.issuer(both))))
    assert scene.verify().reason == "The certificate says that this number sends no messages."


def test_what_is_declared_is_of_numbers_that_are_listed_and_not_of_those_behind_a_code(
    authority: Authority, scene: Scene
) -> None:
    code = TNAuthList((ServiceProviderCode("1234"),))
    scene.use_chain((leaf_with(authority, code, MESSAGING_CLOSED)[0], der(authority.issuer(code))))
    assert scene.verify().verdict is Verdict.CARRIER


def test_attributes_give_no_authority(authority: Authority) -> None:
    chain = leaf_with(authority, one(ALICE), NumberAttributes(authorized_originators=("1234",)))
    verified = verify_chain(chain, TrustAnchors((authority.root,)), NOW)
    assert verified.tn_auth_list == one(ALICE)
    assert verified.tn_auth_list.codes == frozenset()


def call_verdict(authority: Authority, declared: NumberAttributes) -> Verification:
    """What somebody makes of a call by Alice's number, signed with a certificate that declares this of it."""
    entries, origid = one(ALICE), "123e4567-e89b-12d3-a456-426655440000"
    claims = {"attest": "A", "dest": {"tn": [BOB.digits]}, "iat": NOW, "orig": {"tn": ALICE.digits}, "origid": origid}
    header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://certificates.example/1.pem"}
    token = sign_token(private_key(1), header, claims)
    expected = Expected(NOW + 2, ALICE, {BOB}, chain=leaf_with(authority, entries, declared), kinds={"shaken"})
    return verify(token, None, expected, ChainVerifier(authority.anchors), None)


def test_a_call_by_a_number_that_makes_none_fails(authority: Authority) -> None:
    verification = call_verdict(authority, NumberAttributes(do_not_originate=True))
    assert verification.failed_check is not None
    assert (verification.verdict, verification.failed_check.number) == (Verdict.FAILED, 7)
    assert verification.reason == "The certificate says that this number makes no calls."


def test_a_number_that_sends_no_messages_may_call(authority: Authority) -> None:
    assert call_verdict(authority, MESSAGING_CLOSED).verdict is Verdict.VERIFIED


def test_what_is_declared_is_shown_with_the_check(authority: Authority, scene: Scene) -> None:
    scene.use_chain(leaf_with(authority, one(ALICE), NumberAttributes(do_not_originate=True)))
    assert scene.verify().checks[7].compared.endswith("; it says of the number: makes no calls")
