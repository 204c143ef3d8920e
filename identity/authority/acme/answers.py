"""What the ACME server answers: records as the shapes of `wire`."""

from datetime import UTC, datetime

from identity.authority.acme import wire
from identity.authority.acme.addresses import Addresses
from identity.authority.acme.records import Account, Order


def account(record: Account, addresses: Addresses) -> wire.Account:
    """An account."""
    return wire.Account(record.status, addresses.orders(record))


def order(record: Order, addresses: Addresses) -> wire.Order:
    """An order; once issued, with the certificate's address for its account, and the public one (RFC 9448 §7)."""
    fingerprint = record.certificate
    return wire.Order(
        record.state.value,
        _time(record.expires_at),
        [record.about],
        [addresses.authorization(record)],
        addresses.finalize(record),
        None if fingerprint is None else addresses.certificate(fingerprint),
        None if fingerprint is None else addresses.of(f"/certificates/{fingerprint.hex()}.pem"),
        record.error,
    )


def authorization(record: Order, addresses: Addresses, token_authority: str | None) -> wire.Authorization:
    """An order's authorization."""
    challenges = [challenge(record, addresses, token_authority)]
    return wire.Authorization(record.authorization.value, record.about, challenges, _time(record.expires_at))


def challenge(record: Order, addresses: Addresses, token_authority: str | None) -> wire.Challenge:
    """Its challenge; `token_authority` is the base URL of one whose tokens are taken."""
    return wire.Challenge(
        wire.TKAUTH,
        addresses.challenge(record),
        record.challenge.value,
        record.id,
        wire.ATC,
        token_authority,
        None if record.grant is None else _time(record.grant.accepted_at),
        record.error,
    )


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
