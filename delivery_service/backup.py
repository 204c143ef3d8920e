"""Backup of a data folder while it is served, and its restore.

A backup is a folder: the database as of one moment, the service's keys, the blobs, and last `backup.json`, without
which it is no backup. A restored service has forgotten what it took since; it says so to everybody
(storage/operation.py).
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from delivery_service.errors import StartError
from delivery_service.service import BLOBS_FOLDER
from delivery_service.storage.encryption import encrypt, open_database
from delivery_service.storage.operation import note_restored
from delivery_service.storage.sqlite import DATABASE_FILE, SCHEMA_VERSION, folder_lock, upgrade
from delivery_service.storage.transaction import SqliteTransaction

LABEL = "backup.json"
KEYS = "*.key"
_SERVED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


class Label(msgspec.Struct, frozen=True):
    """What a backup says of itself: when it was taken, the schema, and the SHA-256 of its database."""

    at: int
    schema: int
    database: str


def back_up(folder: Path, target: Path, now: int, key: bytes | None = None) -> Label:
    """Copies what is in a data folder, also while it is served. Raises StartError; then there is no backup.

    `key`: of an encrypted database; the copy has the same.
    """
    if not (folder / DATABASE_FILE).exists():
        raise StartError(f"there is no database in {folder}: name the service's --data-dir")
    with _explained(f"the backup could not be written to {target}"):
        if target.exists() and any(target.iterdir()):
            raise StartError(f"{target} is not empty: name a new folder for each backup")
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _emptied_on_failure(target):
            _copy_database(folder / DATABASE_FILE, target / DATABASE_FILE, key)
            for file in folder.glob(KEYS):
                _copy(file, target / file.name)
            _copy_blobs(folder / BLOBS_FOLDER, target / BLOBS_FOLDER)
            label = Label(now, _checked(target / DATABASE_FILE, key), _digest(target / DATABASE_FILE))
            _write(target / LABEL, msgspec.json.encode(label))
    return label


def restore(source: Path, folder: Path, key: bytes | None = None) -> tuple[Label, int]:
    """Makes a data folder of a backup, and the number of its groups. Raises StartError; then there is no database."""
    with _explained(f"the backup could not be restored to {folder}"):
        label = _label(source)
        if (folder / DATABASE_FILE).exists():
            raise StartError(f"{folder} has a database: move it away first, it may have what the backup has not")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder_lock(folder), tempfile.TemporaryDirectory(dir=folder, prefix="restoring-") as arriving:
            database = Path(arriving) / DATABASE_FILE
            _copy(source / DATABASE_FILE, database)
            if _digest(database) != label.database:
                raise StartError(f"the database in {source} is not the one that was backed up: use another backup")
            _checked(database, key)
            groups = _continue(database, key)
            for file in source.glob(KEYS):
                _copy(file, folder / file.name)
            _copy_blobs(source / BLOBS_FOLDER, folder / BLOBS_FOLDER)
            os.replace(database, folder / DATABASE_FILE)
            _synchronise(folder)
    return label, groups


def encrypt_folder(folder: Path, key: bytes) -> None:
    """Encrypts the database of a data folder in which no service runs. Raises StartError."""
    if not (folder / DATABASE_FILE).exists():
        raise StartError(f"there is no database in {folder}: a new one is encrypted from its start")
    with _explained(f"the database in {folder} could not be encrypted"), folder_lock(folder):
        encrypt(str(folder / DATABASE_FILE), key)


def mark_restored(url: str) -> int:
    """Lets a PostgreSQL database that was restored by its own tools continue, and returns the number of its groups.

    Raises StartError.
    """
    import psycopg  # which alone takes a quarter of the time in which a service starts

    from delivery_service.storage.database import connect, place
    from delivery_service.storage.postgresql_link import APPLICATION
    from delivery_service.storage.postgresql_works import PostgresqlTransaction

    with connect(url, autocommit=True) as connection:
        if connection.execute(_SERVED, [APPLICATION]).fetchone() != (0,):
            raise StartError("a replica of the service uses this database: stop all of them first")
        transaction = PostgresqlTransaction()
        transaction.on(connection)
        try:
            with connection.transaction():
                return note_restored(transaction)
        except psycopg.Error as error:
            raise StartError(f"the database {place(url)} is not a restored one of this release: {error}") from error


@contextlib.contextmanager
def _emptied_on_failure(target: Path) -> Iterator[None]:
    """What was begun in a folder that was empty goes, so that the same command can be given again."""
    try:
        yield
    except (StartError, OSError, apsw.Error):
        for begun in target.iterdir():
            shutil.rmtree(begun, ignore_errors=True) if begun.is_dir() else begun.unlink(missing_ok=True)
        raise


def _label(source: Path) -> Label:
    try:
        return msgspec.json.decode((source / LABEL).read_bytes(), type=Label)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError) as error:
        raise StartError(f"{source} is no backup, or one that was not finished: it has no {LABEL}") from error


def _copy_database(source: Path, target: Path, key: bytes | None) -> None:
    """One snapshot: in a write-ahead log, readers and writers do not wait for each other."""
    with contextlib.closing(open_database(str(target), key)) as copy:
        opened = open_database(str(source), key, apsw.SQLITE_OPEN_READWRITE)
        with contextlib.closing(opened) as database, copy.backup("main", database, "main") as backup:
            backup.step(-1)
        copy.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)
    _synchronise(target)


def _checked(database: Path, key: bytes | None) -> int:
    """The schema of a database that is whole. Raises StartError."""
    with contextlib.closing(open_database(str(database), key)) as db:
        version = int(db.execute("PRAGMA user_version").get)
        if version not in range(1, SCHEMA_VERSION + 1):
            raise StartError(f"the database has schema {version}, this service knows {SCHEMA_VERSION}")
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise StartError(f"the database is damaged ({found[0]}): use another backup")
    return version


def _continue(database: Path, key: bytes | None) -> int:
    with contextlib.closing(open_database(str(database), key)) as db:
        db.execute("PRAGMA synchronous = FULL")
        upgrade(db)
        db.execute("BEGIN IMMEDIATE")
        groups = note_restored(SqliteTransaction(db))
        db.execute("COMMIT")
    _synchronise(database)
    return groups


def _copy_blobs(source: Path, target: Path) -> None:
    """Whole blobs never change, so that a second name for each is a copy; where that cannot be, its octets."""
    if not source.is_dir():
        return
    for blob in (each for each in source.glob("??/*") if not each.suffix):
        place = target / blob.parent.name / blob.name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # it has expired meanwhile
            try:
                os.link(blob, place)
            except FileExistsError:
                continue
            except FileNotFoundError:
                raise
            except OSError:
                _copy(blob, place)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o600)
    _synchronise(target)


def _write(target: Path, octets: bytes) -> None:
    target.write_bytes(octets)
    target.chmod(0o600)
    _synchronise(target)
    _synchronise(target.parent)


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path) -> str:
    with file.open("rb") as octets:
        return hashlib.file_digest(octets, "sha256").hexdigest()


@contextlib.contextmanager
def _explained(failure: str) -> Iterator[None]:
    try:
        yield
    except (OSError, apsw.Error) as error:
        raise StartError(f"{failure}: {error}") from error
