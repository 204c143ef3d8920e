"""Blobs in SQLite: piece by piece, so that no transaction keeps the appends of others waiting for a whole one."""

from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.storage.store import NewBlob, StoredBlob

CHUNK = 4  # blobs deleted in one transaction


def add_piece(db: apsw.Connection, name: bytes, position: int, octets: bytes, now: int) -> None:
    """Begins a blob at position 0, and adds a piece to it."""
    if position == 0:
        db.execute("INSERT INTO blobs (name, at, size) VALUES (?, ?, 0)", (name, now))
    db.execute(
        "INSERT INTO blob_pieces SELECT number, ?, ? FROM blobs WHERE name = ? AND key IS NULL",
        (position, octets, name),
    )


def finish(db: apsw.Connection, blob: NewBlob) -> StoredBlob:
    """Makes a blob readable, or finds the one that came under the same key before."""
    earlier: Any = db.execute("SELECT name, size, at, digest FROM blobs WHERE key = ?", (blob.key,)).get
    if earlier is None:
        db.execute(
            "UPDATE blobs SET key = ?, digest = ?, size = ? WHERE name = ?",
            (blob.key, blob.digest, blob.size, blob.name),
        )
        return stored(db, blob.name)
    *first, digest = earlier
    if digest != blob.digest:
        raise RefusedError("malformed", "the idempotency key was used for another body")
    drop(db, blob.name)
    return StoredBlob(*first)


def drop(db: apsw.Connection, name: bytes) -> None:
    """Deletes a blob that is not finished; a finished one stays."""
    number: Any = db.execute("SELECT number FROM blobs WHERE name = ? AND key IS NULL", (name,)).get
    if number is not None:
        _delete(db, [number])


def drop_unfinished(db: apsw.Connection) -> None:
    """Deletes what was arriving when the service ended."""
    _delete(db, [row[0] for row in db.execute("SELECT number FROM blobs WHERE key IS NULL").fetchall()])


def stored(db: apsw.Connection, name: bytes) -> StoredBlob:
    """A finished blob."""
    row: Any = db.execute("SELECT name, size, at FROM blobs WHERE name = ? AND key IS NOT NULL", (name,)).get
    if row is None:
        raise _unknown()
    return StoredBlob(*row)


def piece(db: apsw.Connection, name: bytes, position: int) -> bytes:
    """One piece of a blob."""
    octets: Any = db.execute(
        "SELECT octets FROM blob_pieces JOIN blobs ON number = blob WHERE name = ? AND position = ?", (name, position)
    ).get
    if octets is None:
        raise _unknown()
    return bytes(octets)


def expire(db: apsw.Connection, cutoff: int) -> int:
    """Deletes the oldest blobs, at most a chunk; returns how many."""
    old = db.execute("SELECT number FROM blobs WHERE at < ? ORDER BY at LIMIT ?", (cutoff, CHUNK)).fetchall()
    _delete(db, [row[0] for row in old])
    return len(old)


def _delete(db: apsw.Connection, numbers: list[Any]) -> None:
    for number in numbers:
        db.execute("DELETE FROM blob_pieces WHERE blob = ?", (number,))
        db.execute("DELETE FROM blobs WHERE number = ?", (number,))


def _unknown() -> RefusedError:
    return RefusedError("unknown-blob", "there is no such blob: blobs are deleted after their time (RETENTION)")
