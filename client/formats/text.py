"""Text from others made harmless for a terminal: the one place where it happens, right after decoding.

Escape sequences are not removed but broken: their first character becomes a visible picture (␛), so that what was
tried stays in sight, and no parser of sequences is needed.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MARKS_LIMIT = 4  # combining marks on one character
NAME_CELLS_LIMIT = 32  # terminal cells of a name
TITLE_CELLS_LIMIT = 80  # terminal cells of a window's title
NOTICE_CELLS_LIMIT = 200  # terminal cells of a desktop notification
TAB = "    "
_BREAK = "\n    "

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # ZWNJ, ZWJ: Persian, Hindi and family emoji need them
_JOINED_CATEGORIES = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
# Format characters that are drawn: Arabic number signs, end of ayah, Syriac abbreviation, Kaithi number signs.
_DRAWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Invisible, although Unicode calls them letters, marks or symbols. FE0E and FE0F stay: they choose an emoji's form.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0d\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_REPLACEMENT = "\ufffd"
_NAME_PUNCTUATION = frozenset("-'.,()&")
# Notification services may read a body as markup (Desktop Notifications Specification, "body-markup"), whether it was
# escaped or not: nothing that looks like a tag or an entity is left in it.
_WITHOUT_TAGS = str.maketrans("<>&", "\u2039\u203a+")

_WIDE_SYMBOLS = "".join(
    chr(code)
    for code in range(0x2300, 0x2C00)
    if unicodedata.category(chr(code)) == "So" and unicodedata.east_asian_width(chr(code)) == "W"
)
_TONES = "\U0001f3fb-\U0001f3ff"
_PICTOGRAPH = (
    f"(?:[\U0001f000-\U0001f1e5\U0001f200-\U0001faff{_WIDE_SYMBOLS}]\ufe0f?|[\u00a9\u00ae\u2000-\u33ff]\ufe0f)"
)
_PERSON = f"{_PICTOGRAPH}[{_TONES}]?"  # what a skin tone can follow
_EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{1,2}}|[0-9#*]\ufe0f?\u20e3|{_PERSON}(?:\u200d(?:{_PERSON}|[\u2600-\u27bf]))*"
)
_EMOJI_WORDS = {
    "\u2764": "red heart",
    "\U0001f3fb": "light skin",
    "\U0001f3fc": "medium-light skin",
    "\U0001f3fd": "medium skin",
    "\U0001f3fe": "medium-dark skin",
    "\U0001f3ff": "dark skin",
}


@dataclass(frozen=True, slots=True)
class Safe:
    """Text that may be drawn. `hidden`: how many invisible or excessive characters were taken out."""

    text: str
    hidden: int = 0

    def __str__(self) -> str:
        return self.text


def safe_text(raw: str) -> Safe:
    """Make a message's text harmless: lines stay, control characters become visible, invisible ones are counted."""
    if raw.isascii() and raw.replace("\n", "").isprintable():
        return Safe(raw)
    text = _NEWLINES.sub("\n", unicodedata.normalize("NFC", raw)).replace("\t", TAB)
    hidden = 0
    # Taking a character out can bring two together that compose, and what they compose to can end a joiner's right
    # to stay: repeat until nothing changes. Each round shortens the text; a cluster settles within a few.
    while (cleaned := "".join(_cleaned(text))) != text:
        hidden += len(text) - len(cleaned)
        text = unicodedata.normalize("NFC", cleaned)
    return Safe(text, hidden)


def folded(safe: str, cells: int | None) -> str:
    """Break safe text that is wider than `cells`, and indent each line but the first.

    A terminal breaks long lines by itself, without a sign: text could then begin a line and pass for another row.
    """
    drawn, used = [], 0
    for character in safe:
        width = _width(character)
        if character == "\n" or (cells is not None and used + width > cells):
            drawn.append(_BREAK)
            used = len(_BREAK) - 1
        if character != "\n":
            drawn.append(character)
            used += width
    return "".join(drawn)


def safe_line(raw: str) -> str:
    """Make a text harmless for a place that has one line: what others put into certificates and tokens."""
    return " ".join(safe_text(raw).text.split())


