"""This device's account at a certification authority (RFC 8555 §7.1.2): its key, its name there, and both addresses."""

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec

from client.storage.store import Store
from identity.authority.acme.wire import DIRECTORY_PATH

SCALAR_SIZE = 32  # octets of a P-256 private key


@dataclass(frozen=True, slots=True)
class AcmeAccount:
    """`key` signs requests and is never certified (RFC 8555 §11.1); `url` names the account, "" before it is known.

    `token_authority`: the base address of who proves numbers, "" where it is the one that the authority names.
    `published`: the base address below which the authority publishes certificates, "" for the authority's own.
    `accepts_terms`: whether the account's owner agreed to the terms of service that the authority names, if any.
    """

    directory: str
    key: ec.EllipticCurvePrivateKey
    token_authority: str = ""
    url: str = ""
    published: str = ""
    accepts_terms: bool = False

    def named(self, url: str) -> "AcmeAccount":
        """The same account by the name that the server gave it."""
        return replace(self, url=url)


@dataclass(frozen=True, slots=True)
class Certifier:
    """Who is to certify a number, where a person says more than the authority's address; "" is what that one says."""

    directory: str = ""
    token_authority: str = ""
    accepts_terms: bool = False


def new_acme_account(
    authority: str, key: ec.EllipticCurvePrivateKey | None = None, certifier: Certifier | None = None
) -> AcmeAccount:
    """An account that is registered when it is first used, at the authority's own directory or the certifier's."""
    chosen, own = certifier or Certifier(), key or ec.generate_private_key(ec.SECP256R1())
    directory = chosen.directory or authority.rstrip("/") + DIRECTORY_PATH
    return AcmeAccount(directory, own, chosen.token_authority.rstrip("/"), accepts_terms=chosen.accepts_terms)


def save_acme_account(store: Store, account: AcmeAccount) -> None:
    """Keep the account; there is one at a time."""
    store.execute(
        "INSERT OR REPLACE INTO acme_account "
        "(id, directory, token_authority, url, published, accepts_terms, signing_key) VALUES (1, ?, ?, ?, ?, ?, ?)",
        account.directory,
        account.token_authority,
        account.url,
        account.published,
        account.accepts_terms,
        account.key.private_numbers().private_value.to_bytes(SCALAR_SIZE),
    )


def load_acme_account(store: Store) -> AcmeAccount | None:
    """The account that is kept, if there is one."""
    row = store.row(
        "SELECT signing_key, directory, token_authority, url, published, accepts_terms FROM acme_account WHERE id = 1"
    )
    if row is None:
        return None
    scalar, directory, token_authority, url, published, accepts_terms = row
    key = ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())
    return AcmeAccount(directory, key, token_authority, url, published, bool(accepts_terms))
