"""The token authority's part of the data folder: `tokens/` with its keys and `tokens.sqlite`, both or neither."""

from collections.abc import Iterator
from pathlib import Path

import apsw
from cryptography import x509

from identity.authority.errors import DataFolderError, half_there
from identity.authority.keys import KEY_FOLDER, certificates_pem, have_keys, private_folder, read_keys, write_keys
from identity.authority.store import AuthorityStore
from identity.authority.tokens.signer import TokenSigner, create_token_keys
from identity.authority.tokens.store import TokenStore
from identity.certificate_fields import certificate_tn_auth_list, p256_key
from identity.enrolment.acme_jws import JWK, thumbprint_text
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber

FOLDER = "tokens"
DATABASE = "tokens.sqlite"


def open_token_folder(
    folder: Path, base_url: str, now: int, before: AuthorityStore | None = None
) -> tuple[TokenStore, TokenSigner]:
    """Open the store and the signer below the data folder, made anew at first. Raises DataFolderError.

    `before`: the store of an authority that proved numbers itself; what it proved is taken over once.
    """
    place = private_folder(private_folder(folder) / FOLDER)
    store = _existing_store(place) if have_keys(place) else _first_run(place, now)
    if before is not None:
        take_over(store, before, now)
    return store, TokenSigner(read_keys(place), base_url, now, place)


def open_token_store(folder: Path) -> TokenStore:
    """Open the database of a token authority that exists, beside one that may be running. Raises DataFolderError."""
    place = folder / FOLDER
    if not have_keys(place):
        raise DataFolderError(f"{folder} has no token authority yet; `authority serve-tokens` makes one")
    return _existing_store(place)


def read_token_roots(folder: Path) -> bytes:
    """Read the roots of a token authority that exists, as PEM. Raises DataFolderError."""
    place = folder / FOLDER
    if not have_keys(place):
        raise DataFolderError(f"{folder} has no token authority yet; `authority serve-tokens` makes one")
    return certificates_pem(read_keys(place).roots)


def take_over(tokens: TokenStore, before: AuthorityStore, now: int) -> None:
    """Note for each certified key what its renewals rested on until now."""
    with before.transaction():
        # What was ordered by an account rests on a token, and its proof is known to whoever issued that.
        rows = before.rows("SELECT path, proved_at FROM certificates WHERE account IS NULL")
    with tokens.transaction():
        tokens.take_over(_proofs(rows), now)


def _proofs(rows: list[tuple[str, int]]) -> Iterator[tuple[TelephoneNumber, str, int]]:
    for path, proved_at in rows:
        leaf = x509.load_pem_x509_certificate(path.encode("ascii"))
        numbers = certificate_tn_auth_list(leaf)
        match numbers.entries if numbers else ():
            case (OneNumber(digits),):
                key = thumbprint_text(JWK.of(p256_key(leaf)).thumbprint)
                yield TelephoneNumber.from_digits(digits), key, proved_at


def _existing_store(place: Path) -> TokenStore:
    if not (place / DATABASE).exists():
        raise half_there(place, KEY_FOLDER, DATABASE, "start a new token authority")
    return _store(place / DATABASE, read_keys(place).secret)


def _first_run(place: Path, now: int) -> TokenStore:
    """Make the database before the keys: a crash between the two leaves an empty database, which is no loss."""
    keys = create_token_keys(now)
    store = _store(place / DATABASE, keys.secret)
    if not store.is_new():
        store.close()
        raise half_there(place, DATABASE, KEY_FOLDER, "start a new token authority")
    write_keys(place, keys)
    return store


def _store(database: Path, secret: bytes) -> TokenStore:
    try:
        return TokenStore.open(database, secret)
    except (apsw.Error, OSError) as error:
        raise DataFolderError(f"{database} cannot be opened: {error}") from error
