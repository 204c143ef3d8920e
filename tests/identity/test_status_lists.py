"""The signed list of statuses: what it says, who may say it, and that nothing else passes for it."""

import sys
from array import array

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import StatusListError
from identity.issuing import create_issuer, create_root
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.status_list import (
    ENTRY_SIZE,
    SignedStatusList,
    StatusList,
    decode_entries,
    encode_entries,
    sign_status_list,
    verify_status_list,
)
from identity.status.revocation import Reason, Revocations, sign_crl, verify_crl
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList
from identity.trust import CodeParents, TrustAnchors, TrustPolicy
from tests.identity.conftest import ALICE, BOB, NOW, RANGE, YEAR, Authority, private_key

BASE_URL = "https://authority.example"
STATUSES = {ALICE: NumberStatus.REPORTED, BOB: NumberStatus.WITHDRAWN}
numbers = st.integers(1, 10**15 - 1).map(lambda value: TelephoneNumber.from_digits(str(value)))


def signed(issuing: Authority, statuses=STATUSES, *, body=None, numbers=RANGE, **changes) -> SignedStatusList:
    options = {"authority": BASE_URL, "serial": 5, "now": NOW, "lifetime": 3_600} | changes
    octets = encode_entries(statuses) if body is None else body
    return sign_status_list(issuing.issuer_key, issuing.issuer(numbers), body=octets, **options)


def verified(authority: Authority, octets: SignedStatusList, **changes) -> StatusList:
    return verify_status_list(
        octets, **({"authority": BASE_URL, "anchors": authority.anchors, "now": NOW + 60} | changes)
    )


def refused(authority: Authority, octets: SignedStatusList, code: str, **changes) -> None:
    with pytest.raises(StatusListError) as caught:
        verified(authority, octets, **changes)
    assert caught.value.code == code


def test_a_list_says_what_was_put_in_it_and_that_others_are_clear(authority: Authority) -> None:
    found = verified(authority, SignedStatusList.decode(signed(authority).encode()))
    assert (found.serial, found.count, found.expires_at) == (5, 2, NOW + 3_600)
    assert (found.of(ALICE), found.of(BOB)) == (NumberStatus.REPORTED, NumberStatus.WITHDRAWN)
    for digits in ("1", "12025550141", "12025550144", "999999999999999"):
        assert found.of(TelephoneNumber.from_digits(digits)) is NumberStatus.CLEAR


def test_a_code_speaks_for_the_numbers_that_the_readers_policy_gives_it(authority: Authority) -> None:
    octets = signed(authority, numbers=TNAuthList((ServiceProviderCode("1234"),)))
    directory = (("1234", TNAuthList((OneNumber(ALICE.digits),))), ("99", RANGE))
    both = (("1234", RANGE),)
    for policy, taken in (
        (TrustPolicy(), True),
        (TrustPolicy(code_parents=CodeParents.REFUSE), False),
        (TrustPolicy(code_parents=CodeParents.DIRECTORY, directory=directory), False),
        (TrustPolicy(code_parents=CodeParents.DIRECTORY, directory=both), True),
    ):
        anchors = TrustAnchors((authority.root,), policy)
        if taken:
            assert verified(authority, octets, anchors=anchors).of(BOB) is NumberStatus.WITHDRAWN
        else:
            refused(authority, octets, "not-covered", anchors=anchors)


def test_an_empty_list_is_a_list(authority: Authority) -> None:
    assert verified(authority, signed(authority, {})).of(ALICE) is NumberStatus.CLEAR


@given(st.dictionaries(numbers, st.sampled_from(NumberStatus), max_size=30), numbers)
def test_every_number_is_found_and_no_other(
    statuses: dict[TelephoneNumber, NumberStatus], other: TelephoneNumber
) -> None:
    found = StatusList(1, NOW, NOW + 1, decode_entries(encode_entries(statuses)))
    for number, status in (statuses | {other: statuses.get(other, NumberStatus.CLEAR)}).items():
        assert found.of(number) is status


@given(st.binary(max_size=200))
def test_any_octets_are_entries_in_order_or_refused(body: bytes) -> None:
    try:
        entries = decode_entries(body)
    except StatusListError:
        return
    back = array("Q", entries)
    if sys.byteorder == "little":
        back.byteswap()
    assert back.tobytes() == body
    assert [entry >> 2 for entry in entries] == sorted({entry >> 2 for entry in entries})


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([12 << 2 | 1, 11 << 2 | 1], "order"),
        ([12 << 2 | 1, 12 << 2 | 2], "order"),
        ([0 << 2 | 1], "number"),
        ([10**15 << 2 | 1], "number"),
        ([12 << 2], "status"),
        ([12 << 2 | 3], "status"),
    ],
)
def test_a_malformed_body_is_refused_although_it_is_signed(authority: Authority, entries: list[int], code: str) -> None:
    body = b"".join(entry.to_bytes(ENTRY_SIZE) for entry in entries)
    refused(authority, signed(authority, body=body), code)


def test_half_an_entry_is_refused(authority: Authority) -> None:
    refused(authority, signed(authority, body=b"\x00" * 12), "size")


def test_only_an_issuer_below_an_anchor_signs_lists(authority: Authority) -> None:
    root_key, root = create_root("Elsewhere", NOW, YEAR)
    key, issuer = create_issuer(root_key, root, "Elsewhere", RANGE, NOW, YEAR)
    foreign = sign_status_list(key, issuer, authority=BASE_URL, body=b"", serial=9, now=NOW, lifetime=3_600)
    refused(authority, foreign, "untrusted")
    refused(authority, signed(authority), "untrusted", anchors=type(authority.anchors)(()))


