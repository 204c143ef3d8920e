"""Giving a number to somebody: every form leads back to it, and a slip of the pen never leads to another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import InviteError
from client.invite import CODE_LIMIT, SYMBOLS, invite_uri, parse_invite, short_code
from identity.number import TelephoneNumber

NUMBERS = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(TelephoneNumber)
ALICE = TelephoneNumber("12025550101")
POSITIONS = st.integers(0, CODE_LIMIT - 1)


def bare(number: TelephoneNumber) -> str:
    return short_code(number).replace("-", "")


@given(NUMBERS)
def test_every_number_comes_back_from_its_address_and_its_code(number: TelephoneNumber) -> None:
    assert parse_invite(invite_uri(number)) == number
    assert parse_invite(invite_uri(number).upper()) == number
    assert parse_invite(short_code(number)) == number


@given(NUMBERS)
def test_a_code_is_short_and_has_no_letters_that_are_mistaken(number: TelephoneNumber) -> None:
    assert len(bare(number)) <= CODE_LIMIT
    assert not set("ILOU") & set(bare(number))
    assert all(len(group) <= 4 for group in short_code(number).split("-"))


@given(NUMBERS, st.data())
def test_case_spaces_and_look_alikes_are_forgiven(number: TelephoneNumber, data: st.DataObject) -> None:
    likes = {"0": "0Oo", "1": "1IiLl"}
    written = "".join(
        data.draw(st.sampled_from(likes.get(character, character + character.lower())))
        + data.draw(st.sampled_from(["", " ", "-"]))
        for character in bare(number)
    )
    assert parse_invite(f" {written}\n") == number


def swapped(code: str, position: int) -> str:
    return code[:position] + code[position + 1] + code[position] + code[position + 2 :]


@given(NUMBERS)
def test_every_wrong_character_and_every_swap_of_neighbours_is_refused(number: TelephoneNumber) -> None:
    code = bare(number)
    wrong = {code[:at] + symbol + code[at + 1 :] for at in range(len(code)) for symbol in SYMBOLS}
    wrong |= {swapped(code, at) for at in range(len(code) - 1)}
    for written in wrong - {code}:
        with pytest.raises(InviteError):
            parse_invite(written)


@given(NUMBERS, POSITIONS, POSITIONS, st.sampled_from(SYMBOLS), st.sampled_from(SYMBOLS))
def test_two_wrong_characters_are_refused(number: TelephoneNumber, one: int, other: int, this: str, that: str) -> None:
    written = list(bare(number))
    written[one % len(written)] = this
    written[other % len(written)] = that
    if "".join(written) == bare(number):
        return
    with pytest.raises(InviteError):
        parse_invite("".join(written))


@given(NUMBERS)
def test_a_zero_in_front_makes_no_second_code(number: TelephoneNumber) -> None:
    with pytest.raises(InviteError):
        parse_invite("0" + bare(number))


@given(st.text() | st.text("0123456789+-() ABCDEFXYZringtrue:", max_size=30))
def test_any_text_is_a_number_or_an_error_in_words(text: str) -> None:
    try:
        number = parse_invite(text)
    except InviteError as error:
        words = str(error)
        assert words.isprintable()
        assert words.isascii()
    else:
        assert parse_invite(short_code(number)) == number


@pytest.mark.parametrize(
    "written",
    [
        "+1 202-555-0101",
        "+1 (202) 555.0101",
        "tel:+1-202-555-0101",
        "\u202a+1 202 555 0101\u202c",
        "\uff0b\uff11 202 555 0101",
        "RINGTRUE:+12025550101",
        "ringtrue:+12025550101",
    ],
)
def test_a_number_is_read_in_any_spelling(written: str) -> None:
    assert parse_invite(written) == ALICE


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("202-555-0101", "neither a number with + in front nor a code"),
        ("ringtrue:12025550101", "not of the form ringtrue:+NUMBER"),
        ("ringtrue:+12025550101?x=1", "not of the form"),
        ("ringtrue:+\u0661", "not of the form"),
        ("hello, world", "is not a telephone number"),
        ("", "is not a telephone number"),
        ("+" + "1" * 200, "longer than any"),
        ("U" + "0" * 8, "is not a telephone number"),
        ("\x1b[2J", "is not a telephone number"),
    ],
)
def test_what_is_none_of_the_three_is_refused_in_words(written: str, words: str) -> None:
    with pytest.raises(InviteError) as caught:
        parse_invite(written)
    assert words in str(caught.value)
    assert caught.value.hint


def test_the_code_is_the_same_on_every_device() -> None:
    assert short_code(ALICE) == "B6CE-N8NW-X"
