"""Delegation (RFC 9060): a path never reaches beyond any list in it, nor deeper than its certificates allow."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.certificates import CHAIN_LENGTH_LIMIT, ChainVerifier, TrustAnchors, verify_chain
from identity.enrolment.delegation import (
    DELEGATION_REQUEST_LIMIT,
    DEPTH_LIMIT,
    check_delegation_request,
    delegation_csr,
    depth_below,
    issue_sub_issuer,
)
from identity.errors import CertificateError
from identity.issuing import device_csr, issue_device_certificate, issuer_certificate, root_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import Coverage, OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList, TNEntry
from identity.trust import CodeParents, TrustPolicy
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    YEAR,
    any_certificate,
    der,
    key_usage,
    one,
    private_key,
    tn_extension,
)

DAY = 86_400
CARRIER = TNAuthList((ServiceProviderCode("1234"), TelephoneNumberRange("12025550100", 100)))
ENTERPRISE = TNAuthList((TelephoneNumberRange("12025550140", 10),))
CODE_ONLY = TNAuthList((ServiceProviderCode("1234"),))
DIRECTORY = TrustPolicy(code_parents=CodeParents.DIRECTORY, directory=(("1234", ENTERPRISE),))


@dataclass
class Line:
    """A root and the issuers below it, each certified by the one before; keys are made from their place."""

    root_depth: int = DEPTH_LIMIT
    keys: list[ec.EllipticCurvePrivateKey] = field(default_factory=lambda: [private_key(100)])
    certificates: list[x509.Certificate] = field(default_factory=list)

    def __post_init__(self) -> None:
        root = root_certificate(self.keys[0], "Root", NOW - YEAR, 10 * YEAR, serial=1, path_length=self.root_depth)
        self.certificates.append(root)

    def below(self, authority: TNAuthList, path_length: int = 0, name: str = "", **options: object) -> "Line":
        """Let the lowest issuer certify one more."""
        key = private_key(100 + len(self.keys))
        options = {"lifetime": YEAR, "now": NOW} | options
        made = issue_sub_issuer(
            self.keys[-1],
            self.certificates[-1],
            key.public_key(),
            name or f"Issuer {len(self.keys)}",
            authority,
            path_length=path_length,
            **options,
        )
        self.keys.append(key)
        self.certificates.append(made)
        return self

    def force(self, authority: TNAuthList | None, path_length: int | None = 0) -> "Line":
        """Let the lowest issuer certify one more without asking whether it may."""
        key = private_key(100 + len(self.keys))
        fields = [
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (key_usage(key_cert_sign=True, crl_sign=True), True),
        ]
        if authority is not None:
            fields.append(tn_extension(authority))
        made = any_certificate(
            self.keys[-1], self.certificates[-1].subject, key.public_key(), fields, name=f"Issuer {len(self.keys)}"
        )
        self.keys.append(key)
        self.certificates.append(made)
        return self

    def leaf(self, entries: TNAuthList) -> tuple[bytes, ...]:
        """The chain of an end entity with any list, below the lowest issuer."""
        fields = (*LEAF_FIELDS, tn_extension(entries))
        made = any_certificate(self.keys[-1], self.certificates[-1].subject, private_key(1).public_key(), fields)
        return (der(made), *map(der, reversed(self.certificates[1:])))

    def device(self, number: TelephoneNumber) -> tuple[bytes, ...]:
        """The chain of a device below the lowest issuer."""
        made = issue_device_certificate(self.keys[-1], self.certificates[-1], private_key(1).public_key(), number, NOW)
        return (der(made), *map(der, reversed(self.certificates[1:])))

    def anchors(self, policy: TrustPolicy | None = None) -> TrustAnchors:
        return TrustAnchors((self.certificates[0],), policy or TrustPolicy())


def refusal(line: Line, chain: tuple[bytes, ...], policy: TrustPolicy | None = None) -> str:
    """The code of the refusal: with and without a memory it is the same."""
    codes = []
    verifier = ChainVerifier(line.anchors(policy))
    for verify in (verifier.verify, lambda *of: verify_chain(of[0], line.anchors(policy), of[1])):
        with pytest.raises(CertificateError) as refused:
            verify(chain, NOW)
        codes.append(refused.value.code)
    assert codes[0] == codes[1]
    return codes[0]


def test_a_carriers_enterprise_certifies_the_devices_of_its_numbers() -> None:
    line = Line().below(CARRIER, 2).below(ENTERPRISE, 1).below(one(ALICE))
    verified = verify_chain(line.device(ALICE), line.anchors(), NOW)
    assert (verified.number, len(verified.certificates)) == (ALICE, CHAIN_LENGTH_LIMIT)
    assert verified.bounds == (one(ALICE), ENTERPRISE, CARRIER)


def test_a_sub_issuer_does_not_outlive_its_issuer() -> None:
    line = Line().below(CARRIER, 1, lifetime=30 * DAY).below(ENTERPRISE, lifetime=90 * DAY)
    assert line.certificates[-1].not_valid_after_utc == line.certificates[-2].not_valid_after_utc


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"authority": TNAuthList((TelephoneNumberRange("12025550195", 10),))}, "encompassing"),
        ({"authority": TNAuthList((ServiceProviderCode("99"),))}, "encompassing"),
        ({"path_length": 1}, "path-length"),
        ({"path_length": -1}, "path-length"),
        ({"name": "Carrier"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"key": private_key(101).public_key()}, "key-type"),
        ({"key": ec.generate_private_key(ec.SECP384R1()).public_key()}, "key-type"),
        ({"now": NOW + 2 * YEAR}, "expired"),
        ({"now": NOW - 2 * YEAR}, "expired"),
    ],
)
def test_an_issuer_certifies_no_sub_issuer_beyond_what_it_may(changes: dict[str, object], code: str) -> None:
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    line = Line().below(numbers, 1, "Carrier")
    wanted = {"key": private_key(7).public_key(), "name": "Enterprise", "authority": ENTERPRISE, "now": NOW} | changes
    with pytest.raises(CertificateError) as refused:
        issue_sub_issuer(line.keys[-1], line.certificates[-1], **wanted)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_device_certifies_nobody() -> None:
    line = Line().below(ENTERPRISE)
    leaf = issue_device_certificate(line.keys[-1], line.certificates[-1], private_key(1).public_key(), ALICE, NOW)
    with pytest.raises(CertificateError) as refused:
        issue_sub_issuer(private_key(1), leaf, private_key(7).public_key(), "Below", one(ALICE), NOW)
    assert refused.value.code == "no-ca"


def test_an_issuer_for_end_entities_has_no_room_below() -> None:
    line = Line().below(CARRIER)
    assert [depth_below(each) for each in line.certificates] == [DEPTH_LIMIT, 0]
    with pytest.raises(CertificateError) as refused:
        line.below(ENTERPRISE)
    assert refused.value.code == "path-length"


def test_a_path_deeper_than_its_certificates_allow_is_refused() -> None:
    line = Line().below(CARRIER, 0).force(ENTERPRISE)
    assert refusal(line, line.device(ALICE)) == "untrusted"
    short_root = Line(root_depth=1).below(CARRIER, 0).force(ENTERPRISE)
    assert refusal(short_root, short_root.device(ALICE)) == "untrusted"


def test_a_path_has_at_most_four_certificates_whatever_they_allow() -> None:
    line = Line().force(CARRIER, None).force(ENTERPRISE, None).force(ENTERPRISE, None).force(one(ALICE), None)
    assert refusal(line, line.device(ALICE)) == "length"


def test_only_end_entities_sign_messages() -> None:
    line = Line().below(CARRIER, 1).below(one(ALICE))
    assert refusal(line, tuple(map(der, reversed(line.certificates[1:])))) == "ca-leaf"


def test_a_list_beyond_any_list_above_is_refused_at_every_level() -> None:
    wide = TNAuthList((TelephoneNumberRange("12025550000", 1_000),))
    middle = Line().below(ENTERPRISE, 2).force(wide, 1)
    assert refusal(middle, middle.leaf(one(ALICE))) == "encompassing"
    lowest = Line().below(TNAuthList((TelephoneNumberRange("12025550100", 100),)), 2).below(ENTERPRISE, 1)
    outside = TelephoneNumber.parse("+12025550160")
    assert refusal(lowest, lowest.leaf(one(outside))) == "encompassing"


def test_below_a_certificate_with_a_list_every_issuer_has_one() -> None:
    line = Line().below(ENTERPRISE, 2).force(None)
    assert refusal(line, line.leaf(one(ALICE))) == "tn-auth-list"
    unbounded = Line().force(None, 1).force(ENTERPRISE)
    assert verify_chain(unbounded.leaf(one(ALICE)), unbounded.anchors(), NOW).number == ALICE


def test_the_scope_of_a_list_adds_up_over_its_entries() -> None:
    halves = TNAuthList((TelephoneNumberRange("12025550140", 5), TelephoneNumberRange("12025550145", 5)))
    line = Line().below(halves, 1).below(ENTERPRISE)
    assert verify_chain(line.device(ALICE), line.anchors(), NOW).bounds == (ENTERPRISE, halves)


@pytest.mark.parametrize(
    ("policy", "number", "accepted"),
    [
        (TrustPolicy(), ALICE, True),
        (TrustPolicy(code_parents=CodeParents.REFUSE), ALICE, False),
        (DIRECTORY, ALICE, True),
        (DIRECTORY, TelephoneNumber.parse("+12025550199"), False),
        (TrustPolicy(code_parents=CodeParents.DIRECTORY), ALICE, False),
    ],
)
def test_what_a_code_delegates_is_a_named_policy(policy: TrustPolicy, number: TelephoneNumber, accepted: bool) -> None:
    line = Line().force(CODE_ONLY)
    if accepted:
        assert verify_chain(line.leaf(one(number)), line.anchors(policy), NOW).number == number
    else:
        assert refusal(line, line.leaf(one(number)), policy) == "encompassing"


@pytest.mark.parametrize("policy", [TrustPolicy(code_parents=CodeParents.REFUSE), DIRECTORY])
def test_the_same_policy_holds_at_issue(policy: TrustPolicy) -> None:
    line = Line().below(CODE_ONLY, 2)
    with pytest.raises(CertificateError) as refused:
        line.below(TNAuthList((TelephoneNumberRange("12025550100", 100),)), policy=policy)
    assert refused.value.code == "encompassing"
    assert line.below(CODE_ONLY, policy=policy).certificates[-1].subject != line.certificates[-2].subject


def test_a_directory_says_which_numbers_a_carriers_leaf_vouches_for() -> None:
    line = Line().below(CODE_ONLY)
    chain = line.leaf(CODE_ONLY)
    outside = TelephoneNumber.parse("+12025550199")
    believed = verify_chain(chain, line.anchors(), NOW)
    listed = verify_chain(chain, line.anchors(DIRECTORY), NOW)
    assert [believed.covers(ALICE), believed.covers(outside)] == [Coverage.BY_CODE, Coverage.BY_CODE]
    assert [listed.covers(ALICE), listed.covers(outside)] == [Coverage.BY_CODE, Coverage.NO]


def test_a_memory_of_issuers_keeps_the_policy() -> None:
    line = Line().force(CODE_ONLY)
    verifier = ChainVerifier(line.anchors(DIRECTORY))
    assert verifier.verify(line.leaf(one(ALICE)), NOW).number == ALICE
    with pytest.raises(CertificateError) as refused:
        verifier.verify(line.leaf(one(TelephoneNumber.parse("+12025550199"))), NOW)
    assert refused.value.code == "encompassing"


def test_a_request_carries_name_numbers_and_proof_of_the_key() -> None:
    key = private_key(9)
    asked = check_delegation_request(delegation_csr(key, "Enterprise", ENTERPRISE))
    assert (asked.name, asked.authority, asked.key) == ("Enterprise", ENTERPRISE, key.public_key())


def _request(*fields: tuple[x509.ExtensionType, bool], name: str = "Enterprise") -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension, critical in fields:
        builder = builder.add_extension(extension, critical)
    return builder.sign(private_key(9), hashes.SHA256()).public_bytes(Encoding.DER)


CA = (x509.BasicConstraints(ca=True, path_length=None), True)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "malformed"),
        (bytes(DELEGATION_REQUEST_LIMIT + 1), "too-large"),
        (delegation_csr(private_key(9), "Enterprise", ENTERPRISE)[:-2] + b"\x00\x00", "possession"),
        (device_csr(private_key(9), ALICE), "no-ca"),
        (_request(tn_extension(ENTERPRISE)), "no-ca"),
        (_request(CA, tn_extension(ENTERPRISE), name=""), "name"),
        (_request(CA), "tn-auth-list"),
        (_request(CA, tn_extension(b"\x30\x00")), "tn-auth-list"),
    ],
)
def test_a_request_that_is_broken_in_one_way_is_refused(octets: bytes, code: str) -> None:
    with pytest.raises(CertificateError) as refused:
        check_delegation_request(octets)
    assert refused.value.code == code


@given(st.binary(max_size=400))
def test_octets_of_anybody_are_a_request_or_refused(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        check_delegation_request(octets)


REQUEST = delegation_csr(private_key(9), "Enterprise", ENTERPRISE)


@given(st.integers(0, 250), st.integers(1, 255))
def test_a_damaged_request_is_refused(place: int, change: int) -> None:
    octets = bytearray(REQUEST)
    octets[place] ^= change
    with pytest.raises(CertificateError):
        check_delegation_request(bytes(octets))


NUMBERS = range(12_025_550_100, 12_025_550_120)
CODES = ("1234", "99")


def entries() -> st.SearchStrategy[TNEntry]:
    """Small ranges, numbers and codes that often overlap."""
    ranges = st.tuples(st.integers(NUMBERS[0], NUMBERS[-1] - 1), st.integers(2, 12)).map(
        lambda drawn: TelephoneNumberRange(str(drawn[0]), drawn[1])
    )
    numbers = st.sampled_from(NUMBERS).map(lambda number: OneNumber(str(number)))
    return st.one_of(ranges, numbers, st.sampled_from(CODES).map(ServiceProviderCode))


def lists() -> st.SearchStrategy[TNAuthList]:
    return st.lists(entries(), min_size=1, max_size=3).map(lambda drawn: TNAuthList(tuple(drawn)))


def reach(entries: TNAuthList, policy: TrustPolicy) -> set[int] | None:
    """By enumeration, the numbers that a list delegates; None for every number."""
    if entries.codes and policy.code_parents is CodeParents.ADMIT:
        return None
    found = {number for first, last in entries.intervals for number in range(first, last + 1)}
    if policy.code_parents is CodeParents.DIRECTORY:
        for code, numbers in policy.directory:
            if code in entries.codes:
                found |= {number for first, last in numbers.intervals for number in range(first, last + 1)}
    return found


POLICIES = st.sampled_from(
    [
        TrustPolicy(),
        TrustPolicy(code_parents=CodeParents.REFUSE),
        TrustPolicy(
            code_parents=CodeParents.DIRECTORY,
            directory=(("1234", TNAuthList((TelephoneNumberRange(str(NUMBERS[3]), 9),))),),
        ),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(lists(), min_size=1, max_size=DEPTH_LIMIT), st.sampled_from(NUMBERS), POLICIES)
def test_whatever_the_tree_no_leaf_reaches_beyond_any_list_above(
    above: list[TNAuthList], number: int, policy: TrustPolicy
) -> None:
    line = Line()
    for depth, authority in enumerate(above):
        line.force(authority, DEPTH_LIMIT - 1 - depth)
    chain = line.leaf(TNAuthList((OneNumber(str(number)),)))
    reaches = [reach(each, policy) for each in above]
    if _nested(above, policy) and (reaches[-1] is None or number in reaches[-1]):
        assert verify_chain(chain, line.anchors(policy), NOW).bounds == tuple(reversed(above))
        assert all(scope is None or number in scope for scope in reaches)
    else:
        assert refusal(line, chain, policy) == "encompassing"


def _nested(above: list[TNAuthList], policy: TrustPolicy) -> bool:
    return all(_within(child, parent, policy) for parent, child in pairwise(above))


def _within(child: TNAuthList, parent: TNAuthList, policy: TrustPolicy) -> bool:
    scope = reach(parent, policy)
    own = {number for first, last in child.intervals for number in range(first, last + 1)}
    return child.codes <= parent.codes and (scope is None or own <= scope)


@settings(max_examples=60, deadline=None)
@given(st.lists(lists(), min_size=1, max_size=DEPTH_LIMIT), POLICIES)
def test_what_may_be_issued_is_what_verifies(above: list[TNAuthList], policy: TrustPolicy) -> None:
    line = Line()
    allowed = _nested_up_to(above, policy)
    for depth, authority in enumerate(above[:allowed]):
        line.below(authority, DEPTH_LIMIT - 1 - depth, policy=policy)
    if allowed < len(above):
        with pytest.raises(CertificateError) as refused:
            line.below(above[allowed], 0, policy=policy)
        assert refused.value.code == "encompassing"
        line.force(above[allowed])
        assert refusal(line, line.leaf(above[allowed]), policy) == "encompassing"
    else:
        assert verify_chain(line.leaf(above[-1]), line.anchors(policy), NOW).tn_auth_list == above[-1]


def _nested_up_to(above: list[TNAuthList], policy: TrustPolicy) -> int:
    """How many of the lists, from the top, lie each within the one before."""
    return next((place for place in range(1, len(above)) if not _nested(above[: place + 1], policy)), len(above))


def test_the_names_that_differ_keep_every_issuer_in_the_count() -> None:
    """RFC 5280 §6.1.4 does not count certificates whose subject is their issuer."""
    line = Line(root_depth=2).below(CARRIER, 1, "Carrier")
    with pytest.raises(CertificateError):
        line.below(ENTERPRISE, 0, "Carrier")
    same = issuer_certificate(
        line.keys[-1], line.certificates[-1], private_key(8).public_key(), "Carrier", ENTERPRISE, NOW, YEAR
    )
    fields = (*LEAF_FIELDS, tn_extension(one(BOB)))
    leaf = any_certificate(private_key(8), same.subject, private_key(1).public_key(), fields)
    with pytest.raises(CertificateError):
        verify_chain((der(leaf), der(same), der(line.certificates[-1])), Line(root_depth=0).anchors(), NOW)