def test_a_device_does_not_sign_lists(authority: Authority) -> None:
    leaf = x509.load_der_x509_certificate(authority.device_chain(private_key(1), ALICE)[0])
    by_device = sign_status_list(private_key(1), leaf, authority=BASE_URL, body=b"", serial=9, now=NOW, lifetime=3_600)
    refused(authority, by_device, "untrusted")


@pytest.mark.parametrize("reason", [Reason.key_compromise, Reason.superseded])
def test_a_revoked_issuer_does_not_sign_lists(authority: Authority, reason: Reason) -> None:
    octets, root = signed(authority), authority.root.public_bytes(Encoding.DER)
    named, other = authority.issuer(RANGE).serial_number, 77
    for serial, at in ((named, NOW - 9), (named, NOW + 30), (other, NOW - 9)):
        crl = sign_crl(authority.root_key, authority.root, {serial: (at, reason)}, number=1, now=NOW + 30, lifetime=90)
        lists = Revocations([verify_crl(crl, root, NOW + 60)])
        if serial == named:
            refused(authority, octets, "revoked", revocations=lists)
        else:
            assert verified(authority, octets, revocations=lists).serial == 5


def test_what_another_issuer_says_of_a_serial_number_takes_nothing_from_a_list(authority: Authority) -> None:
    key, elsewhere = create_root("Elsewhere", NOW, YEAR)
    named = {authority.issuer(RANGE).serial_number: (NOW, Reason.superseded)}
    crl = sign_crl(key, elsewhere, named, number=1, now=NOW, lifetime=900)
    lists = Revocations([verify_crl(crl, elsewhere.public_bytes(Encoding.DER), NOW + 60)])
    assert verified(authority, signed(authority), revocations=lists).serial == 5


def test_a_root_does_not_sign_lists(authority: Authority) -> None:
    by_root = sign_status_list(
        authority.root_key, authority.root, authority=BASE_URL, body=b"", serial=9, now=NOW, lifetime=3_600
    )
    refused(authority, by_root, "untrusted")


def test_the_key_in_the_certificate_must_have_signed(authority: Authority) -> None:
    stolen = sign_status_list(
        private_key(9), authority.issuer(), authority=BASE_URL, body=b"", serial=9, now=NOW, lifetime=3_600
    )
    refused(authority, stolen, "signature")


def test_another_authoritys_list_is_refused(authority: Authority) -> None:
    refused(authority, signed(authority, authority="https://elsewhere.example"), "authority")


@pytest.mark.parametrize(
    ("changes", "now", "code"),
    [
        ({}, NOW + 3_600, "expired"),
        ({"now": NOW + 200}, NOW + 100, "time"),
        ({"lifetime": 2 * 86_400}, NOW + 100, "time"),
    ],
)
def test_a_list_is_of_now_and_short_lived(authority: Authority, changes: dict, now: int, code: str) -> None:
    refused(authority, signed(authority, **changes), code, now=now)


def test_another_body_is_refused(authority: Authority) -> None:
    ours, other = signed(authority), encode_entries({ALICE: NumberStatus.WITHDRAWN})
    refused(authority, SignedStatusList(ours.token, other), "digest")


def test_an_authority_speaks_only_of_numbers_that_its_certificate_holds(authority: Authority) -> None:
    outside = {TelephoneNumber.from_digits("12025550200"): NumberStatus.REPORTED}
    refused(authority, signed(authority, STATUSES | outside), "not-covered")
    wide = TNAuthList((TelephoneNumberRange("12025550100", 101),))
    assert verified(authority, signed(authority, STATUSES | outside, numbers=wide)).count == 3
    code = TNAuthList((ServiceProviderCode("709J"),))
    assert verified(authority, signed(authority, outside, numbers=code)).count == 1


def test_leading_zeros_of_a_range_reach_no_shorter_numbers(authority: Authority) -> None:
    zeros = TNAuthList((TelephoneNumberRange("00000000000", 99_999_999_999),))
    short = {TelephoneNumber.from_digits("4711"): NumberStatus.REPORTED}
    refused(authority, signed(authority, short, numbers=zeros), "not-covered")


@given(st.binary(max_size=300))
def test_any_octets_whatever_are_refused_in_one_way(octets: bytes) -> None:
    with pytest.raises(StatusListError):
        verified(Authority(), SignedStatusList.decode(octets))


@given(st.data())
def test_any_change_of_a_list_is_refused(data: st.DataObject) -> None:
    authority = Authority()
    octets = bytearray(signed(authority).encode())
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StatusListError):
        verified(authority, SignedStatusList.decode(bytes(octets)))


def test_what_no_telephone_number_begins_like_takes_nothing_from_what_an_issuer_covers(authority: Authority) -> None:
    covered = TNAuthList((*RANGE.entries, TelephoneNumberRange("0000", 2), OneNumber("0119")))
    low = {TelephoneNumber.from_digits(digits): NumberStatus.REPORTED for digits in ("5", "119", "500")}
    assert verified(authority, signed(authority, STATUSES, numbers=covered)).count == 2
    refused(authority, signed(authority, STATUSES | low, numbers=covered), "not-covered")
    wide = TNAuthList((*covered.entries, TelephoneNumberRange("1", 9), TelephoneNumberRange("100", 900)))
    assert verified(authority, signed(authority, STATUSES | low, numbers=wide)).count == 5
