"""Orders, their authorizations and challenges (RFC 8555 §7.4, §7.5; RFC 9447, RFC 9448)."""

from collections.abc import Callable
from dataclasses import dataclass

from identity.authority import rates
from identity.authority.acme import wire
from identity.authority.acme.addresses import Addresses
from identity.authority.acme.admission import check_identifier
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.records import RETENTION, Account, AcmeRecords, Grant, Order
from identity.authority.acme.requests import SignedRequest
from identity.authority.acme.states import AuthorizationState, ChallengeState
from identity.authority.issuer import Issuer
from identity.authority.store import AuthorityStore
from identity.enrolment.authority_token import (
    FUTURE_LIMIT,
    TN_AUTH_LIST,
    AuthorityToken,
    TokenIssuers,
    verify_authority_token,
)
from identity.errors import AuthorityTokenError

NUMBER_LIMIT = 32  # characters of an identifier that is a single number

# By the number of the failed check (RFC 9448 §6).
_PROBLEM_OF_CHECK = {
    1: "malformed",
    2: "unauthorized",
    3: "unauthorized",
    4: "unauthorized",
    5: "incorrectResponse",
    6: "incorrectResponse",
    7: "incorrectResponse",
    8: "incorrectResponse",
}


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """Places orders and has them authorized; every method may raise AcmeError or RefusedError."""

    store: AuthorityStore
    issuer: Issuer
    addresses: Addresses
    token_issuers: Callable[[int], TokenIssuers]

    def place(self, request: SignedRequest, address: str, now: int) -> Order:
        """Open an order of one TNAuthList."""
        account = request.by_account
        asked = request.body(wire.NewOrder)
        identifier = _identifier(asked)
        limits = [(rates.ORDERS_PER_ADDRESS, address), (rates.ORDERS_PER_ACCOUNT, account.id)]
        if len(identifier.value) > NUMBER_LIMIT:
            limits.append((rates.LISTS_PER_ADDRESS, address))
        records = AcmeRecords(self.store)
        with self.store.transaction():  # of its own: what is refused counts too
            if not records.keep_account(account, now + RETENTION):
                raise AcmeError("accountDoesNotExist", "the account was forgotten just now: ask newAccount for another")
            self.store.prune(now)
            records.prune(now)
            rates.admit(self.store, limits, now)
        with self.store.transaction():
            check_identifier(self.store, self.issuer, identifier, now)
            return records.open_order(account, identifier.value, now)

    def order(self, name: str, request: SignedRequest, now: int) -> Order:
        """Show an order to its account."""
        request.reading()
        return self.own(name, request.by_account, now)

    def orders(self, request: SignedRequest, account: Account, now: int) -> list[str]:
        """Name an account's orders."""
        request.reading()
        with self.store.transaction():
            return AcmeRecords(self.store).orders(account, now, wire.ORDERS_LIMIT)

    def authorization(self, name: str, request: SignedRequest, now: int) -> Order:
        """Show an authorization to its account, or give it up (RFC 8555 §7.5.2)."""
        if not request.payload:
            return self.own(name, request.by_account, now)
        request.body(wire.AuthorizationUpdate)
        with self.store.transaction():
            order = self._own(name, request.by_account, now).deactivated()
            AcmeRecords(self.store).save_order(order)
        return order

    def answer(self, name: str, request: SignedRequest, now: int) -> Order:
        """Answer a challenge with an authority token, or look at it. One that was answered stays as it is."""
        order = self.own(name, request.by_account, now)
        if not request.payload:
            return order
        tkauth = request.body(wire.ChallengeAnswer).tkauth
        if order.challenge is not ChallengeState.PENDING:
            return order
        if order.authorization is not AuthorizationState.PENDING:
            raise AcmeError("malformed", f"the authorization is {order.authorization.value}: place another order")
        # Outside a transaction: an x5u is fetched.
        outcome = self._verified(tkauth, order, request, now)
        with self.store.transaction():
            order = self._own(name, request.by_account, now)
            if order.challenge is ChallengeState.PENDING:
                order = order.answered(self._spent(outcome, order, now))
                AcmeRecords(self.store).save_order(order)
        return order

    def own(self, name: str, account: Account, now: int) -> Order:
        """An order of the account. Raises AcmeError for any other."""
        with self.store.transaction():
            return self._own(name, account, now)

    def _own(self, name: str, account: Account, now: int) -> Order:
        order = AcmeRecords(self.store).order(name, account, now)
        if order is None:
            raise AcmeError("malformed", "this account has nothing at this address", status=404)
        return order

    def _verified(self, tkauth: str, order: Order, request: SignedRequest, now: int) -> AuthorityToken | wire.Problem:
        try:
            return verify_authority_token(
                tkauth, order.identifier, request.jwk.thumbprint, self.token_issuers(now), now
            )
        except AuthorityTokenError as error:
            word = _PROBLEM_OF_CHECK[error.check]
            detail = f"the authority token was refused: {error} (RFC 9448 §6, check {error.check})"
            return AcmeError(word, detail, identifier=order.about, check=error.check).problem

    def _spent(self, outcome: AuthorityToken | wire.Problem, order: Order, now: int) -> Grant | wire.Problem:
        """A token authorizes one order: whoever sees it later can do nothing with it, not even its owner's account."""
        if isinstance(outcome, wire.Problem):
            return outcome
        if not self.store.spend_proof(outcome.name, outcome.expires_at + FUTURE_LIMIT):
            detail = "the authority token was used for another order: ask the token authority for one more"
            return AcmeError("incorrectResponse", detail, identifier=order.about).problem
        issued_at = now if outcome.issued_at is None else outcome.issued_at
        return Grant(outcome.ca, outcome.right, outcome.key, issued_at, now)


def _identifier(asked: wire.NewOrder) -> wire.Identifier:
    if asked.not_before is not None or asked.not_after is not None:
        raise AcmeError("malformed", "how long a certificate lives is decided here: leave notBefore and notAfter out")
    for identifier in asked.identifiers:
        if identifier.type != TN_AUTH_LIST:
            words = f"this server certifies identifiers of type {TN_AUTH_LIST} alone"
            raise AcmeError("unsupportedIdentifier", words, identifier=identifier)
    if len(asked.identifiers) != 1:
        raise AcmeError("malformed", f"an order has one {TN_AUTH_LIST}, which may have several entries")
    return asked.identifiers[0]
