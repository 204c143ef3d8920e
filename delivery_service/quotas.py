"""Quotas on first contacts: what reaching strangers costs, so that spam is paid for in numbers and not in messages."""

from dataclasses import dataclass

from delivery_service.wire import (
    FIRST_CONTACTS_PER_DAY,
    FIRST_CONTACTS_PER_ISSUER_HOUR,
    FIRST_CONTACTS_PER_TARGET_DAY,
)

DAY, HOUR = 86_400, 3_600  # seconds


@dataclass(frozen=True, slots=True)
class Quotas:
    """First contacts: by a number in a day, by an issuer's numbers in an hour, for a number in a day; None is off."""

    per_number: int | None = FIRST_CONTACTS_PER_DAY
    per_issuer: int | None = FIRST_CONTACTS_PER_ISSUER_HOUR
    per_target: int | None = FIRST_CONTACTS_PER_TARGET_DAY


QUOTAS = Quotas()
NO_QUOTAS = Quotas(None, None, None)
