"""How people give each other their number: as a number, as an address for a QR code, or as a short code to read aloud.

The short code is the number in Crockford's base 32 with two check characters: a Reed-Solomon code over GF(32), so that
one or two wrong characters, and two neighbours swapped, are always noticed. None of the three is a secret, and none
proves anything: the certificate in the first answer does.
"""

import re
from functools import reduce

from client.errors import InviteError
from client.formats.text import safe_text
from identity.errors import NumberError
from identity.number import TelephoneNumber

SCHEME = "ringtrue:"
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: without I, L, O and U
GROUP = 4  # characters between two hyphens
CHECKS = 2
CODE_LIMIT = 12  # characters of the code of 15 digits

_URI = re.compile(r"ringtrue:\+([1-9][0-9]{0,14})", re.IGNORECASE | re.ASCII)
FORGIVEN = str.maketrans("OIL", "011", " -")
_CODE = re.compile(rf"[{SYMBOLS}]{{{CHECKS + 1},{CODE_LIMIT}}}")

_POWERS = [1]  # of 2, a generator of GF(32) with x^5 + x^2 + 1
while len(_POWERS) < 31:
    _POWERS.append(_POWERS[-1] << 1 ^ (0b100101 if _POWERS[-1] & 16 else 0))
_LOGARITHMS = {power: exponent for exponent, power in enumerate(_POWERS)}
# (x - 2)(x - 4): a word is a code if both are its roots.
_GENERATOR = (_POWERS[1] ^ _POWERS[2], _POWERS[3])


def invite_uri(number: TelephoneNumber) -> str:
    """The number as an address: ringtrue:+12025550101."""
    return SCHEME + number.e164


def short_code(number: TelephoneNumber) -> str:
    """The number as a code of at most 12 characters in groups of four, to be read aloud or typed."""
    symbols = _base32(int(number.digits))
    code = "".join(SYMBOLS[symbol] for symbol in (*symbols, *check_symbols(symbols)))
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def parse_invite(text: str) -> TelephoneNumber:
    """The number in what a person typed, pasted or scanned: a number, an address or a code. Raises InviteError."""
    written = safe_text(text).text.strip()
    if len(written) > 100:
        raise InviteError("this is longer than any number or code")
    if written.lower().startswith(SCHEME):
        return _from_uri(written)
    code = written.upper().translate(FORGIVEN)
    if _CODE.fullmatch(code):
        return _from_code(code, written)
    try:
        return TelephoneNumber.parse(written)
    except NumberError as error:
        raise InviteError(str(error)) from error


def _from_uri(written: str) -> TelephoneNumber:
    match = _URI.fullmatch(written)
    if match is None:
        raise InviteError(f"{written!a} is not of the form {SCHEME}+NUMBER")
    return TelephoneNumber.from_digits(match[1])


def _from_code(code: str, written: str) -> TelephoneNumber:
    symbols = [SYMBOLS.index(character) for character in code]
    digits = str(reduce(lambda value, symbol: value << 5 | symbol, symbols[:-CHECKS], 0))
    # A zero in front would give one number several codes, and would hide a missing character.
    if any(remainder(symbols)) or symbols[0] == 0 or len(digits) > 15:
        raise InviteError(
            f"{written!a} is neither a number with + in front nor a code: a character is wrong or missing"
        )
    return TelephoneNumber.from_digits(digits)


def _base32(value: int) -> list[int]:
    symbols: list[int] = []
    while value:
        symbols.insert(0, value & 31)
        value >>= 5
    return symbols


def check_symbols(symbols: list[int]) -> tuple[int, int]:
    """The two symbols that make a word a code."""
    return remainder([*symbols, 0, 0])


def remainder(word: list[int]) -> tuple[int, int]:
    """What is left of the word, a polynomial over GF(32), after division by the generator: zeros for a code."""
    high, low = 0, 0
    for symbol in word:
        high, low = low ^ _product(high, _GENERATOR[0]), symbol ^ _product(high, _GENERATOR[1])
    return high, low


def _product(one: int, other: int) -> int:
    return _POWERS[(_LOGARITHMS[one] + _LOGARITHMS[other]) % 31] if one and other else 0
