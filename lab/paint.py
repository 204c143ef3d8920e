"""Colour on a terminal: only where it is wanted, and never the only carrier of a meaning."""

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO


class Ink(StrEnum):
    """Select Graphic Rendition parameters; the colours are Okabe and Ito's, told apart by colour-blind people too."""

    HEADING = "1"
    FAINT = "2"
    GOOD = "1;38;5;74"
    WARNING = "1;38;5;178"
    BAD = "1;38;5;166"


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts text into an ink, or leaves it as it is."""

    colour: bool

    @classmethod
    def for_stream(cls, stream: TextIO) -> "Paint":
        """Colour on a terminal that has it, unless NO_COLOR is set (no-color.org)."""
        return cls(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def __call__(self, ink: Ink, text: str) -> str:
        """Return the text in this ink."""
        return f"\x1b[{ink}m{text}\x1b[0m" if self.colour and text else text


def badge_ink(badge: str) -> Ink:
    """The ink of a verdict's words, by the sign that they begin with."""
    return {"✓": Ink.GOOD, "✗": Ink.BAD}.get(badge[:1], Ink.WARNING)
