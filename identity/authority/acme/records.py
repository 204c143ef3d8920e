"""What the ACME server keeps: accounts and orders, in the authority's database."""

import secrets
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from identity.authority.acme.errors import AcmeError
from identity.authority.acme.states import (
    AuthorizationState,
    ChallengeState,
    OrderState,
    Proof,
    Step,
    Turn,
    next_authorization,
    next_challenge,
    next_order,
)
from identity.authority.acme.wire import ORDER_LIFETIME, Identifier, Problem
from identity.authority.store import AuthorityStore
from identity.enrolment.acme_jws import JWK
from identity.enrolment.authority_token import TN_AUTH_LIST

RETENTION = 86_400  # seconds after its end in which an order, or an account without any, can still be looked at

_ORDER = "SELECT id, account, identifier, expires_at, state, authz, challenge, granted, error, certificate"


class Grant(msgspec.Struct, frozen=True):
    """What an authority token granted: whether a CA, by what right, to which key alone; when it was made and taken."""

    ca: bool
    right: str | None
    key: str | None
    issued_at: int
    accepted_at: int


@dataclass(frozen=True, slots=True)
class Account:
    """Who orders: a key and whether it may still ask."""

    id: str
    jwk: JWK
    status: Literal["valid", "deactivated"] = "valid"


def check_valid(account: Account) -> None:
    """Raise AcmeError for an account that was given up (RFC 8555 §7.3.6)."""
    if account.status != "valid":
        raise AcmeError("unauthorized", f"the account is {account.status}", status=401)


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its one authorization and that one's challenge; all three have the same name."""

    id: str
    account: str
    identifier: str
    expires_at: int
    state: OrderState = OrderState.PENDING
    authorization: AuthorizationState = AuthorizationState.PENDING
    challenge: ChallengeState = ChallengeState.PENDING
    grant: Grant | None = None
    error: Problem | None = None
    certificate: bytes | None = None

    @property
    def about(self) -> Identifier:
        """The identifier as requests and problems name it."""
        return Identifier(TN_AUTH_LIST, self.identifier)

    def at(self, now: int) -> "Order":
        """The order as it is then: what nobody completed has ended."""
        if now < self.expires_at:
            return self
        authorization = next_authorization(self.authorization, Turn.ENDED)
        return replace(self, state=next_order(self.state, Step.ENDED), authorization=authorization)

    def answered(self, outcome: Grant | Problem) -> "Order":
        """The order after its challenge was answered with a token."""
        proof, step = (Proof.ACCEPTED, Step.AUTHORIZED)
        if isinstance(outcome, Problem):
            proof, step = (Proof.REFUSED, Step.UNAUTHORIZED)
        return replace(
            self,
            state=next_order(self.state, step),
            authorization=next_authorization(self.authorization, proof),
            challenge=next_challenge(self.challenge, proof),
            grant=outcome if isinstance(outcome, Grant) else None,
            error=outcome if isinstance(outcome, Problem) else None,
        )

    def deactivated(self) -> "Order":
        """The order after its authorization was given up."""
        authorization = next_authorization(self.authorization, Turn.DEACTIVATED)
        return replace(self, state=next_order(self.state, Step.UNAUTHORIZED), authorization=authorization)

    def issued(self, certificate: bytes) -> "Order":
        """The order after its certificate was issued."""
        return replace(self, state=next_order(self.state, Step.ISSUED), certificate=certificate)


class AcmeRecords:
    """Accounts and orders; every use is inside the store's `transaction()`."""

    def __init__(self, store: AuthorityStore) -> None:
        self._store = store

    def account(self, account_id: str) -> Account | None:
        """Read an account."""
        return self._account("id = ?", account_id)

    def account_of(self, jwk: JWK) -> Account | None:
        """Find the account of a key."""
        return self._account("thumbprint = ?", jwk.thumbprint)

    def open_account(self, jwk: JWK, now: int) -> Account:
        """Make an account for a key that has none."""
        account = Account(secrets.token_urlsafe(12), jwk)
        self._store.execute(
            "INSERT INTO acme_accounts VALUES (?, ?, ?, ?, ?)",
            account.id,
            jwk.thumbprint,
            msgspec.json.encode(jwk),
            account.status,
            now + RETENTION,
        )
        return account

    def keep_account(self, account: Account, until: int) -> bool:
        """Remember an account at least until then; says whether it is still there."""
        kept = "UPDATE acme_accounts SET kept_until = max(kept_until, ?) WHERE id = ?"
        return self._store.execute(kept, until, account.id) == 1

    def save_account(self, account: Account) -> None:
        """Write a changed account."""
        self._store.execute(
            "UPDATE acme_accounts SET thumbprint = ?, jwk = ?, status = ? WHERE id = ?",
            account.jwk.thumbprint,
            msgspec.json.encode(account.jwk),
            account.status,
            account.id,
        )

    def open_order(self, account: Account, identifier: str, now: int) -> Order:
        """Make an order."""
        order = Order(secrets.token_urlsafe(12), account.id, identifier, now + ORDER_LIFETIME)
        self.keep_account(account, order.expires_at + RETENTION)
        self.save_order(order)
        return order

    def order(self, order_id: str, account: Account, now: int) -> Order | None:
        """Read an order of the account, as it is now."""
        row = self._store.row(f"{_ORDER} FROM acme_orders WHERE id = ? AND account = ?", order_id, account.id)
        return None if row is None else _order(row).at(now)

    def orders(self, account: Account, now: int, limit: int) -> list[str]:
        """Name the account's orders that are not invalid, the newest first."""
        rows = self._store.rows(
            f"{_ORDER} FROM acme_orders WHERE account = ? ORDER BY expires_at DESC, id LIMIT ?", account.id, limit
        )
        orders = (_order(row).at(now) for row in rows)
        return [order.id for order in orders if order.state is not OrderState.INVALID]

    def save_order(self, order: Order) -> None:
        """Write an order, new or changed."""
        self._store.execute(
            "INSERT OR REPLACE INTO acme_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            order.id,
            order.account,
            order.identifier,
            order.expires_at,
            order.state.value,
            order.authorization.value,
            order.challenge.value,
            None if order.grant is None else msgspec.json.encode(order.grant),
            None if order.error is None else msgspec.json.encode(order.error),
            order.certificate,
        )

    def prune(self, now: int) -> None:
        """Delete the orders that ended a while ago, and accounts that have nothing; what was issued stays published."""
        self._store.execute("DELETE FROM acme_orders WHERE expires_at <= ?", now - RETENTION)
        self._store.execute("DELETE FROM acme_accounts WHERE kept_until <= ?", now)

    def _account(self, condition: str, value: str | bytes) -> Account | None:
        row = self._store.row(f"SELECT id, jwk, status FROM acme_accounts WHERE {condition}", value)  # noqa: S608
        return None if row is None else Account(row[0], msgspec.json.decode(row[1], type=JWK), row[2])


def _order(row: tuple[str, str, str, int, str, str, str, bytes | None, bytes | None, bytes | None]) -> Order:
    name, account, identifier, expires_at, state, authz, challenge, granted, error, certificate = row
    return Order(
        name,
        account,
        identifier,
        expires_at,
        OrderState(state),
        AuthorizationState(authz),
        ChallengeState(challenge),
        None if granted is None else msgspec.json.decode(granted, type=Grant),
        None if error is None else msgspec.json.decode(error, type=Problem),
        certificate,
    )
