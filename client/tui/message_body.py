"""The words of a message as Content: mentions by name, addresses as links, and no more rows than a person asked for.

Pieces are plain strings with styles; nothing in a text is ever read as markup.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from textual.content import Content
from textual.style import Style

from client.formats.text import without_emoji
from client.tui.chat_lines import spelled
from client.tui.line_filter import is_address

LINES_LIMIT = 40  # of a text that nobody asked to see whole
CHARACTERS_LIMIT = 4_000
_WORD_LIMIT = 200  # characters by which a cut may come early, so that it falls between words

# An address ends where white space begins: one that goes on in other characters is not what it looks like.
_PIECE = re.compile(r"""@(?P<number>\+[1-9][0-9]{1,14})(?![0-9])|(?<![^\s(<"'])(?P<address>https?://[!-~]+)(?=\s|$)""")
_AFTER_AN_ADDRESS = ".,;:!?)>\"'"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")

Piece = tuple[str, str | Style]


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks at messages, and when. `names`: what this account calls numbers (`+E164`); `links`: OSC 8 is drawn."""

    own: str
    now: datetime
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    emoji_in_words: bool = False
    online: bool = True


def body(text: str, looker: Looker, *, links: bool) -> Content:
    """A safe text with its mentions as names, and its addresses as links where those are wanted."""
    return Content.assemble(*_pieces(text, looker, links))


def shortened(text: str) -> tuple[str, int]:
    """The beginning of a text that is too long to show unasked, and how many lines were left out of it."""
    lines = text.split("\n")
    shown = "\n".join(lines[:LINES_LIMIT])
    if len(shown) > CHARACTERS_LIMIT:
        space = shown.rfind(" ", CHARACTERS_LIMIT - _WORD_LIMIT, CHARACTERS_LIMIT)
        shown = shown[: space if space > 0 else CHARACTERS_LIMIT]
    if len(shown) == len(text):
        return text, 0
    return shown, max(1, len(lines) - shown.count("\n") - 1)


def right_to_left(text: str) -> bool:
    """Whether a terminal may draw some of this text from right to left."""
    return _RIGHT_TO_LEFT.search(text) is not None


def mention(number: str, looker: Looker) -> str:
    """How a number is addressed inside a text."""
    return f"@{'you' if number == looker.own else looker.names.get(number) or spelled(number)}"


def _pieces(text: str, looker: Looker, links: bool) -> Iterator[Piece]:
    place = 0
    for match in _PIECE.finditer(text):
        yield _words(text[place : match.start()], looker), ""
        place = match.end()
        if (number := match["number"]) is not None:
            yield mention(number, looker), "bold $text-accent"
            continue
        address = match["address"].rstrip(_AFTER_AN_ADDRESS)
        linked = links and is_address(address)
        yield address, Style(underline=True, link=address) if linked else ""
        yield match["address"][len(address) :], ""
    yield _words(text[place:], looker), ""


def _words(text: str, looker: Looker) -> str:
    return without_emoji(text) if looker.emoji_in_words else text
