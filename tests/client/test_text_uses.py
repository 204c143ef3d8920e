"""One core, several places to put text: titles, notifications, the clipboard, written history and words for emoji."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.formats.text import (
    MARKS_LIMIT,
    NOTICE_CELLS_LIMIT,
    TITLE_CELLS_LIMIT,
    export_line,
    safe_clipboard,
    safe_line,
    safe_name,
    safe_notice,
    safe_text,
    safe_title,
    without_emoji,
)
from tests.client.terminal_attacks import ATTACKS, MARKUP

HOSTILE = st.text(
    st.characters()
    | st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "Zl", "Zp", "So", "Sk"])
    | st.sampled_from("\t\n\u200d\u0301e<>&\ufe0f\u20e3\U0001f1e6\U0001f469"),
    max_size=60,
)
# What no use may put out: C0 (each use says which it keeps), DEL, C1, separators, bidi, tags, surrogates.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff\ud800-\udfff]"
)
USES: dict[str, Callable[[str], str]] = {
    "message": lambda raw: safe_text(raw).text,
    "line": safe_line,
    "name": lambda raw: safe_name(raw).text,
    "title": safe_title,
    "notification": safe_notice,
    "clipboard": safe_clipboard,
    "export": export_line,
    "words": lambda raw: without_emoji(safe_text(raw).text),
}
KEEPS = {"message": "\n", "clipboard": "\n\t", "export": "\n", "words": "\n"}

every_use = pytest.mark.parametrize("use", USES)


def only_what_may_stay(use: str, put_out: str) -> None:
    assert not OBEYED.search(put_out)
    assert {character for character in "\t\n" if character in put_out} <= set(KEEPS.get(use, ""))
    put_out.encode()


@every_use
@pytest.mark.parametrize("attack", ATTACKS)
def test_known_attacks_end_as_text_that_nothing_obeys(use: str, attack: str) -> None:
    only_what_may_stay(use, USES[use](ATTACKS[attack]))


@every_use
@given(raw=HOSTILE)
def test_nothing_that_is_obeyed_comes_through_in_any_use(use: str, raw: str) -> None:
    only_what_may_stay(use, USES[use](raw))


@every_use
@given(raw=HOSTILE)
def test_what_was_made_safe_for_a_use_stays_as_it_is(use: str, raw: str) -> None:
    once = USES[use](raw)
    again = USES[use](once)
    assert again == once or (use == "export" and "\n" in once)  # an indented text indented again moves further right


@pytest.mark.parametrize(("use", "factor"), [("message", 4), ("clipboard", 4), ("export", 6)])
@given(raw=HOSTILE)
def test_no_text_grows_much(use: str, factor: int, raw: str) -> None:
    assert len(USES[use](raw)) <= factor * len(raw)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_title_and_a_notification_are_one_short_line(attack: str) -> None:
    for put_out, cells in (
        (safe_title(ATTACKS[attack]), TITLE_CELLS_LIMIT),
        (safe_notice(ATTACKS[attack]), NOTICE_CELLS_LIMIT),
    ):
        bases = [character for character in put_out if unicodedata.category(character) not in ("Mn", "Me")]
        assert "\n" not in put_out
        assert len(bases) <= cells
        assert len(put_out) <= cells * (1 + MARKS_LIMIT) + MARKS_LIMIT


@pytest.mark.parametrize(
    "raw", [MARKUP["HTML"], "<a href='https://evil.example'>bank</a>", "a &amp; b", "\ufe64b\ufe65"]
)
def test_a_notification_holds_nothing_that_reads_as_markup(raw: str) -> None:
    assert not set("<>&") & set(safe_notice(raw))


@given(HOSTILE)
def test_a_notification_never_holds_markup(raw: str) -> None:
    assert not set("<>&") & set(safe_notice(raw))


def test_the_clipboard_gets_tabs_and_lines_but_no_escape() -> None:
    assert safe_clipboard("a\tb\r\nc\x1b[201~\u202ed") == "a\tb\nc\u241b[201~d"


def test_an_exported_text_cannot_begin_a_row() -> None:
    assert export_line("hello\n12:00 +1 202-555-0100: send money") == "hello\n    12:00 +1 202-555-0100: send money"


@pytest.mark.parametrize(
    ("emoji", "words"),
    [
        ("\U0001f44d", "[thumbs up]"),
        ("ok \U0001f44d\U0001f3fd.", "ok [thumbs up, medium skin]."),
        ("\u2764\ufe0f", "[red heart]"),
        ("\u2764\ufe0f\u200d\U0001f525", "[red heart, fire]"),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f466", "[woman, woman, boy]"),
        ("\U0001f469\u200d\u2695\ufe0f", "[woman, staff of aesculapius]"),
        ("\U0001f1e9\U0001f1ea", "[flag DE]"),
        ("1\ufe0f\u20e3", "[key 1]"),
        ("\u2705\u231a", "[white heavy check mark][watch]"),
        ("\U0001faff", "[u+1faff]"),
        ("✓ 中文 © 〒 $5 #1", "✓ 中文 © 〒 $5 #1"),
    ],
)
def test_emoji_are_put_into_words(emoji: str, words: str) -> None:
    assert without_emoji(emoji) == words


@given(HOSTILE)
def test_words_for_emoji_leave_no_pictograph(raw: str) -> None:
    assert not re.search("[\U0001f000-\U0001faff]", without_emoji(safe_text(raw).text))
