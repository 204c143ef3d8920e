"""How often: each limit is a count in a sliding window, per number or per client address."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from identity.authority.database import Database
from identity.authority.errors import RefusedError

HOUR, DAY = 3_600, 86_400  # seconds


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` requests of one subject in any `window` seconds."""

    name: str
    count: int
    window: int


# A code has 10^6 values and a challenge takes 5 attempts: the day's 60 guesses at one number hit once in 45 years.
CHALLENGES_PER_NUMBER_HOUR = RateLimit("CHALLENGES_PER_NUMBER_HOUR", 5, HOUR)
CHALLENGES_PER_NUMBER_DAY = RateLimit("CHALLENGES_PER_NUMBER_DAY", 12, DAY)
RENEWALS_PER_NUMBER = RateLimit("RENEWALS_PER_NUMBER", 48, DAY)
# Many people share one address behind a carrier's NAT.
CHALLENGES_PER_ADDRESS = RateLimit("CHALLENGES_PER_ADDRESS", 60, HOUR)
TOKENS_PER_ADDRESS = RateLimit("TOKENS_PER_ADDRESS", 600, HOUR)
ACCOUNTS_PER_ADDRESS = RateLimit("ACCOUNTS_PER_ADDRESS", 300, HOUR)
ORDERS_PER_ADDRESS = RateLimit("ORDERS_PER_ADDRESS", 600, HOUR)
LISTS_PER_ADDRESS = RateLimit("LISTS_PER_ADDRESS", 20, HOUR)  # orders of more than a number
ORDERS_PER_ACCOUNT = RateLimit("ORDERS_PER_ACCOUNT", 100, HOUR)
# As many as codes and renewals of a number together.
CERTIFICATES_PER_NUMBER = RateLimit("CERTIFICATES_PER_NUMBER", 60, DAY)
REPORTS_PER_ADDRESS = RateLimit("REPORTS_PER_ADDRESS", 300, HOUR)
STANDINGS_PER_NUMBER = RateLimit("STANDINGS_PER_NUMBER", 60, HOUR)
STANDINGS_PER_ADDRESS = RateLimit("STANDINGS_PER_ADDRESS", 300, HOUR)
HOLDINGS_PER_NUMBER = RateLimit("HOLDINGS_PER_NUMBER", 120, HOUR)
HOLDINGS_PER_ADDRESS = RateLimit("HOLDINGS_PER_ADDRESS", 300, HOUR)
LINK_BOXES_PER_ADDRESS = RateLimit("LINK_BOXES_PER_ADDRESS", 120, HOUR)
LINK_QUESTIONS_PER_ADDRESS = RateLimit("LINK_QUESTIONS_PER_ADDRESS", 1200, HOUR)
OCSP_PER_ADDRESS = RateLimit("OCSP_PER_ADDRESS", 1200, HOUR)


def admit(store: Database, subjects: Sequence[tuple[RateLimit, str]], now: int) -> None:
    """Count one request against each limit, or against none and raise RefusedError; inside a transaction."""
    for bucket, until in check(store, subjects, now):
        store.admit(bucket, until)


def check(store: Database, subjects: Sequence[tuple[RateLimit, str]], now: int) -> list[tuple[bytes, int]]:
    """What `admit` would count, without counting it. Raises RefusedError; inside a transaction."""
    counted = []
    for limit, subject in subjects:
        bucket = store.bucket(limit.name, subject)
        ends = store.admissions(bucket, now)
        if len(ends) >= limit.count:
            wait = ends[-limit.count] - now
            detail = f"{limit.name} allows {limit.count} in {limit.window} seconds; try again in {wait} seconds"
            raise RefusedError("rate-limited", detail, limit=limit.count, limit_name=limit.name, retry_after=wait)
        counted.append((bucket, now + limit.window))
    return counted


def address_subject(host: str) -> str:
    """Name the owner of a client address: an IPv6 customer has a whole /64."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
