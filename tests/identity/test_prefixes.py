"""Prefixes say exactly which numbers a list holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.prefixes import authority_list, prefixes_of
from identity.tn_auth_list import Coverage, OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList

NUMBERS = st.integers(12_025_550_000, 12_025_559_999)


@given(NUMBERS, st.integers(2, 3_000), NUMBERS)
def test_prefixes_hold_the_numbers_of_a_range_and_no_others(start: int, count: int, number: int) -> None:
    entries = TNAuthList((TelephoneNumberRange(str(start), count),))
    shown = any(f"+{number}".startswith(prefix) for prefix in prefixes_of(entries))
    assert shown == (start <= number < start + count)
    assert shown == (entries.covers(TelephoneNumber.from_digits(str(number))) is Coverage.BY_NUMBER)


def test_prefixes_come_back_as_they_were_given() -> None:
    for prefixes in (["+"], ["+44", "+1202555"], ["+12025550142"]):
        assert list(prefixes_of(authority_list(prefixes))) == prefixes


def test_codes_and_single_numbers_stand_for_themselves() -> None:
    entries = TNAuthList((ServiceProviderCode("1234"), OneNumber("12025550142"), TelephoneNumberRange("0000", 10_000)))
    assert prefixes_of(entries)[:2] == ("1234", "+12025550142")
    assert "+" not in prefixes_of(entries)


@pytest.mark.parametrize("prefixes", [[], ["+44"] * 17, ["0"], ["+1202555014299"], ["x"]])
def test_what_is_no_prefix_is_refused(prefixes: list[str]) -> None:
    with pytest.raises(NumberError):
        authority_list(prefixes)
