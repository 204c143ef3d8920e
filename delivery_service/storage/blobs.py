"""Blobs: piece by piece, so that no transaction keeps the appends of others waiting for a whole one."""

from typing import Any

from delivery_service.errors import RefusedError
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import NewBlob, StoredBlob

CHUNK = 4  # blobs deleted in one transaction

_ADD = """
INSERT INTO blob_pieces (blob, position, octets)
SELECT number, :position, :octets FROM blobs WHERE name = :name AND key IS NULL
"""
_PIECE = "SELECT octets FROM blob_pieces JOIN blobs ON number = blob WHERE name = :name AND position = :position"
_FINISH = "UPDATE blobs SET key = :key, digest = :digest, size = :size WHERE name = :name"


def add_piece(tx: Transaction, name: bytes, position: int, octets: bytes, now: int) -> None:
    """Begins a blob at position 0, and adds a piece to it."""
    if position == 0:
        tx.run("INSERT INTO blobs (name, at, size) VALUES (:name, :now, 0)", name=name, now=now)
    tx.run(_ADD, position=position, octets=octets, name=name)


def finish(tx: Transaction, blob: NewBlob) -> StoredBlob:
    """Makes a blob readable, or finds the one that came under the same key before."""
    earlier = tx.row("SELECT name, size, at, digest FROM blobs WHERE key = :key", key=blob.key)
    if earlier is None:
        tx.run(_FINISH, key=blob.key, digest=blob.digest, size=blob.size, name=blob.name)
        return stored(tx, blob.name)
    *first, digest = earlier
    if digest != blob.digest:
        raise RefusedError("malformed", "the idempotency key was used for another body")
    drop(tx, blob.name)
    return StoredBlob(*first)


def drop(tx: Transaction, name: bytes) -> None:
    """Deletes a blob that is not finished; a finished one stays."""
    _delete(tx, tx.rows("SELECT number FROM blobs WHERE name = :name AND key IS NULL", name=name))


def drop_unfinished(tx: Transaction) -> None:
    """Deletes what was arriving when the service ended."""
    _delete(tx, tx.rows("SELECT number FROM blobs WHERE key IS NULL"))


def stored(tx: Transaction, name: bytes) -> StoredBlob:
    """A finished blob."""
    row = tx.row("SELECT name, size, at FROM blobs WHERE name = :name AND key IS NOT NULL", name=name)
    if row is None:
        raise _unknown()
    return StoredBlob(*row)


def piece(tx: Transaction, name: bytes, position: int) -> bytes:
    """One piece of a blob."""
    octets = tx.value(_PIECE, name=name, position=position)
    if octets is None:
        raise _unknown()
    return bytes(octets)


def expire(tx: Transaction, cutoff: int) -> int:
    """Deletes the oldest blobs, at most a chunk; returns how many."""
    old = tx.rows("SELECT number FROM blobs WHERE at < :cutoff ORDER BY at LIMIT :chunk", cutoff=cutoff, chunk=CHUNK)
    _delete(tx, old)
    return len(old)


def _delete(tx: Transaction, rows: list[tuple[Any, ...]]) -> None:
    for (number,) in rows:
        tx.run("DELETE FROM blob_pieces WHERE blob = :number", number=number)
        tx.run("DELETE FROM blobs WHERE number = :number", number=number)


def _unknown() -> RefusedError:
    return RefusedError("unknown-blob", "there is no such blob: blobs are deleted after their time (RETENTION)")
