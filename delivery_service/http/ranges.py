"""The Range of a request for a blob (RFC 9110 §14), as positions in it."""

import re

from delivery_service.errors import RefusedError

_SPECIFIER = re.compile(r"bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*", re.ASCII | re.IGNORECASE)
_DIGITS = 18  # more name a position beyond every blob


def requested(field: str, condition: str, tag: str, size: int) -> tuple[int, int] | None:
    """The octets that a Range field asks for, as start and end; None where the whole is to be answered.

    That is where there is no field, where it is not understood or names several ranges (§14.2), or where If-Range
    (`condition`) is not the blob's entity tag. Refuses range-not-satisfiable.
    """
    found = _SPECIFIER.fullmatch(field)
    if found is None or (condition and condition != tag):
        return None
    first, last, suffix = (_position(digits) for digits in found.groups())
    if suffix is not None:
        start, end = max(0, size - suffix), size
    else:
        assert first is not None, "one of the two forms matched"
        start, end = first, size if last is None else min(size, last + 1)
        if last is not None and last < first:
            return None
    if start >= size:
        raise RefusedError("range-not-satisfiable", f"the blob has {size} octets")
    return start, end


def _position(digits: str | None) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _DIGITS else 10**_DIGITS
