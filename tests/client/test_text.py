"""Text from others: nothing that steers a terminal, hides or reorders text comes through; what people write does."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client.formats.text import MARKS_LIMIT, NAME_CELLS_LIMIT, Safe, safe_name, safe_text

HOSTILE = st.text(
    st.characters()
    | st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "Zl", "Zp"])
    | st.sampled_from("\u200d\u200c\u0301\u0323e\u202e\ufe0f\U0001f469\u1161\u1100\u11a8\u0915\u094d\r\n"),
    max_size=60,
)
FORMATS_THAT_STAY = set(
    "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


@given(HOSTILE)
def test_what_is_safe_stays_as_it_is(raw: str) -> None:
    once = safe_text(raw)
    assert safe_text(once.text) == Safe(once.text, 0)


@given(HOSTILE)
def test_nothing_that_a_terminal_obeys_comes_through(raw: str) -> None:
    for character in safe_text(raw).text:
        category = unicodedata.category(character)
        assert character == "\n" or category not in ("Cc", "Cs", "Co", "Zl", "Zp")
        assert category != "Cf" or character in FORMATS_THAT_STAY
        assert category != "Cn" or "\U0001f000" <= character <= "\U0001faff"
        assert character not in BIDI


@given(HOSTILE)
def test_marks_do_not_pile_up(raw: str) -> None:
    marks = 0
    for character in safe_text(raw).text:
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
        elif character not in "\u200c\u200d":
            marks = 0
        assert marks <= MARKS_LIMIT


@given(HOSTILE)
def test_safe_text_can_be_written_as_utf8_in_nfc(raw: str) -> None:
    text = safe_text(raw).text
    text.encode()
    assert unicodedata.is_normalized("NFC", text)


@given(st.text(st.sampled_from("abc\u00e9\u05d0\u0915\u4e2d\U0001f600 \n.,!?"), max_size=50))
def test_ordinary_text_comes_through_unchanged(raw: str) -> None:
    assert safe_text(raw) == Safe(raw, 0)


@pytest.mark.parametrize(
    ("raw", "shown", "hidden"),
    [
        ("\x1b[2J", "\u241b[2J", 0),
        ("\x1b]52;c;cHduZWQ=\x1b\\", "\u241b]52;c;cHduZWQ=\u241b\\", 0),
        ("\x9b2J\x9d0;title", "\ufffd2J\ufffd0;title", 0),
        ("\x00\x05\x0e\x7f\x07\x08", "\u2400\u2405\u240e\u2421\u2407\u2408", 0),
        ("a\r\nb\rc\vd\fe\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh", 0),
        ("a\tb", "a    b", 0),
        ("exe.\u202egpj", "exe.gpj", 1),
        ("\u2066a\u2069\u200f\u200b\u2060\ufeff", "a", 6),
        ("bank\U000e0041\U000e0042", "bank", 2),
        ("a" + "\u0336" * 40, "a" + "\u0336" * 4, 36),
        ("\ud800", "\ufffd", 0),
        ("\ue000\U0010ffff", "\ufffd\ufffd", 0),
        ("[link='https://evil.example']bank.example[/link]", "[link='https://evil.example']bank.example[/link]", 0),
        ("e\u200d\u0301", "\u00e9", 1),
        ("e\u00ad\u0301\u200dx", "\u00e9x", 2),
        ("pay\u2800\u3164\u115fme", "payme", 3),
    ],
)
def test_hostile_text_is_shown_for_what_it_is(raw: str, shown: str, hidden: int) -> None:
    assert safe_text(raw) == Safe(shown, hidden)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f469\u200d\U0001f466",
        "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",
        "\u2764\ufe0f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
        "\U0001f1e9\U0001f1ea",
        "\U0001fae8",
        "Tiếng Việt",
    ],
    ids=["family", "profession", "heart", "persian", "hindi", "hebrew", "flag", "emoji-of-2022", "vietnamese"],
)
def test_what_people_write_survives(text: str) -> None:
    assert safe_text(text) == Safe(unicodedata.normalize("NFC", text), 0)


@given(HOSTILE)
def test_a_name_is_one_short_line_of_letters_and_digits(raw: str) -> None:
    name = safe_name(raw).text
    assert "\n" not in name
    assert name == name.strip()
    assert len(name) <= NAME_CELLS_LIMIT * (1 + MARKS_LIMIT)
    for character in name:
        assert unicodedata.category(character)[0] in "LMN" or character in " -'.,()&"


@given(HOSTILE)
@example("a\u2ded\u0fa9\u200c\u1dc6\u1a56\u200d\u1dc1\u06ec")
def test_a_safe_name_stays_as_it_is(raw: str) -> None:
    name = safe_name(raw).text
    assert safe_name(name).text == name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\u2713 Verified: Your Bank\u2705", "Verified Your Bank"),
        ("O'Brien & Sons (Dublin), Ltd.", "O'Brien & Sons (Dublin), Ltd."),
        ("two\nlines", "two lines"),
        ("x" * 40, "x" * 32),
        ("\u4e2d" * 40, "\u4e2d" * 16),
        ("\x1b[31mred", "31mred"),
        ("\u202e", ""),
    ],
)
def test_names_carry_no_signs(raw: str, shown: str) -> None:
    assert safe_name(raw).text == shown
