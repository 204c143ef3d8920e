"""Numbers and counts as people read them, for every surface."""

from identity.errors import NumberError
from identity.number import TelephoneNumber


def shown_number(e164: str) -> str:
    """A number as people read it: +1 202-555-0142."""
    try:
        return str(TelephoneNumber.from_digits(e164.removeprefix("+")))
    except NumberError:
        return ascii(e164)


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 message, 2 messages."""
    return f"{count} {one if count == 1 else many or one + 's'}"
