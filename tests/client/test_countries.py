"""The country of a number, in words."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.countries import country, fits_plan
from identity.number import TelephoneNumber


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("12025550142", "United States"),
        ("14165550142", "Canada"),
        ("442079460000", "United Kingdom"),
        ("493012345678", "Germany"),
        ("80012345678", ""),
        ("999123456", ""),
    ],
)
def test_a_number_has_the_country_of_its_plan(number: str, name: str) -> None:
    assert country(TelephoneNumber.from_digits(number)) == name


@pytest.mark.parametrize(("number", "fits"), [("12025550142", True), ("15550142", False), ("999123456", False)])
def test_a_number_that_no_plan_has_is_noticed(number: str, fits: bool) -> None:
    assert fits_plan(TelephoneNumber.from_digits(number)) is fits


def test_every_region_of_the_library_has_a_name() -> None:
    nameless = []
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number(region)
        number = TelephoneNumber.from_digits(
            f"{example.country_code}{phonenumbers.national_significant_number(example)}"
        )
        if not country(number):
            nameless.append(region)
    assert nameless == []


@given(st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True))
def test_every_number_has_one_or_none(digits: str) -> None:
    assert country(TelephoneNumber.from_digits(digits)).isprintable()
