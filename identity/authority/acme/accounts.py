"""Accounts (RFC 8555 §7.3): opened by a key, changed by it, handed over to another key."""

from dataclasses import dataclass, replace

from identity.authority import rates
from identity.authority.acme import wire
from identity.authority.acme.addresses import Addresses
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.records import RETENTION, Account, AcmeRecords, check_valid
from identity.authority.acme.requests import SignedRequest, read_old_key, verify_inner
from identity.authority.store import AuthorityStore


@dataclass(frozen=True, slots=True)
class AccountDesk:
    """Opens, shows and changes accounts; every method may raise AcmeError or RefusedError."""

    store: AuthorityStore
    addresses: Addresses

    def open(self, request: SignedRequest, address: str, now: int) -> tuple[Account, bool]:
        """Find or make the account of the key that signed; says whether it is new."""
        if request.account is not None:
            raise AcmeError("malformed", "newAccount is signed by a key (jwk), not by an account")
        asked = request.body(wire.NewAccount)
        records = AcmeRecords(self.store)
        with self.store.transaction():
            account = records.account_of(request.jwk)
            if account is not None:
                check_valid(account)
                records.keep_account(account, now + RETENTION)
                return account, False
            if asked.only_return_existing:
                raise AcmeError("accountDoesNotExist", "this key has no account")
            self.store.prune(now)
            rates.admit(self.store, ((rates.ACCOUNTS_PER_ADDRESS, address),), now)
            records.prune(now)
            return records.open_account(request.jwk, now), True

    def update(self, name: str, request: SignedRequest) -> Account:
        """Show an account to itself, or deactivate it (RFC 8555 §7.3.6)."""
        account = own_account(name, request)
        if request.payload and request.body(wire.AccountUpdate).status is not None:
            with self.store.transaction():
                account = replace(self._still(account), status="deactivated")
                AcmeRecords(self.store).save_account(account)
        return account

    def change_key(self, request: SignedRequest, url: str) -> Account:
        """Hand an account over to the key of the inner JWS (RFC 8555 §7.3.5).

        1. the inner JWS is by its own jwk, for the same URL, without a nonce
        2. it names the account that signed the outer one
        3. it names the key that the account has
        4. no account has the new key
        """
        account = request.by_account
        inner = verify_inner(request.payload, url)
        change = inner.body(wire.KeyChange)
        if change.account != self.addresses.account(account):
            raise AcmeError("malformed", "the inner JWS is for another account")
        if read_old_key(bytes(change.old_key)) != account.jwk:
            raise AcmeError("malformed", "oldKey is not the account's key")
        records = AcmeRecords(self.store)
        with self.store.transaction():
            changed = replace(self._still(account), jwk=inner.jwk)
            other = records.account_of(inner.jwk)
            if other is not None:
                headers = {"location": self.addresses.account(other)}
                raise AcmeError("malformed", "an account has that key already", status=409, headers=headers)
            records.save_account(changed)
        return changed

    def _still(self, account: Account) -> Account:
        """The account, if it is what it was when it signed: two of its requests may come at once. Raises AcmeError."""
        now = AcmeRecords(self.store).account(account.id)
        if now is None or now.jwk != account.jwk:
            raise AcmeError("unauthorized", "the account has another key by now")
        check_valid(now)
        return now


def own_account(name: str, request: SignedRequest) -> Account:
    """The account at an address, which only itself may ask about. Raises AcmeError."""
    account = request.by_account
    if account.id != name:
        raise AcmeError("unauthorized", "that is another account's")
    return account
