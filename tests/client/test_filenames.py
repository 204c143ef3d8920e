"""Names that others chose for files: whatever they wrote, the result is harmless, and still tells what the file is."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client.formats.filenames import NAME_LIMIT, OCTETS_LIMIT, numbered, safe_filename
from client.formats.text import safe_text

HOSTILE = st.lists(
    st.text(max_size=8)
    | st.sampled_from(["/", "\\", "..", ".", "-", " ", "~", "\x00", "\x1b[31m", "\u202e", "\u200d", "\u0301", "ㅤ"])
    | st.sampled_from(
        ["con", "NUL", "lpt¹", "png", "é", "e", "\u1100", "\u1161", "文" * 60, "x" * 150, "$(reboot)", ":"]
    )
).map("".join)


@given(HOSTILE)
@example("e\u200d\u0301")
@example("\u0301.png")
@example("a" * 98 + ".\u0301.png")
def test_any_name_becomes_a_harmless_one(raw: str) -> None:
    name = safe_filename(raw)
    assert 0 < len(name) <= NAME_LIMIT
    assert len(numbered(name, 999).encode()) <= 255 - (255 - OCTETS_LIMIT) // 2
    assert not set(name) & set("/\\:*?\"<>|$`';&~\n\t\x00")
    assert name[0] not in ".- "
    assert name[-1] not in ". "
    assert not any(unicodedata.category(character)[0] == "C" for character in name)
    assert name.partition(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt1", "lpt¹"}
    assert safe_text(name).text == name
    assert safe_filename(name) == name


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("photo.png", "photo.png"),
        ("Ferien 2026 (Schweiz).jpeg", "Ferien 2026 (Schweiz).jpeg"),
        ("отчёт.pdf", "отчёт.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\alice\\plan.txt", "plan.txt"),
        ("/home/alice/", "alice"),
        (".bashrc", "bashrc"),
        ("--help", "help"),
        ("..", "attachment"),
        ("", "attachment"),
        ("\u202e\u200b", "attachment"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("a\x1b[2Jb.txt", "a__2Jb.txt"),
        ("$(reboot);.sh", "_(reboot)_.sh"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("photo.png              .exe", "photo.png.exe"),
        ("x" * 300 + ".png", "x" * 96 + ".png"),
        ("name.", "name"),
    ],
)
def test_a_name_is_kept_as_far_as_it_is_harmless(raw: str, expected: str) -> None:
    assert safe_filename(raw) == expected


def test_a_long_name_of_wide_characters_keeps_its_extension() -> None:
    name = safe_filename("文" * 100 + ".png")
    assert name.endswith("文.png")
    assert len(name.encode()) <= OCTETS_LIMIT


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [("a.png", 1, "a.png"), ("a.png", 2, "a (2).png"), ("README", 3, "README (3)"), ("a.tar.gz", 2, "a.tar (2).gz")],
)
def test_a_number_stands_before_the_extension(name: str, number: int, expected: str) -> None:
    assert numbered(name, number) == expected
