"""The last line: nothing that steers a terminal leaves a widget, whatever the widget was given.

Textual passes ESC, C1 and bidi characters of any text on to the terminal. Text is made harmless when it is decoded
(`client.formats.text`); this filter is for the text that somebody forgot. An app takes it with

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), LAST_LINE]

`survive_odd_mouse_reports` guards the other direction.
"""

import codecs
import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.drivers import linux_driver
from textual.filter import LineFilter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# C0, DEL, C1; line and paragraph separators; bidi marks, overrides and isolates; tags; surrogates.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\ud800-\udfff]"
)
# No user name or password before the host, no brackets, no other scheme: what is left reads as what it is.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:[/?#][!-~]{0,2000})?")
_X10_REPORT = re.compile(rb"\x1b\[M.{3}", re.DOTALL)
_X10_BEGUN = re.compile(rb"\x1b\[M.{0,2}\Z", re.DOTALL)


class LastLineFilter(LineFilter):
    """Takes control, bidi, tag and surrogate characters out of every segment, and links that hide where they lead.

    A link (OSC 8) stays if its target is an http(s) address in ASCII and the text shown is a part of that address.
    Segments marked as control codes pass: this program's own pictures are such, text never is.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as before."""
        return [segment if segment.control else _harmless(segment) for segment in segments]


LAST_LINE = LastLineFilter()  # one for all apps: strips are cached per filter


def is_address(target: str) -> bool:
    """Whether a link may lead to `target`."""
    return _ADDRESS.fullmatch(target) is not None


def survive_odd_mouse_reports() -> None:
    """Keep Textual 8.2.8 alive through an X10 mouse report with octets over 0x7F (Textualize/textual#6668).

    A terminal may send one after tmux attached again; it is no UTF-8, and the driver's strict decoder ends its thread.
    Textual asks for SGR reports and understands no other, so the report is dropped whole and swallows no key.
    """
    setattr(linux_driver, "getincrementaldecoder", lambda _encoding: _InputDecoder)  # noqa: B010 - not its export


class _InputDecoder(codecs.IncrementalDecoder):
    """UTF-8 from a keyboard, without X10 mouse reports; what else is no UTF-8 becomes U+FFFD."""

    def __init__(self, errors: str = "replace") -> None:
        super().__init__(errors)
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)
        self._held = b""

    def decode(self, octets: "ReadableBuffer", final: bool = False) -> str:
        rest = _X10_REPORT.sub(b"", self._held + bytes(octets))
        begun = None if final else _X10_BEGUN.search(rest)
        self._held = b"" if begun is None else begun[0]
        return self._utf8.decode(rest.removesuffix(self._held), final)


def _harmless(segment: Segment) -> Segment:
    text, style, _ = segment
    drawn = _STEERING.sub(_as_wide, text)
    link = None if style is None else style.link
    if link is not None and not (is_address(link) and drawn.strip() in link):
        return Segment(drawn, _without_link(style))
    return segment if drawn == text else Segment(drawn, style)


def _without_link(style: Style | None) -> Style | None:
    return None if style is None else style.update_link(None)


def _as_wide(match: re.Match[str]) -> str:
    return "\ufffd" * cell_len(match[0])  # the strip's width was measured before
