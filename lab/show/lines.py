"""Lines out of plain words and inks; what others wrote is never read as markup."""

from collections.abc import Iterator
from textwrap import wrap

from textual.content import Content

GOOD, BAD, WARNING = "bold $text-success", "bold $text-error", "bold $text-warning"
QUIET, STRONG = "$text-muted", "bold"
_INKS = {"✓": GOOD, "✗": BAD}

Lines = list[Content]


def badge(words: str) -> Content:
    """A verdict, in the ink of the sign that it begins with."""
    return Content.styled(words, _INKS.get(words[:1], WARNING))


def paragraph(text: str, width: int, ink: str = "", indent: int = 0) -> Iterator[Content]:
    """A text in lines of this width."""
    for line in wrap(text, max(width - indent, 1)):
        yield Content.styled(" " * indent + line, ink) if ink else Content(" " * indent + line)


def fitting(lines: Lines, more: Lines, height: int) -> Lines:
    """The lines, and more of them if all have room."""
    return [*lines, *more] if len(lines) + len(more) <= height else lines


def cut(lines: Lines, most: int) -> Lines:
    """The first lines, with a sign where more are left out."""
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]


def joined(lines: Lines) -> Content:
    """The lines as one text."""
    return Content("\n").join(lines)
