"""The authority's keys on disk: made once, all or none, private, and checked before every use."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from identity.authority.errors import DataFolderError

KEY_FOLDER = "keys"
ROOT_KEY, ROOTS, ISSUER_KEY, ISSUER, SECRET = "root.key", "roots.pem", "issuer.key", "issuer.pem", "codes.secret"
ABOVE = "above.pem"  # in the place of root.key: the issuers between this one and its root
SECRET_LENGTH = 32  # octets

_NEW_FOLDER = ".new-keys"


@dataclass(frozen=True, slots=True)
class AuthorityKeys:
    """Root and issuer with their certificates (newest root first), and the secret that keys the store's hashes."""

    root_key: ec.EllipticCurvePrivateKey
    roots: tuple[x509.Certificate, ...]
    issuer_key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate
    secret: bytes

    @property
    def above(self) -> tuple[x509.Certificate, ...]:
        """The issuers between this one and its root: none."""
        return ()


@dataclass(frozen=True, slots=True)
class DelegatedKeys:
    """The key of an issuer below another (RFC 9060), the issuers `above` it, lowest first, and their root."""

    roots: tuple[x509.Certificate, ...]
    above: tuple[x509.Certificate, ...]
    issuer_key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate
    secret: bytes


def private_folder(path: Path) -> Path:
    """Make the folder with mode 0700, or check that it is ours and closed to others. Raises DataFolderError."""
    with _explained(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path)
    return path


def have_keys(folder: Path) -> bool:
    """Say whether the keys were ever made here."""
    return (folder / KEY_FOLDER).exists()


def write_keys(folder: Path, keys: AuthorityKeys | DelegatedKeys) -> None:
    """Write all key files and then, in one step, give them their place; a crash before that leaves none."""
    new = folder / _NEW_FOLDER
    with _explained(new):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        for name, content in _contents(keys).items():
            _write(new / name, content)
        _sync(new)
        new.rename(folder / KEY_FOLDER)
        _sync(folder)


def is_delegated(folder: Path) -> bool:
    """Say whether the keys here are those of an authority below another."""
    return (folder / KEY_FOLDER / ABOVE).exists()


def read_delegated_keys(folder: Path) -> DelegatedKeys:
    """Read the keys of an authority below another, checked as `read_keys` does. Raises DataFolderError."""
    keys = folder / KEY_FOLDER
    roots, above, issuer_key, issuer, secret = _contents_of(keys, (ROOTS, ABOVE, ISSUER_KEY, ISSUER, SECRET))
    found = DelegatedKeys(
        tuple(_certificates(keys / ROOTS, roots)),
        tuple(_certificates(keys / ABOVE, above)) if above else (),
        _private_key(keys / ISSUER_KEY, issuer_key),
        _certificates(keys / ISSUER, issuer)[0],
        secret,
    )
    _check_pairs(keys, found)
    return found


def read_keys(folder: Path) -> AuthorityKeys:
    """Read the keys after checking that all are there, private and matching. Raises DataFolderError."""
    keys = folder / KEY_FOLDER
    root_key, roots, issuer_key, issuer, secret = _contents_of(keys, (ROOT_KEY, ROOTS, ISSUER_KEY, ISSUER, SECRET))
    found = AuthorityKeys(
        _private_key(keys / ROOT_KEY, root_key),
        tuple(_certificates(keys / ROOTS, roots)),
        _private_key(keys / ISSUER_KEY, issuer_key),
        _certificates(keys / ISSUER, issuer)[0],
        secret,
    )
    _check_pairs(keys, found)
    return found


def make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a key that stands alone, in a file that is not there yet. Raises DataFolderError."""
    key = ec.generate_private_key(ec.SECP256R1())
    temporary = path.with_name(f".new-{path.name}")
    with _explained(path):
        temporary.unlink(missing_ok=True)
        _write(temporary, _key_pem(key))
        temporary.rename(path)
        _sync(path.parent)
    return key


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a key that stands alone, after checking that it is private. Raises DataFolderError."""
    with _explained(path):
        _check_private(path)
        return _private_key(path, path.read_bytes())


def replace_certificates(folder: Path, name: str, certificates: tuple[x509.Certificate, ...]) -> None:
    """Exchange one certificate file for a newer one, atomically; the keys stay."""
    keys = folder / KEY_FOLDER
    with _explained(keys / name):
        temporary = keys / f".new-{name}"
        temporary.unlink(missing_ok=True)
        _write(temporary, certificates_pem(certificates))
        temporary.rename(keys / name)
        _sync(keys)


def replace_delegated_certificates(folder: Path, keys: DelegatedKeys) -> None:
    """Exchange the certificates of an authority below another for the next ones; the key stays.

    The issuer's own comes last: what a crash leaves is the old one, beside a root and issuers that may be newer.
    """
    for name, certificates in ((ROOTS, keys.roots), (ABOVE, keys.above), (ISSUER, (keys.issuer,))):
        replace_certificates(folder, name, certificates)


def certificates_pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    """Join certificates to one PEM text."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def new_secret() -> bytes:
    """Draw the secret that keys the store's hashes."""
    return secrets.token_bytes(SECRET_LENGTH)


def _contents_of(keys: Path, names: tuple[str, ...]) -> list[bytes]:
    with _explained(keys):
        _check_private(keys)
        files = [keys / name for name in names]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            advice = "restore them from a backup, or move the folder away to start a new authority"
            raise DataFolderError(f"{keys}: {', '.join(missing)} missing; {advice}")
        for file in files:
            _check_private(file)
        return [file.read_bytes() for file in files]


def _contents(keys: AuthorityKeys | DelegatedKeys) -> dict[str, bytes]:
    own = (
        {ROOT_KEY: _key_pem(keys.root_key)}
        if isinstance(keys, AuthorityKeys)
        else {ABOVE: certificates_pem(keys.above)}
    )
    return own | {
        ROOTS: certificates_pem(keys.roots),
        ISSUER_KEY: _key_pem(keys.issuer_key),
        ISSUER: certificates_pem((keys.issuer,)),
        SECRET: keys.secret,
    }


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private_key(path: Path, pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise DataFolderError(f"{path} is not an unencrypted PEM private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DataFolderError(f"{path} is not a P-256 key")
    return key


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise DataFolderError(f"{path} holds no PEM certificate") from error


def _check_pairs(folder: Path, keys: AuthorityKeys | DelegatedKeys) -> None:
    roots = [(keys.root_key, root, ROOTS) for root in keys.roots] if isinstance(keys, AuthorityKeys) else []
    for key, certificate, name in (*roots, (keys.issuer_key, keys.issuer, ISSUER)):
        if _spki(key.public_key()) != certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ):
            raise DataFolderError(f"{folder / name} does not belong to the key beside it")
    if len(keys.secret) != SECRET_LENGTH:
        raise DataFolderError(f"{folder / SECRET} does not have {SECRET_LENGTH} octets")


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_private(path: Path) -> None:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        raise DataFolderError(f"{path} belongs to another user")
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        raise DataFolderError(f"{path} is open to other users (mode {mode:o}); run: chmod {wanted} {path}")


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataFolderError(f"{error.filename or path}: {error.strerror or error}") from error
