"""Signed requests (RFC 8555 §6.2 to §6.5): who asks, checked before anything is done."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from identity.authority.acme.addresses import Addresses
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.nonces import Nonces
from identity.authority.acme.records import Account, AcmeRecords, check_valid
from identity.authority.store import AuthorityStore
from identity.enrolment.acme_jws import (
    ALGORITHM,
    JWK,
    FlattenedJWS,
    ProtectedHeader,
    read_jwk,
    read_request,
    verify_request,
)
from identity.errors import JWSError

Body = TypeVar("Body", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A verified request: its payload, the key that signed it, and the account if it was named by `kid`."""

    payload: bytes
    jwk: JWK
    account: Account | None

    def body(self, shape: type[Body]) -> Body:
        """Read the payload. Raises AcmeError."""
        try:
            return msgspec.json.decode(self.payload, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AcmeError("malformed", str(error)) from error

    def reading(self) -> None:
        """Raise AcmeError unless this is POST-as-GET (RFC 8555 §6.3)."""
        if self.payload:
            raise AcmeError("malformed", "this is read with an empty payload (POST-as-GET)")

    @property
    def by_account(self) -> Account:
        """Who asks, where only accounts may. Raises AcmeError."""
        if self.account is None:
            raise AcmeError("malformed", "name the account by kid")
        return self.account


class Requests:
    """Verifies requests against the accounts on record and the nonces that were drawn."""

    def __init__(self, store: AuthorityStore, addresses: Addresses) -> None:
        self._store = store
        self._records = AcmeRecords(store)
        self._addresses = addresses
        self.nonces = Nonces()

    def verify(self, body: bytes, url: str) -> SignedRequest:
        """Verify a request to `url`. Raises AcmeError.

        1. a flattened JWS, all of its header protected    4. exactly one of jwk and kid; kid: a valid account's
        2. signed with ES256                               5. the signature is by that key
        3. signed for this address                         6. its nonce was drawn here and is used once
        """
        signed, header = _read(body)
        _check_header(header, url)
        jwk, account = self._signer(header)
        payload = _verified(signed, jwk)
        if header.nonce is None or not self.nonces.spend(header.nonce):
            raise AcmeError("badNonce", "the nonce was used before, or is not of this server: take a fresh one")
        return SignedRequest(payload, jwk, account)

    def _signer(self, header: ProtectedHeader) -> tuple[JWK, Account | None]:
        if bool(header.jwk) == (header.kid is not None):
            raise AcmeError("malformed", "a request has one of jwk and kid in its header")
        if header.kid is None:
            return _key(bytes(header.jwk)), None
        name = self._addresses.account_name(header.kid)
        with self._store.transaction():
            account = None if name is None else self._records.account(name)
        if account is None:
            raise AcmeError("accountDoesNotExist", "no such account: ask newAccount for it")
        check_valid(account)
        return account.jwk, account


def verify_inner(payload: bytes, url: str) -> SignedRequest:
    """Verify the inner JWS of a key change (RFC 8555 §7.3.5): by its own jwk, for the same URL, without a nonce."""
    signed, header = _read(payload)
    _check_header(header, url)
    if not header.jwk or header.kid is not None or header.nonce is not None:
        raise AcmeError("malformed", "the inner JWS of a key change has a jwk, no kid and no nonce")
    jwk = _key(bytes(header.jwk))
    return SignedRequest(_verified(signed, jwk), jwk, None)


def read_old_key(raw: bytes) -> JWK:
    """The key that a key change takes from an account. Raises AcmeError."""
    return _key(raw)


def _read(body: bytes) -> tuple[FlattenedJWS, ProtectedHeader]:
    try:
        return read_request(body)
    except JWSError as error:
        raise AcmeError("malformed", str(error)) from error


def _check_header(header: ProtectedHeader, url: str) -> None:
    if header.crit is not None:
        raise AcmeError("malformed", "no extension of JWS is known here (crit)")
    if header.alg != ALGORITHM:
        raise AcmeError("badSignatureAlgorithm", f"sign with {ALGORITHM}", algorithms=[ALGORITHM])
    if header.url != url:
        raise AcmeError("unauthorized", "the request is signed for another address than it was sent to")


def _key(raw: bytes) -> JWK:
    try:
        jwk = read_jwk(raw)
        jwk.key()
    except JWSError as error:
        raise AcmeError("badPublicKey", str(error)) from error
    return jwk


def _verified(signed: FlattenedJWS, jwk: JWK) -> bytes:
    try:
        return verify_request(signed, jwk.key())
    except JWSError as error:
        raise AcmeError("malformed", str(error)) from error
