"""Which numbers an authority certifies: prefixes for people, TNAuthList ranges for its certificate (RFC 8226 §9)."""

import re
from collections.abc import Iterable, Sequence

from identity.errors import NumberError
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList, TNEntry

ANY_NUMBER = "+"
DEFAULT_PREFIXES = (ANY_NUMBER,)
PREFIXES_LIMIT = 16  # each is up to 9 ranges of about 28 octets, in every chain of every device

_PREFIX = re.compile(r"\+?[1-9][0-9]{0,14}")
_LENGTHS = range(7, 16)  # digits of a number; the shortest in use have 7
_NANP_LENGTHS = range(11, 12)  # country code 1: always 1 and ten digits


def authority_list(prefixes: Sequence[str]) -> TNAuthList:
    """Turn prefixes ("+44", "+1202555", a whole number, or "+" for any) into ranges. Raises NumberError."""
    if not 1 <= len(prefixes) <= PREFIXES_LIMIT:
        raise NumberError("prefixes", f"an authority has 1 to {PREFIXES_LIMIT} prefixes, not {len(prefixes)}")
    entries = [entry for prefix in prefixes for entry in _entries(prefix)]
    return TNAuthList(tuple(dict.fromkeys(entries)))


def prefixes_of(authority: TNAuthList) -> tuple[str, ...]:
    """Turn the ranges of `authority_list` back into prefixes."""
    return tuple(dict.fromkeys(_prefix(entry) for entry in authority.entries))


def _entries(prefix: str) -> Iterable[TNEntry]:
    if prefix == ANY_NUMBER:
        return [TelephoneNumberRange("1" + "0" * (length - 1), 9 * 10 ** (length - 1)) for length in _LENGTHS]
    if not _PREFIX.fullmatch(prefix):
        raise NumberError("prefix", f"{prefix!a} is not a number prefix; write it like +1202555, or + for any number")
    digits = prefix.removeprefix("+")
    lengths = [length for length in (_NANP_LENGTHS if digits[0] == "1" else _LENGTHS) if length >= len(digits)]
    if not lengths:
        raise NumberError("prefix", f"no telephone number starts with {prefix!a}")
    return [_entry(digits, length - len(digits)) for length in lengths]


def _entry(digits: str, missing: int) -> TNEntry:
    return TelephoneNumberRange(digits + "0" * missing, 10**missing) if missing else OneNumber(digits)


def _prefix(entry: TNEntry) -> str:
    match entry:
        case OneNumber(digits):
            return "+" + digits
        case TelephoneNumberRange(start, count) if str(count).strip("0") == "1":
            return "+" + start[: len(start) - len(str(count)) + 1]
        case TelephoneNumberRange(_, _):
            return ANY_NUMBER
        case ServiceProviderCode(code):
            return code