def safe_name(raw: str) -> Safe:
    """Make a name or a title harmless: one line, letters, digits, spaces and -'.,()& only, at most 32 cells wide."""
    name = raw
    while (shorter := _name(name)) != name:  # without its joiners, marks can meet that have to be counted again
        name = shorter
    return Safe(name, max(0, len(raw.strip()) - len(name)))


def safe_title(raw: str) -> str:
    """Text for the title of a window or a terminal: one line, at most 80 cells wide."""
    return _one_line(raw, TITLE_CELLS_LIMIT)


def safe_notice(raw: str) -> str:
    """Text for a desktop notification: one line, at most 200 cells wide, and nothing that could be read as markup."""
    return _one_line(raw.translate(_WITHOUT_TAGS), NOTICE_CELLS_LIMIT).translate(_WITHOUT_TAGS)


def safe_clipboard(raw: str) -> str:
    """Text for the clipboard: as `safe_text`, but tabs stay, for what is copied is to be used, not looked at."""
    return "\t".join(safe_text(part).text for part in raw.split("\t"))


def export_line(raw: str) -> str:
    """Text for one entry of a written history: what follows a line break is indented, so that no text begins a row."""
    return folded(safe_text(raw).text, None)


def without_emoji(safe: str) -> str:
    """Put emoji into words, "[thumbs up]", for fonts and readers that have none; `safe` is text made safe before."""
    return _EMOJI.sub(_in_words, safe)


def _in_words(match: re.Match[str]) -> str:
    emoji = match[0].replace("\ufe0f", "")
    if emoji[-1] == "\u20e3":
        return f"[key {emoji[0]}]"
    if "\U0001f1e6" <= emoji[0] <= "\U0001f1ff":
        return f"[flag {''.join(chr(ord(letter) - 0x1F1E6 + ord('A')) for letter in emoji)}]"
    return f"[{', '.join(_words(character) for character in emoji if character not in _JOINERS)}]"


def _words(character: str) -> str:
    if character in _EMOJI_WORDS:
        return _EMOJI_WORDS[character]
    name = unicodedata.name(character, f"u+{ord(character):04x}")
    return name.lower().removesuffix(" sign").removesuffix(" symbol")


def _one_line(raw: str, cells: int) -> str:
    return _cut(" ".join(safe_text(raw).text.split()), cells).rstrip()


def _name(text: str) -> str:
    words = "".join(_name_characters(safe_text(text).text)).split()
    return _cut(unicodedata.normalize("NFC", " ".join(words)), NAME_CELLS_LIMIT).rstrip()


def _cleaned(text: str) -> Iterator[str]:
    previous, marks = "", 0
    for character in text:
        shown = _shown(character)
        if not shown or (character in _JOINERS and not _joins(previous)):
            continue
        if unicodedata.category(shown) in ("Mn", "Me"):
            marks += 1
            if marks > MARKS_LIMIT:
                continue
        elif character not in _JOINERS:
            marks = 0
        previous = shown
        yield shown


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    """What stands for one character: itself, a picture of it, U+FFFD, or nothing."""
    if character == "\n" or character in _JOINERS or character in _DRAWN_FORMATS:
        return character
    match unicodedata.category(character):
        case "Cc" if character < "\x20":
            return chr(0x2400 + ord(character))
        case "Cc" if character == "\x7f":
            return "\u2421"
        case "Cf":
            return ""
        case "Cn" if "\U0001f000" <= character <= "\U0001faff":
            return character  # set aside for pictographs: emoji newer than this Python's tables
        case _ if _INVISIBLE.match(character):
            return ""
        case "Cc" | "Cs" | "Co" | "Cn":
            return _REPLACEMENT
    return character


def _joins(previous: str) -> bool:
    if not previous or previous in _JOINERS:
        return False
    return unicodedata.category(previous) in _JOINED_CATEGORIES or "\U0001f000" <= previous <= "\U0001faff"


def _name_characters(text: str) -> Iterator[str]:
    for character in text:
        category = unicodedata.category(character)
        if category == "Zs" or character == "\n":
            yield " "
        elif category[0] in "LMN" or character in _NAME_PUNCTUATION:
            yield character


def _cut(text: str, limit: int) -> str:
    cells = 0
    for position, character in enumerate(text):
        cells += _width(character)
        if cells > limit:
            return text[:position]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
