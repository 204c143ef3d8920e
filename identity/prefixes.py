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
    """Say a list in prefixes, as few as hold it exactly; a code stands for itself."""
    return tuple(dict.fromkeys(prefix for entry in authority.entries for prefix in _prefixes(entry)))


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


def _prefixes(entry: TNEntry) -> Iterable[str]:
    match entry:
        case OneNumber(digits):
            yield "+" + digits
        case TelephoneNumberRange(start, count) if _is_whole_length(start, count):
            yield ANY_NUMBER
        case TelephoneNumberRange(start, count):
            yield from _blocks(int(start), int(start) + count, len(start))
        case ServiceProviderCode(code):
            yield code


def _is_whole_length(start: str, count: int) -> bool:
    return start == "1" + "0" * (len(start) - 1) and count == 9 * int(start)


def _blocks(first: int, end: int, length: int) -> Iterable[str]:
    """Cut a range into blocks of all numbers that begin alike: at most 18 for each digit."""
    while first < end:
        missing = 0
        while missing + 1 < length and first % 10 ** (missing + 1) == 0 and first + 10 ** (missing + 1) <= end:
            missing += 1
        yield "+" + str(first).zfill(length)[: length - missing]
        first += 10**missing
