"""Names of files that others chose, made harmless for a folder, a shell and a terminal."""

import re
import unicodedata

from client.formats.text import safe_text

NAME_LIMIT = 100  # characters
OCTETS_LIMIT = 200  # of UTF-8: file systems take 255, and a number may follow
NAMELESS = "attachment"

_SEPARATORS = re.compile(r"[/\\\u2044\u2215\u29f5\u29f8\uff0f\uff3c]")
_PUNCTUATION = frozenset("-_.,()+")
_EXTENSION = re.compile(r"\.[0-9A-Za-z]{1,10}")
# Names of devices, with any extension, on Windows (and thus on many a shared folder).
_RESERVED = re.compile("(con|prn|aux|nul|(com|lpt)[0-9¹²³])", re.IGNORECASE)


def safe_filename(raw: str) -> str:
    """Make the last component of a name harmless: letters, digits, spaces and -_.,()+ only, and never empty.

    At most NAME_LIMIT characters, with the extension kept; it begins with none of ".-" and is no reserved name.
    """
    name = raw
    while (cleaned := _cleaned(name)) != name:  # what is taken out can bring two together that compose
        name = cleaned
    return name


def numbered(name: str, number: int) -> str:
    """The name for the file of that number among those of one name: `name (2).png`."""
    if number == 1:
        return name
    stem, extension = _split(name)
    return f"{stem} ({number}){extension}"


def _cleaned(raw: str) -> str:
    last = [part for part in _SEPARATORS.split(raw) if part.strip(". ")][-1:]
    text = " ".join("".join(map(_known, safe_text("".join(last)).text)).split())
    stem, extension = _split(_trimmed(unicodedata.normalize("NFC", text)))
    if _RESERVED.fullmatch(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    return f"{_cut(stem, extension) or NAMELESS}{extension}"


def _known(character: str) -> str:
    if character.isspace():
        return " "
    return character if unicodedata.category(character)[0] in "LMN" or character in _PUNCTUATION else "_"


def _trimmed(name: str) -> str:
    """Without a beginning that hides a file, reads as an option or joins what precedes it; without dots at its end."""
    start = 0
    while start < len(name) and (name[start] in ".- " or unicodedata.category(name[start])[0] == "M"):
        start += 1
    return name[start:].rstrip(". ")


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if stem and _EXTENSION.fullmatch(dot + extension) else (name, "")


def _cut(stem: str, extension: str) -> str:
    stem = stem[: NAME_LIMIT - len(extension)]
    while len((stem + extension).encode()) > OCTETS_LIMIT:
        stem = stem[:-1]
    return stem.rstrip(". ")
