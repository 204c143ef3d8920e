"""A log's folder: `log.key` and `log.sqlite`, both or neither: with a new key, or without its tree, it is another."""

from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.authority.errors import DataFolderError, half_there
from identity.authority.keys import make_key, new_secret, private_folder, read_key
from identity.authority.log.certificate_log import CertificateLog
from identity.authority.log.tree_store import TreeStore

FOLDER = "log"  # inside the folder of an authority that runs its own
KEY, DATABASE = "log.key", "log.sqlite"


def open_log(folder: Path, name: str, roots: Callable[[], Sequence[x509.Certificate]]) -> CertificateLog:
    """Open the log in a folder, or begin one in an empty folder. Raises DataFolderError."""
    private_folder(folder)
    key, database = folder / KEY, folder / DATABASE
    if key.exists() and not database.exists():
        raise half_there(folder, KEY, DATABASE, "begin another log")
    try:
        store = TreeStore.open(database, new_secret())
    except (apsw.Error, OSError) as error:
        raise DataFolderError(f"{database} cannot be opened: {error}") from error
    try:
        return CertificateLog(store, _key(key, store), name, roots)
    except DataFolderError:
        store.close()
        raise


def read_log_key(folder: Path) -> bytes:
    """The public key of the log in a folder, as PEM. Raises DataFolderError."""
    if not (folder / KEY).exists():
        raise DataFolderError(f"{folder} has no log yet; `authority serve` or `authority serve-log` makes one")
    return read_key(folder / KEY).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _key(path: Path, store: TreeStore) -> ec.EllipticCurvePrivateKey:
    """Made after the database: a crash between the two leaves an empty database, which is no loss."""
    if path.exists():
        return read_key(path)
    with store.transaction():
        if store.size:
            raise half_there(path.parent, DATABASE, KEY, "begin another log")
    return make_key(path)
