"""The account: one device of one number, with its key, its certificate chain and the services that it uses."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.acme_account import AcmeAccount, load_acme_account, save_acme_account
from client.credentials.enrolling_keys import forget_keys
from client.credentials.own_entries import keep_own_entry
from client.credentials.renewal import renewal_at
from client.errors import AccountExistsError, NotEnrolledError
from client.storage.store import Store
from identity.certificate_fields import certificate_attributes, validity
from identity.certificates import public_point
from identity.number import TelephoneNumber

SCALAR_SIZE = 32  # octets of a P-256 private key


@dataclass(frozen=True, slots=True)
class Account:
    """What enrolment gave this device. `chain`: DER, leaf first, without the root; `anchors`: PEM.

    `acme` is None in an account that an earlier version enrolled and that was not renewed since.
    """

    number: TelephoneNumber
    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    authority: str
    delivery: str
    host: str
    anchors: bytes
    acme: AcmeAccount | None = None

    @property
    def x5u_base(self) -> str:
        """The base address below which this device's certificates are published."""
        return (self.acme.published if self.acme else "") or self.authority

    def scalar(self) -> bytearray:
        """The private key as the MLS engine takes it; the engine wipes it."""
        return bytearray(self.key.private_numbers().private_value.to_bytes(SCALAR_SIZE))

    def point(self) -> bytes:
        """The device's public key, an uncompressed point."""
        return public_point(self.key.public_key())

    def with_chain(self, chain: Sequence[bytes], acme: AcmeAccount | None = None) -> "Account":
        """The same device after a renewal, and what is known of its account at the authority since."""
        return replace(self, chain=tuple(chain), acme=acme or self.acme)

    def validity(self) -> tuple[int, int]:
        """The first and last second of the certificate."""
        return validity(x509.load_der_x509_certificate(self.chain[0]))

    def sends_messages(self) -> bool:
        """Whether the certificate lets the number send messages: its holder can declare that it sends none."""
        declared = certificate_attributes(x509.load_der_x509_certificate(self.chain[0]))
        return declared is None or not declared.do_not_originate_messaging

    def renewal_due(self, now: int) -> bool:
        """Whether the moment is past that was drawn for this device (client.credentials.renewal)."""
        return now >= renewal_at(*self.validity(), self.point())


def save_account(store: Store, account: Account) -> None:
    """Store a new account. Raises AccountExistsError if there is one."""
    with store.transaction():
        if store.row("SELECT 1 FROM account") is not None:
            raise AccountExistsError("this folder holds an account already")
        store.execute(
            "INSERT INTO account (id, number, signing_key, chain, authority, delivery, host, anchors) "
            "VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            account.number.e164,
            bytes(account.scalar()),
            msgspec.msgpack.encode(account.chain),
            account.authority,
            account.delivery,
            account.host,
            account.anchors,
        )
        if account.acme is not None:
            save_acme_account(store, account.acme)
        forget_keys(store)
        _keep_certificate(store, account.chain)


def load_account(store: Store) -> Account:
    """Read the account. Raises NotEnrolledError if there is none."""
    row = store.row("SELECT number, signing_key, chain, authority, delivery, host, anchors FROM account WHERE id = 1")
    if row is None:
        raise NotEnrolledError("there is no account in this folder")
    number, scalar, chain, authority, delivery, host, anchors = row
    return Account(
        TelephoneNumber.from_digits(number[1:]),
        ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1()),
        msgspec.msgpack.decode(chain, type=tuple[bytes, ...]),
        authority,
        delivery,
        host,
        anchors,
        load_acme_account(store),
    )


def save_chain(store: Store, chain: Sequence[bytes]) -> None:
    """Replace the chain after a renewal."""
    store.execute("UPDATE account SET chain = ?", msgspec.msgpack.encode(tuple(chain)))
    _keep_certificate(store, chain)


def _keep_certificate(store: Store, chain: Sequence[bytes]) -> None:
    # What the authority lists for this number beside these was asked for by somebody else (client.defence.watch).
    store.execute("INSERT OR IGNORE INTO own_certificate VALUES (?)", hashlib.sha256(chain[0]).digest())
    keep_own_entry(store, chain)


def inbox_cursor(store: Store) -> int:
    """The position of the last Welcome that was dealt with."""
    row = store.row("SELECT inbox FROM account")
    return 0 if row is None else int(row[0])


def advance_inbox(store: Store, position: int) -> None:
    """Note that every Welcome up to `position` was dealt with."""
    store.execute("UPDATE account SET inbox = max(inbox, ?)", position)
