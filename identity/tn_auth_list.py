"""TNAuthList: the numbers and service provider codes that a certificate speaks for (RFC 8226 §9, RFC 9060)."""

import re
from bisect import bisect
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Literal, Self

from cryptography.hazmat import asn1

from identity.der import SEQUENCE, content_of, element
from identity.errors import TNAuthListError
from identity.number import TelephoneNumber

TN_AUTH_LIST_SIZE_LIMIT = 65_536  # octets of DER; a carrier's list of thousands of ranges fits
TELEPHONE_NUMBER_LENGTH_LIMIT = 15  # RFC 8226 §9, SIZE (1..15)
SERVICE_PROVIDER_CODE_LENGTH_LIMIT = 64  # the ASN.1 sets none; codes in use have 3 to 10 characters

_CODE = re.compile(rf"[!-~]{{1,{SERVICE_PROVIDER_CODE_LENGTH_LIMIT}}}")
_DIGITS = re.compile(r"[0-9]{1,15}")
_TELEPHONE_NUMBER = re.compile(r"[0-9#*]{1,15}")


@asn1.sequence
class _RangeDER:
    start: Annotated[asn1.IA5String, asn1.Size(1, TELEPHONE_NUMBER_LENGTH_LIMIT)]
    count: int


_CodeVariant = asn1.Variant[asn1.IA5String, Literal["spc"]]
_RangeVariant = asn1.Variant[_RangeDER, Literal["range"]]
_OneVariant = asn1.Variant[asn1.IA5String, Literal["one"]]


@asn1.sequence
class _Enclosed:
    """One SEQUENCE around the list, because `asn1` decodes no SEQUENCE OF at top level."""

    entries: Annotated[
        list[
            Annotated[_CodeVariant, asn1.Explicit(0)]
            | Annotated[_RangeVariant, asn1.Explicit(1)]
            | Annotated[_OneVariant, asn1.Explicit(2), asn1.Size(1, TELEPHONE_NUMBER_LENGTH_LIMIT)]
        ],
        asn1.Size(1, None),
    ]


@dataclass(frozen=True, slots=True)
class ServiceProviderCode:
    """`spc [0]`: stands, indirectly, for all numbers of that provider."""

    code: str

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise TNAuthListError("spc", "a service provider code has 1 to 64 visible ASCII characters")


@dataclass(frozen=True, slots=True)
class TelephoneNumberRange:
    """`range [1]`: `count` (at least 2) numbers of equal length from `start` upwards."""

    start: str
    count: int

    def __post_init__(self) -> None:
        if not _DIGITS.fullmatch(self.start):
            raise TNAuthListError("range-start", "a range starts at 1 to 15 digits")
        # RFC 8226 §9 says "start + count < 10^D", which taken literally forbids a range that ends at 99…9.
        if self.count < 2 or int(self.start) + self.count > 10 ** len(self.start):
            raise TNAuthListError("range-count", "a range has at least 2 numbers, all as long as its first")


@dataclass(frozen=True, slots=True)
class OneNumber:
    """`one [2]`: a single number, 1 to 15 of 0-9, # and *."""

    digits: str

    def __post_init__(self) -> None:
        if not _TELEPHONE_NUMBER.fullmatch(self.digits):
            raise TNAuthListError("one", "a telephone number has 1 to 15 of 0-9, # and *")


TNEntry = ServiceProviderCode | TelephoneNumberRange | OneNumber


class Coverage(Enum):
    """How a list vouches for a number."""

    BY_NUMBER = "by-number"
    BY_CODE = "by-code"
    NO = "no"


