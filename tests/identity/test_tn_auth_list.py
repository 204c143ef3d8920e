"""TNAuthList (RFC 8226 §9): published DER, everything that must be refused, coverage and encompassing."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.der.decoder import decode as oracle_decode  # type: ignore[import-untyped]
from pyasn1.codec.der.encoder import encode as oracle_encode  # type: ignore[import-untyped]
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]
from pyasn1_alt_modules import rfc8226  # type: ignore[import-untyped]

from identity.errors import TNAuthListError
from identity.number import TelephoneNumber
from identity.tn_auth_list import (
    TN_AUTH_LIST_SIZE_LIMIT,
    Coverage,
    OneNumber,
    ServiceProviderCode,
    TelephoneNumberRange,
    TNAuthList,
    TNEntry,
    check_encompassing,
)

VECTORS = {
    "300fa20d160b3132313535353531323132": (OneNumber("12155551212"),),
    "3015a1133011160b3132313535353531303030020203e8": (TelephoneNumberRange("12155551000", 1_000),),
    "3008a006160431323334": (ServiceProviderCode("1234"),),
    "302ca006160431323334a1133011160b3132313535353531303030020203e8a20d160b3132313235353531383234": (
        ServiceProviderCode("1234"),
        TelephoneNumberRange("12155551000", 1_000),
        OneNumber("12125551824"),
    ),
    b64decode("MCugBxYFYm9ndXOhEjAQFgo1NzE1NTUxMjEyAgIDFKIMFgo3MDM1NTUxMjEy").hex(): (
        ServiceProviderCode("bogus"),
        TelephoneNumberRange("5715551212", 788),
        OneNumber("7035551212"),
    ),
}

REFUSED = {
    "nothing": ("", "malformed"),
    "empty list": ("3000", "malformed"),
    "implicit tags": ("300d820b3132313535353531323132", "malformed"),
    "implicit spc": ("3006800431323334", "malformed"),
    "bare IA5String (libstirshaken)": ("161568747470733a2f2f6578616d706c652e6f72672f78", "malformed"),
    "trailing octet": ("300fa20d160b313231353535353132313200", "malformed"),
    "trailing octet inside": ("3010a20e160b313231353535353132313200", "malformed"),
    "non-minimal length": ("30810fa20d160b3132313535353531323132", "malformed"),
    "non-minimal inner length": ("3010a20e16810b3132313535353531323132", "malformed"),
    "indefinite length": ("3080a20d160b31323135353535313231320000", "malformed"),
    "letters in a number": ("300fa20d160b3132313535353531323158", "one"),
    "UTF8String number": ("300fa20d0c0b3132313535353531323132", "malformed"),
    "16 digits": ("3014a212161031323135353535313231323132333435", "malformed"),
    "empty number": ("3004a2021600", "malformed"),
    "empty code": ("3004a0021600", "spc"),
    "control character in a code": ("3005a00316010a", "spc"),
    "count 0": ("3014a1123010160b3132313535353531303030020100", "range-count"),
    "count 1": ("3014a1123010160b3132313535353531303030020101", "range-count"),
    "negative count": ("3014a1123010160b31323135353535313030300201ff", "range-count"),
    "non-minimal count": ("3016a1143012160b313231353535353130303002030003e8", "malformed"),
    "range past the last number": ("3013a111300f160a39393939393939393939020102", "range-count"),
    "hash in a range": ("3014a1123010160b3132313535353531302a23020102", "range-start"),
    "range with a third field": ("3018a1163014160b3132313535353531303030020203e8020101", "malformed"),
    "range without count": ("3011a10f300d160b3132313535353531303030", "malformed"),
    "unknown choice": ("300fa30d160b3132313535353531323132", "malformed"),
    "set": ("310fa20d160b3132313535353531323132", "malformed"),
    "truncated": ("300fa20d160b31323135", "malformed"),
}


@pytest.mark.parametrize(("der", "entries"), VECTORS.items())
def test_published_lists(der: str, entries: tuple[TNEntry, ...]) -> None:
    assert TNAuthList.decode(bytes.fromhex(der)) == TNAuthList(entries)
    assert TNAuthList(entries).encode().hex() == der


@pytest.mark.parametrize(("der", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_malformed_lists_are_refused(der: str, code: str) -> None:
    with pytest.raises(TNAuthListError) as refused:
        TNAuthList.decode(bytes.fromhex(der))
    assert refused.value.code == code


def test_a_list_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TNAuthListError) as refused:
        TNAuthList.decode(bytes(TN_AUTH_LIST_SIZE_LIMIT + 1))
    assert refused.value.code == "too-large"


def test_a_list_without_entries_cannot_be_made() -> None:
    with pytest.raises(TNAuthListError):
        TNAuthList(())


def number(digits: str) -> TelephoneNumber:
    return TelephoneNumber.from_digits(digits)


LIST = TNAuthList((TelephoneNumberRange("12025550100", 100), OneNumber("447700900123"), OneNumber("*67")))


@pytest.mark.parametrize(
    ("digits", "coverage"),
    [
        ("12025550100", Coverage.BY_NUMBER),
        ("12025550199", Coverage.BY_NUMBER),
        ("12025550099", Coverage.NO),
        ("12025550200", Coverage.NO),
        ("447700900123", Coverage.BY_NUMBER),
        ("44770090012", Coverage.NO),
        ("120255501001", Coverage.NO),
        ("67", Coverage.NO),
    ],
)
def test_coverage_by_number_ends_where_the_range_ends(digits: str, coverage: Coverage) -> None:
    assert LIST.covers(number(digits)) is coverage


def test_a_code_vouches_for_any_number_but_only_as_a_code() -> None:
    entries = TNAuthList((ServiceProviderCode("1234"), OneNumber("12025550142")))
    assert entries.covers(number("12025550142")) is Coverage.BY_NUMBER
    assert entries.covers(number("12025550143")) is Coverage.BY_CODE


def test_a_range_may_end_at_the_last_number_of_its_length() -> None:
    assert TNAuthList((TelephoneNumberRange("98", 2),)).covers(number("99")) is Coverage.BY_NUMBER


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (LIST, LIST),
        (LIST, TNAuthList((OneNumber("12025550142"),))),
        (LIST, TNAuthList((TelephoneNumberRange("12025550150", 50),))),
        (LIST, TNAuthList((OneNumber("*67"),))),
        (TNAuthList((ServiceProviderCode("1234"),)), TNAuthList((OneNumber("12025550142"),))),
        (TNAuthList((ServiceProviderCode("1234"),)), TNAuthList((TelephoneNumberRange("1202", 5),))),
        (  # scope adds up over entries
            TNAuthList((TelephoneNumberRange("10", 5), OneNumber("15"), TelephoneNumberRange("16", 4))),
            TNAuthList((TelephoneNumberRange("12", 6),)),
        ),
    ],
)
def test_a_child_within_its_parent_is_encompassed(parent: TNAuthList, child: TNAuthList) -> None:
    check_encompassing(parent, child)


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (LIST, TNAuthList((OneNumber("12025550200"),))),
        (LIST, TNAuthList((TelephoneNumberRange("12025550150", 51),))),
        (LIST, TNAuthList((OneNumber("12025550142"), OneNumber("12025550200")))),
        (LIST, TNAuthList((ServiceProviderCode("1234"),))),
        (LIST, TNAuthList((OneNumber("*68"),))),
        (TNAuthList((ServiceProviderCode("1234"),)), TNAuthList((ServiceProviderCode("1235"),))),
        (TNAuthList((TelephoneNumberRange("10", 5), TelephoneNumberRange("16", 4))), TNAuthList((OneNumber("15"),))),
        (TNAuthList((OneNumber("01"),)), TNAuthList((OneNumber("1"),))),
    ],
)
def test_a_child_beyond_its_parent_is_refused(parent: TNAuthList, child: TNAuthList) -> None:
    with pytest.raises(TNAuthListError) as refused:
        check_encompassing(parent, child)
    assert refused.value.code == "encompassing"


codes = st.from_regex(r"[!-~]{1,12}", fullmatch=True).map(ServiceProviderCode)
ones = st.from_regex(r"[0-9#*]{1,15}", fullmatch=True).map(OneNumber)
ranges = st.from_regex(r"[0-8][0-9]{1,14}", fullmatch=True).flatmap(
    lambda start: st.integers(2, 10 ** (len(start) - 1)).map(lambda count: TelephoneNumberRange(start, count))
)
lists = st.lists(codes | ones | ranges, min_size=1, max_size=20).map(lambda entries: TNAuthList(tuple(entries)))


@given(lists)
def test_every_list_survives_its_encoding_and_an_independent_decoder_agrees(entries: TNAuthList) -> None:
    der = entries.encode()
    assert TNAuthList.decode(der) == entries
    decoded, rest = oracle_decode(der, asn1Spec=rfc8226.TNAuthorizationList())
    assert rest == b""
    assert [_oracle_entry(entry) for entry in decoded] == list(entries.entries)
    assert oracle_encode(decoded) == der


def _oracle_entry(entry: rfc8226.TNEntry) -> TNEntry:
    match entry.getName():
        case "spc":
            return ServiceProviderCode(str(entry["spc"]))
        case "range":
            return TelephoneNumberRange(str(entry["range"]["start"]), int(entry["range"]["count"]))
        case _:
            return OneNumber(str(entry["one"]))


def _mutated(der: bytes, position: int, octets: bytes) -> bytes:
    return der[:position] + octets + der[position + 1 :]


mutations = st.builds(_mutated, lists.map(TNAuthList.encode), st.integers(0, 60), st.binary(max_size=2))


@given(st.binary(max_size=80) | mutations)
def test_any_octets_are_a_list_or_a_tn_auth_list_error(octets: bytes) -> None:
    """What is accepted is the one DER form of its value, and the independent decoder reads the same."""
    try:
        entries = TNAuthList.decode(octets)
    except TNAuthListError:
        return
    assert entries.encode() == octets
    try:
        decoded, _ = oracle_decode(octets, asn1Spec=rfc8226.TNAuthorizationList())
    except PyAsn1Error as error:
        raise AssertionError(octets.hex()) from error
    assert [_oracle_entry(entry) for entry in decoded] == list(entries.entries)


@given(lists, lists)
def test_encompassing_follows_coverage(parent: TNAuthList, child: TNAuthList) -> None:
    """Whatever number an encompassed child covers, its parent covers too."""
    joined = TNAuthList(parent.entries + child.entries)
    check_encompassing(joined, child)
    for entry in child.entries:
        if isinstance(entry, OneNumber) and entry.digits.isdigit() and not entry.digits.startswith("0"):
            assert joined.covers(number(entry.digits)) is Coverage.BY_NUMBER
