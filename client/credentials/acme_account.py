"""This device's account at a certification authority (RFC 8555 §7.1.2): its key, its name there, and both addresses."""

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec

from client.store import Store

DIRECTORY_PATH = "/acme/directory"  # below an authority's base address, where nothing else is named
SCALAR_SIZE = 32  # octets of a P-256 private key


@dataclass(frozen=True, slots=True)
class AcmeAccount:
    """`key` signs requests and is never certified (RFC 8555 §11.1); `url` names the account, "" before it is known.

    `token_authority`: the base address of who proves numbers, "" where it is the one that the authority names.
    `published`: the base address below which the authority publishes certificates, "" for the authority's own.
    """

    directory: str
    key: ec.EllipticCurvePrivateKey
    token_authority: str = ""
    url: str = ""
    published: str = ""

    def named(self, url: str) -> "AcmeAccount":
        """The same account by the name that the server gave it."""
        return replace(self, url=url)


def new_account(authority: str, directory: str = "", token_authority: str = "") -> AcmeAccount:
    """An account with a fresh key, at the authority's own directory where no other is named."""
    where = directory or authority.rstrip("/") + DIRECTORY_PATH
    return AcmeAccount(where, ec.generate_private_key(ec.SECP256R1()), token_authority.rstrip("/"))


def save_acme_account(store: Store, account: AcmeAccount) -> None:
    """Keep the account; there is one at a time."""
    store.execute(
        "INSERT OR REPLACE INTO acme_account (id, directory, token_authority, url, published, signing_key) "
        "VALUES (1, ?, ?, ?, ?, ?)",
        account.directory,
        account.token_authority,
        account.url,
        account.published,
        account.key.private_numbers().private_value.to_bytes(SCALAR_SIZE),
    )


def load_acme_account(store: Store) -> AcmeAccount | None:
    """The account that is kept, if there is one."""
    row = store.row("SELECT directory, token_authority, url, published, signing_key FROM acme_account WHERE id = 1")
    if row is None:
        return None
    directory, token_authority, url, published, scalar = row
    key = ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())
    return AcmeAccount(directory, key, token_authority, url, published)
