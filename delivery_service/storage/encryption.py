"""The embedded database as ciphertext: ChaCha20-Poly1305 for each page (SQLite3 Multiple Ciphers), under a key file.

Its write-ahead log is encrypted too, and nothing temporary is written. Keys and blobs of the folder are not part of it.
"""

import stat
from pathlib import Path

import apsw

from delivery_service.errors import StartError

KEY_SIZE = 32  # octets of a key file
_CIPHER = "chacha20"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_key_file(file: Path) -> bytes:
    """The key in a file that only its owner can read. Raises StartError."""
    try:
        with file.open("rb") as opened:
            key, mode = opened.read(KEY_SIZE + 1), file.stat().st_mode
    except OSError as error:
        raise StartError(f"the key file cannot be read: {error}; make one: {_make(file)}") from error
    if len(key) != KEY_SIZE:
        raise StartError(f"{file} is no key: it needs {KEY_SIZE} random octets; make one: {_make(file)}")
    if mode & _OTHERS:
        raise StartError(f"others can read {file}: chmod 600 {file}")
    return key


def _make(file: Path) -> str:
    return f"(umask 077; head -c {KEY_SIZE} /dev/urandom > {file})"


def open_database(
    name: str, key: bytes | None, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
) -> apsw.Connection:
    """A connection to a database that has this key, or none. Raises StartError for one that has not."""
    db = apsw.Connection(name, flags=flags)
    if key is not None:
        db.pragma("cipher", _CIPHER)
        db.pragma("key", _raw(key))
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.NotADBError as error:
        db.close()
        what = "encrypted, or damaged: give its key with --encrypt-with"
        if key is not None:
            what = "not encrypted with this key: give the right one, or encrypt the database first"
        raise StartError(f"{name} is {what}") from error
    return db


def encrypt(name: str, key: bytes) -> None:
    """Encrypts a database where it is; no service may use it. Raises StartError if it is encrypted already."""
    try:
        db = open_database(name, None)
    except StartError as error:
        raise StartError(f"{name} is encrypted already, or damaged: nothing was changed") from error
    try:
        db.pragma("journal_mode", "delete")  # the log has whole pages as they were
        db.pragma("cipher", _CIPHER)
        db.pragma("rekey", _raw(key))
        db.pragma("journal_mode", "wal")
    finally:
        db.close()


def _raw(key: bytes) -> str:
    return f"raw:{key.hex()}"
