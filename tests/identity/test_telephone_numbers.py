"""A telephone number is parsed once; afterwards its type can be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import IdentityError, NumberError
from identity.number import TelephoneNumber


@pytest.mark.parametrize(
    ("text", "region", "digits"),
    [
        ("+1 202-555-0142", None, "12025550142"),
        ("+1 (202) 555-0142", None, "12025550142"),
        ("(202) 555-0142", "US", "12025550142"),
        ("07700 900123", "GB", "447700900123"),
        ("tel:+12025550142", None, "12025550142"),
        ("+１２０２５５５０１４２", None, "12025550142"),
    ],
)
def test_people_may_write_a_number_in_many_ways(text: str, region: str | None, digits: str) -> None:
    assert TelephoneNumber.parse(text, region).digits == digits


@pytest.mark.parametrize("text", ["", "hello", "202-555-0142", "+1 202", "+999 123456789", "+1 202-555-0142 ext. 7"])
def test_what_is_not_a_number_is_refused_with_advice(text: str) -> None:
    with pytest.raises(NumberError, match=r"write it with \+ and country code"):
        TelephoneNumber.parse(text)


def test_endless_input_is_refused() -> None:
    with pytest.raises(NumberError) as refused:
        TelephoneNumber.parse("+1" + "2" * 1_000_000)
    assert refused.value.code == "too-long"


@pytest.mark.parametrize("digits", ["", "+12025550142", "1" * 16, "0123", "12a", "１２", "1 2", "12\n", "911#", "*67"])
def test_certificates_and_tokens_hold_ascii_digits_only(digits: str) -> None:
    with pytest.raises(NumberError):
        TelephoneNumber.from_digits(digits)


def test_a_number_shows_itself_to_people_and_in_uris() -> None:
    number = TelephoneNumber.from_digits("12025550142")
    assert (str(number), number.e164) == ("+1 202-555-0142", "+12025550142")


@pytest.mark.parametrize("digits", ["1", "999123", "210555", "123456789012345"])
def test_a_number_of_no_known_plan_is_shown_as_it_is(digits: str) -> None:
    shown = str(TelephoneNumber.from_digits(digits))
    assert "".join(c for c in shown if c.isdigit()) == digits
    assert shown.startswith("+")


@given(st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True))
def test_showing_a_number_never_changes_its_digits(digits: str) -> None:
    shown = str(TelephoneNumber.from_digits(digits))
    assert "".join(c for c in shown if c.isdigit()) == digits


@given(st.text(max_size=120), st.sampled_from([None, "US", "GB", "XX"]))
def test_any_text_is_a_number_or_a_number_error(text: str, region: str | None) -> None:
    try:
        number = TelephoneNumber.parse(text, region)
    except IdentityError:
        return
    assert TelephoneNumber.from_digits(number.digits) == number