@dataclass(frozen=True, slots=True)
class TNAuthList:
    """A TNAuthorizationList with at least one entry."""

    entries: tuple[TNEntry, ...]
    _intervals: tuple[tuple[int, int, int], ...] = field(init=False, repr=False, compare=False)
    _codes: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.entries:
            raise TNAuthListError("empty", "a TNAuthList has at least one entry")
        codes, intervals = [], []
        for entry in self.entries:
            if isinstance(entry, ServiceProviderCode):
                codes.append(entry.code)
            elif (interval := _interval(entry)) is not None:
                intervals.append(interval)
        object.__setattr__(self, "_codes", frozenset(codes))
        object.__setattr__(self, "_intervals", _merged(intervals))

    @classmethod
    def decode(cls, der: bytes) -> Self:
        """Decode strict DER. Raises TNAuthListError, also on a range with extension fields."""
        if len(der) > TN_AUTH_LIST_SIZE_LIMIT:
            raise TNAuthListError("too-large", f"a TNAuthList has at most {TN_AUTH_LIST_SIZE_LIMIT} octets")
        try:
            decoded = asn1.decode_der(_Enclosed, element(SEQUENCE, der))
        except ValueError as error:
            raise TNAuthListError("malformed", "the TNAuthList is not DER of RFC 8226 §9") from error
        return cls(tuple([_entry(variant.tag, variant.value) for variant in decoded.entries]))

    def encode(self) -> bytes:
        """Encode as DER."""
        return content_of(asn1.encode_der(_Enclosed(entries=[_variant(entry) for entry in self.entries])))

    @property
    def codes(self) -> frozenset[str]:
        """The service provider codes in the list."""
        return self._codes

    @property
    def number(self) -> TelephoneNumber | None:
        """The one number in the list, if that is all there is."""
        only = self.entries[0] if len(self.entries) == 1 else None
        if isinstance(only, OneNumber) and only.digits.isdecimal() and only.digits[0] != "0":
            return TelephoneNumber.from_digits(only.digits)
        return None

    def covers(self, number: TelephoneNumber) -> Coverage:
        """Say whether the list vouches for the number itself, only through a code, or not at all."""
        value = int(number.digits)
        if self._includes(len(number.digits), value, value):
            return Coverage.BY_NUMBER
        return Coverage.BY_CODE if self.codes else Coverage.NO

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """The numbers that the list holds by themselves, as disjoint pairs of first and last."""
        # A range that starts with zeros reaches into shorter lengths, where it means other numbers.
        proper = ((max(first, 10 ** (length - 1)), last) for length, first, last in self._intervals)
        return tuple((first, last) for first, last in proper if first <= last)

    def _includes(self, length: int, first: int, last: int) -> bool:
        # The intervals are disjoint and sorted, so only the last that starts at `first` or before can hold it.
        position = bisect(self._intervals, (length, first + 1, 0))
        if position == 0:
            return False
        size, _, high = self._intervals[position - 1]
        return size == length and last <= high

    def _admits(self, entry: TNEntry, by_code: bool) -> bool:
        if isinstance(entry, ServiceProviderCode):
            return entry.code in self._codes
        # RFC 9060 §4: a parent with a code may delegate numbers; which numbers a code has is not in any list.
        if by_code:
            return True
        interval = _interval(entry)
        return self._includes(*interval) if interval is not None else entry in self.entries


def check_encompassing(parent: TNAuthList, child: TNAuthList, *, by_code: bool = True) -> None:
    """Raise TNAuthListError unless every entry of the child lies within the parent (RFC 9060 §4).

    `by_code`: whether a parent with a code admits any number.
    """
    by_code = by_code and bool(parent.codes)
    for entry in child.entries:
        if not parent._admits(entry, by_code):
            raise TNAuthListError("encompassing", f"{entry} is not within the list of the certificate above")


def _merged(intervals: list[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Join the numbers to disjoint (length, first, last), since RFC 9060 scope adds up over entries."""
    if len(intervals) < 2:  # as in the leaf of every device
        return tuple(intervals)
    merged: list[tuple[int, int, int]] = []
    for length, first, last in sorted(intervals):
        if merged and merged[-1][0] == length and first <= merged[-1][2] + 1:
            merged[-1] = (length, merged[-1][1], max(last, merged[-1][2]))
        else:
            merged.append((length, first, last))
    return tuple(merged)


def _interval(entry: TelephoneNumberRange | OneNumber) -> tuple[int, int, int] | None:
    """Length, first and last of the plain numbers in an entry, if it holds any."""
    if isinstance(entry, OneNumber):
        if not entry.digits.isdecimal():
            return None
        number = int(entry.digits)
        return len(entry.digits), number, number
    first = int(entry.start)
    return len(entry.start), first, first + entry.count - 1


def _entry(tag: str, value: asn1.IA5String | _RangeDER) -> TNEntry:
    if isinstance(value, _RangeDER):
        return TelephoneNumberRange(value.start.as_str(), value.count)
    return ServiceProviderCode(value.as_str()) if tag == "spc" else OneNumber(value.as_str())


def _variant(entry: TNEntry) -> _CodeVariant | _RangeVariant | _OneVariant:
    match entry:
        case ServiceProviderCode(code):
            return asn1.Variant(asn1.IA5String(code), "spc")
        case TelephoneNumberRange(start, count):
            return asn1.Variant(_RangeDER(start=asn1.IA5String(start), count=count), "range")
        case OneNumber(digits):
            return asn1.Variant(asn1.IA5String(digits), "one")
