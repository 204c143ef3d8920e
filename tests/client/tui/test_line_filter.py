"""The last line, read where it counts: in the octets that a real pseudo-terminal received."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color
from textual.drivers import linux_driver

from client.tui.line_filter import LAST_LINE, is_address, survive_odd_mouse_reports

ROOT = Path(__file__).parents[3]
BLACK = Color(0, 0, 0)

# What Textual never sends by itself, but for the shape of the pointer.
LEAKS = {
    "OSC": rb"\x1b\]",
    "DCS": rb"\x1bP",
    "APC, PM or SOS": rb"\x1b[_^X]",
    "RIS, SCS or DECDHL": rb"\x1b[c(#]",
    "a question": rb"\x1b\[(?:21t|c)",
    "clearing": rb"\x1b\[2J\x1b\[H",
    "a line drawn elsewhere": rb"\x1b\[1;1H \xe2\x9c\x93",
    "end of a paste": rb"\x1b\[201~",
    "single controls": rb"[\x00\x05\x07\x08\x0b\x0c\x0e\x0f\x18\x1a\x7f]",
    "C1": rb"\xc2[\x80-\x9f]",
    "bidi": rb"\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xd8\x9c",
    "separators": rb"\xe2\x80[\xa8\xa9]",
    "tags": rb"\xf3\xa0[\x80\x81]",
    "surrogates": rb"\\ud[89a-f]",
}


@contextmanager
def shown(*arguments: str) -> Iterator["pexpect.spawn[bytes]"]:
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
    environment.pop("NO_COLOR", None)
    app = pexpect.spawn(
        sys.executable,
        ["-m", "tests.client.tui.raw_app", *arguments],
        cwd=str(ROOT),
        dimensions=(900, 100),
        env=environment,  # type: ignore[arg-type]
        timeout=60,
    )
    app.delaybeforesend = None
    try:
        yield app
    finally:
        app.close(force=True)


def leaked(kind: str) -> set[str]:
    with shown(kind) as app:
        app.expect(b"READY")
        octets = re.sub(rb"\x1b\]22;[a-z-]+\x07", b"", app.before or b"")
    return {name for name, pattern in LEAKS.items() if re.search(pattern, octets)}


def test_without_the_filter_the_terminal_gets_what_it_obeys() -> None:
    assert {"OSC", "DCS", "APC, PM or SOS", "RIS, SCS or DECDHL", "C1", "bidi", "tags"} <= leaked("unfiltered")


def test_with_the_filter_the_terminal_gets_none_of_it() -> None:
    assert leaked("filtered") == set()


@pytest.mark.parametrize("report", [b"\x1b[M\x20\xff\xff", b"\x1b[M\x20\xc3\xa9", b"\x1b[M\x20\xff\xc3", b"\xff"])
def test_typing_goes_on_after_octets_that_are_no_utf8(report: bytes) -> None:
    with shown("filtered") as app:
        app.expect(b"READY")
        app.send(report + b"hello")
        app.expect(b"ECHO-(?:\xef\xbf\xbd)?hello")


def test_without_the_repair_the_same_report_ends_the_app() -> None:
    with shown("filtered", "unrepaired") as app:
        app.expect(b"READY")
        app.send(b"\x1b[M\x20\xff\xffhello")
        app.expect(b"UnicodeDecodeError")


@given(
    st.lists(st.binary(max_size=8) | st.just(b"\x1b[M ab")),
    st.text(st.characters(codec="utf-8", exclude_characters="\x1b")),
)
def test_no_octets_stop_the_decoder_nor_what_is_typed_after_them(noise: list[bytes], typed: str) -> None:
    survive_odd_mouse_reports()
    decoder = linux_driver.getincrementaldecoder("utf-8")()
    for octets in noise:
        decoder.decode(octets)
    decoder.decode(b"\x1b[M abc~~~")  # ends whatever report or character had begun
    assert decoder.decode(typed.encode()) == typed


def passed(text: str, style: Style | None = None) -> Segment:
    (segment,) = LAST_LINE.apply([Segment(text, style)], BLACK)
    return segment


@given(st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_a_segment_stays_as_wide_as_it_was(text: str) -> None:
    assert cell_len(passed(text).text) == cell_len(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_ordinary_segments_pass_unchanged(text: str) -> None:
    segment = Segment(text, Style(bold=True))
    assert LAST_LINE.apply([segment], BLACK) == [segment]


def test_control_segments_pass_for_pictures_are_made_of_them() -> None:
    sixel = Segment("\x1bPq#0\x1b\\", control=[(ControlType.CURSOR_FORWARD, 0)])
    assert LAST_LINE.apply([sixel], BLACK) == [sixel]


@pytest.mark.parametrize(
    ("shown", "target"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("https://exam", "https://example.org"),  # the end of a wrapped row
        ("ple.org", "https://example.org"),
        ("http://example.org:8080/", "http://example.org:8080/"),
    ],
)
def test_a_link_that_shows_its_target_stays(shown: str, target: str) -> None:
    style = passed(shown, Style(link=target, bold=True)).style
    assert style is not None
    assert style.link == target


@pytest.mark.parametrize(
    ("shown", "target"),
    [
        ("bank.example", "https://evil.example/"),
        ("evil", "javascript:evil"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("https://bank.example@evil.example", "https://bank.example@evil.example"),
        ("https://bänk.example", "https://bänk.example"),
        ("https://a b", "https://a b"),
        ("https://a/\x1b\\x", "https://a/\x1b\\x"),
        ("https://a/\n", "https://a/\n"),
        ("https://", "https://"),
        ("ssh://host", "ssh://host"),
    ],
)
def test_a_link_that_hides_its_target_or_is_no_web_address_goes(shown: str, target: str) -> None:
    style = passed(shown, Style(link=target, bold=True)).style
    assert style is not None
    assert style.link is None
    assert style.bold


@given(st.text(st.characters(codec="utf-8")))
def test_an_address_is_printable_ascii_without_spaces(tail: str) -> None:
    target = "https://a/" + tail
    assert is_address(target) == (len(tail) <= 2000 and all("!" <= character <= "~" for character in tail))
