"""The data folder: `keys/` and `authority.sqlite`, both or neither."""

from collections.abc import Sequence
from pathlib import Path

import apsw

from identity.authority.errors import DataFolderError, half_there
from identity.authority.issuer import Issuer, create_keys
from identity.authority.keys import (
    KEY_FOLDER,
    AuthorityKeys,
    DelegatedKeys,
    certificates_pem,
    have_keys,
    is_delegated,
    private_folder,
    read_delegated_keys,
    read_keys,
    write_keys,
)
from identity.authority.markings import Markings
from identity.authority.store import AuthorityStore
from identity.prefixes import DEFAULT_PREFIXES, authority_list

DATABASE = "authority.sqlite"


def open_folder(folder: Path, now: int, allow: Sequence[str] | None) -> tuple[AuthorityStore, Issuer]:
    """Open the store and the issuer, made anew in an empty folder. Raises DataFolderError, NumberError."""
    authority = None if allow is None else authority_list(allow)
    private_folder(folder)
    store = _existing_store(folder) if have_keys(folder) else _first_run(folder, now, allow or DEFAULT_PREFIXES)
    return store, Issuer(_keys(folder), now, authority=authority, folder=folder, declared=Markings(store).read)


def _keys(folder: Path) -> AuthorityKeys | DelegatedKeys:
    return read_delegated_keys(folder) if is_delegated(folder) else read_keys(folder)


def _existing_store(folder: Path) -> AuthorityStore:
    if not (folder / DATABASE).exists():
        raise half_there(folder, KEY_FOLDER, DATABASE, "start a new authority")
    return _store(folder / DATABASE, _keys(folder).secret)


def _first_run(folder: Path, now: int, prefixes: Sequence[str]) -> AuthorityStore:
    return _begun(folder, create_keys(now, prefixes))


def adopt_keys(folder: Path, keys: DelegatedKeys) -> None:
    """Begin an authority below another in a folder that has none. Raises DataFolderError."""
    _begun(folder, keys).close()


def _begun(folder: Path, keys: AuthorityKeys | DelegatedKeys) -> AuthorityStore:
    """Make the database before the keys: a crash between the two leaves an empty database, which is no loss."""
    store = _store(folder / DATABASE, keys.secret)
    if store.has_issued():
        store.close()
        raise half_there(folder, DATABASE, KEY_FOLDER, "start a new authority")
    write_keys(folder, keys)
    return store


def _store(database: Path, secret: bytes) -> AuthorityStore:
    try:
        return AuthorityStore.open(database, secret)
    except (apsw.Error, OSError) as error:
        raise DataFolderError(f"{database} cannot be opened: {error}") from error


def open_store(folder: Path) -> AuthorityStore:
    """Open the database of an authority that exists, beside one that may be running. Raises DataFolderError."""
    if not have_keys(folder):
        raise DataFolderError(f"{folder} has no authority yet; `authority serve` makes one")
    return _existing_store(folder)


def read_anchors(folder: Path) -> bytes:
    """Read the roots of an authority that exists, as PEM. Raises DataFolderError."""
    if not have_keys(folder):
        raise DataFolderError(f"{folder} has no authority yet; `authority serve` makes one")
    return certificates_pem(_keys(folder).roots)
