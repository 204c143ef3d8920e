"""What textual-serve's page sends: JSON arrays, the first item of which names the kind."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

SIDE_LIMIT = 1000  # cells
COLUMNS, ROWS = 80, 24  # until a page says otherwise

Side = Annotated[int, Meta(ge=1, le=SIDE_LIMIT)]


class Size(Struct, frozen=True):
    """Of the page's terminal, in cells."""

    width: Side = COLUMNS
    height: Side = ROWS


class Stdin(Struct, array_like=True, tag="stdin", frozen=True):
    """What was typed, pasted or done with the mouse."""

    text: str


class Resize(Struct, array_like=True, tag="resize", frozen=True):
    """The page's terminal has another size now."""

    size: Size


class Ping(Struct, array_like=True, tag="ping", frozen=True):
    """The page measures how long an answer takes; `moment` is its own."""

    moment: Annotated[str, Meta(max_length=32)]


class Focus(Struct, array_like=True, tag="focus", frozen=True):
    """The terminal is looked at."""


class Blur(Struct, array_like=True, tag="blur", frozen=True):
    """The terminal is looked away from."""


Typed = Stdin | Resize | Ping | Focus | Blur

_DECODER: Decoder[Typed] = Decoder(Typed)


def read(message: str) -> Typed | None:
    """One message of the page; None if it is none."""
    try:
        return _DECODER.decode(message)
    except (DecodeError, UnicodeEncodeError):
        return None


def first_size(query: Mapping[str, str]) -> Size:
    """The size that a page has when it connects; what it does not say in numbers is as usual."""
    return Size(_side(query.get("width", ""), COLUMNS), _side(query.get("height", ""), ROWS))


def _side(digits: str, usual: int) -> int:
    return min(max(int(digits), 1), SIDE_LIMIT) if digits.isascii() and digits.isdigit() and len(digits) < 9 else usual
