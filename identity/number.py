"""Telephone numbers: parse once, then trust the type."""

import re
from dataclasses import dataclass
from typing import Self

import phonenumbers

from identity.errors import NumberError

INPUT_LENGTH_LIMIT = 100  # characters of people's input; 15 digits with any punctuation fit easily

_E164_DIGITS = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True, order=True)
class TelephoneNumber:
    """An E.164 number; `digits` has country code and no "+" (RFC 8224 §8.3). Raises NumberError on anything else."""

    digits: str

    def __post_init__(self) -> None:
        if not _E164_DIGITS.fullmatch(self.digits):
            raise NumberError("digits", f"{_quoted(self.digits)} is not 1 to 15 digits starting with a country code")

    @classmethod
    def from_digits(cls, digits: str) -> Self:
        """Accept the form in certificates and tokens: ASCII digits only. Raises NumberError."""
        return cls(digits)

    @classmethod
    def parse(cls, text: str, region: str | None = None) -> Self:
        """Read what a person typed; `region` (ISO 3166, "US") allows national form. Raises NumberError."""
        if len(text) > INPUT_LENGTH_LIMIT:
            raise NumberError("too-long", f"a telephone number has at most {INPUT_LENGTH_LIMIT} characters")
        try:
            parsed = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException as error:
            raise NumberError("unreadable", _advice(text)) from error
        # is_possible, not is_valid: validity follows metadata that changes with every release of the library.
        if parsed.extension or not phonenumbers.is_possible_number(parsed):
            raise NumberError("impossible", _advice(text))
        return cls(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).removeprefix("+"))

    @property
    def e164(self) -> str:
        """The number with "+", as in URIs: +12025550142."""
        return "+" + self.digits

    def __str__(self) -> str:
        """Show the number to people: +1 202-555-0142."""
        try:
            parsed = phonenumbers.parse(self.e164)
        except phonenumbers.NumberParseException:
            return self.e164  # a country code that the library does not know
        shown = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        digits = "".join(character for character in shown if character.isdigit())
        return shown if digits == self.digits else self.e164


def _advice(text: str) -> str:
    return f"{_quoted(text)} is not a telephone number; write it with + and country code, such as +1 202-555-0142"


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "...")
