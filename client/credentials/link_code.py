"""The code that a person carries from a device that has the number to one that is to get it, for one use.

Sixteen characters of Crockford's base 32 are a secret of 80 bits; two more are checks as in client.invite, so that one
or two wrong characters, and two neighbours swapped, are noticed before anybody is asked. The QR code holds the same
with the authority's address, where the two devices meet.
"""

import re
import secrets
from dataclasses import dataclass

from client.errors import LinkError
from client.formats.text import safe_text
from client.invite import FORGIVEN, GROUP, SYMBOLS, check_symbols, remainder

SECRET_SYMBOLS = 16
CHECKS = 2
SCHEME = "ringtrue:"
INPUT_LIMIT = 1000  # characters
_LINK = f"{SCHEME}link/"
# An address without a path means the same in capitals, and QR codes have a smaller form for those (ISO/IEC 18004).
_CASELESS = re.compile(r"(?:/https?://[0-9A-Za-z.:-]+)?")
_CODE = re.compile(rf"[{SYMBOLS}]{{{SECRET_SYMBOLS + CHECKS}}}")
_HINT = "Look at the code on the other device and type it again; capitals, spaces and hyphens make no difference."


@dataclass(frozen=True, slots=True)
class LinkCode:
    """A secret for one use, 16 symbols of 5 bits, and perhaps where to meet (base URL of an authority)."""

    symbols: tuple[int, ...]
    authority: str | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"LinkCode(authority={self.authority!r})"

    @property
    def secret(self) -> bytes:
        """The secret as ten octets."""
        value = 0
        for symbol in self.symbols:
            value = value << 5 | symbol
        return value.to_bytes(SECRET_SYMBOLS * 5 // 8)

    @property
    def text(self) -> str:
        """The code to be typed, in groups of four."""
        code = "".join(SYMBOLS[symbol] for symbol in (*self.symbols, *check_symbols(list(self.symbols))))
        return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))

    @property
    def uri(self) -> str:
        """The code to be scanned: ringtrue:link/CODE/AUTHORITY, in capitals where that makes the QR code smaller."""
        where = "" if self.authority is None else f"/{self.authority.rstrip('/')}"
        uri = f"{_LINK}{self.text.replace('-', '')}{where}"
        return uri.upper() if _CASELESS.fullmatch(where) else uri


def new_link_code(authority: str) -> LinkCode:
    """Draw a code."""
    return LinkCode(tuple(secrets.randbelow(len(SYMBOLS)) for _ in range(SECRET_SYMBOLS)), authority)


def parse_link_code(text: str) -> LinkCode:
    """Read what a person typed, pasted or scanned. Raises LinkError."""
    written = safe_text(text[:INPUT_LIMIT]).text.strip()
    if written.lower().startswith(SCHEME):
        return _from_uri(written)
    return LinkCode(_symbols(written))


def _from_uri(written: str) -> LinkCode:
    if not written.lower().startswith(_LINK):
        raise LinkError("this address is none for linking a device", code="link-code", hint=_HINT)
    code, _, authority = written[len(_LINK) :].partition("/")
    if authority.upper() == authority:  # it was in capitals for the QR code's sake, or has no letters
        authority = authority.lower()
    return LinkCode(_symbols(code), authority or None)


def _symbols(written: str) -> tuple[int, ...]:
    code = written.upper().translate(FORGIVEN)
    if not _CODE.fullmatch(code):
        length = f"{SECRET_SYMBOLS + CHECKS} letters and digits"
        raise LinkError(f"this is no code for linking a device, which has {length}", code="link-code", hint=_HINT)
    symbols = [SYMBOLS.index(character) for character in code]
    if any(remainder(symbols)):
        raise LinkError("a character of the code is wrong, or two are swapped", code="link-code", hint=_HINT)
    return tuple(symbols[:-CHECKS])
