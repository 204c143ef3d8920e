"""What the database knows of blobs: their names, places and owners, uploads under way, and what is to be deleted.

A row of `blob_leavings` is written in the transaction that gives a place up, and goes once the blob storage has deleted
it: a service that ends in between forgets nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from delivery_service.errors import RefusedError
from delivery_service.storage.transaction import Transaction
from delivery_service.wire.blobs import UPLOADS_OPEN

CHUNK = 64  # blobs or uploads given up in one transaction


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is not finished; `name`: the SHA-256 to come; `owner`: keyed hash of a number; `size`: octets."""

    place: str
    name: bytes
    size: int
    at: int
    owner: bytes
    token: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that may be read; `at` is the second at which it was finished, `size` in octets."""

    name: bytes
    place: str
    size: int
    at: int


_UPLOAD = "SELECT place, name, size, at, owner, token FROM blob_uploads WHERE"


def blob(tx: Transaction, name: bytes) -> StoredBlob | None:
    """A blob that may be read."""
    row = tx.row("SELECT name, place, size, at FROM blobs WHERE name = :name", name=name)
    return None if row is None else StoredBlob(bytes(row[0]), *row[1:])


def open_upload(tx: Transaction, new: Upload, quota: int) -> Upload:
    """Begins an upload, or finds the one that its owner has begun; refuses too-much-stored. `quota` in octets."""
    found = tx.row(
        f"{_UPLOAD} owner = :owner AND name = :name AND size = :size", owner=new.owner, name=new.name, size=new.size
    )
    if found is not None:
        return _upload(found)
    _check_quota(tx, new, quota)
    tx.run(
        "INSERT INTO blob_uploads (place, name, size, at, owner) VALUES (:place, :name, :size, :at, :owner)",
        place=new.place,
        name=new.name,
        size=new.size,
        at=new.at,
        owner=new.owner,
    )
    return new


def begun(tx: Transaction, place: str, token: str) -> str:
    """Notes the blob storage's own name of an upload; returns the first that was noted. Refuses unknown-upload."""
    tx.run("UPDATE blob_uploads SET token = :token WHERE place = :place AND token IS NULL", place=place, token=token)
    noted: str | None = tx.value("SELECT token FROM blob_uploads WHERE place = :place", place=place)
    if noted is None:
        raise unknown_upload()
    return noted


def upload(tx: Transaction, place: str, owner: bytes) -> tuple[Upload, dict[int, str]]:
    """An upload of the owner's with the tags of its pieces; refuses unknown-upload."""
    row = tx.row(f"{_UPLOAD} place = :place AND owner = :owner AND token IS NOT NULL", place=place, owner=owner)
    if row is None:
        raise unknown_upload()
    return _upload(row), pieces(tx, place)


def pieces(tx: Transaction, place: str) -> dict[int, str]:
    """The tags of the pieces that are there."""
    found = tx.rows("SELECT piece, tag FROM blob_pieces WHERE place = :place ORDER BY piece", place=place)
    return dict(found)


def add_piece(tx: Transaction, place: str, piece: int, tag: str) -> None:
    """Notes that a piece is there; refuses unknown-upload."""
    if tx.value("SELECT 1 FROM blob_uploads WHERE place = :place", place=place) is None:
        raise unknown_upload()
    tx.run(
        "INSERT INTO blob_pieces (place, piece, tag) VALUES (:place, :piece, :tag) "
        "ON CONFLICT (place, piece) DO UPDATE SET tag = excluded.tag",
        place=place,
        piece=piece,
        tag=tag,
    )


def finish(tx: Transaction, place: str, at: int) -> StoredBlob:
    """Makes an upload's blob readable; if there is one of that name, these octets go. Refuses unknown-upload."""
    row = tx.row(f"{_UPLOAD} place = :place", place=place)
    if row is None:
        done = tx.row("SELECT name, place, size, at FROM blobs WHERE place = :place", place=place)
        if done is None:
            raise unknown_upload()
        return StoredBlob(bytes(done[0]), *done[1:])
    finished = _upload(row)
    added = tx.run(
        "INSERT INTO blobs (name, place, size, at, owner) VALUES (:name, :place, :size, :at, :owner) "
        "ON CONFLICT (name) DO NOTHING",
        name=finished.name,
        place=place,
        size=finished.size,
        at=at,
        owner=finished.owner,
    )
    _forget_uploads(tx, [place])
    if not added:
        _leave(tx, [place])
    stored = blob(tx, finished.name)
    assert stored is not None, "it was added, or was there"
    return stored


def cancel(tx: Transaction, place: str, owner: bytes) -> None:
    """Gives an upload up; refuses unknown-upload."""
    if tx.value("SELECT 1 FROM blob_uploads WHERE place = :place AND owner = :owner", place=place, owner=owner) is None:
        raise unknown_upload()
    _forget_uploads(tx, [place])
    _leave(tx, [place])


def expire(tx: Transaction, cutoff: int, uploads_cutoff: int) -> int:
    """Gives up the oldest blobs and unfinished uploads, at most a chunk of each; returns how many."""
    old = tx.rows("SELECT place FROM blobs WHERE at < :cutoff ORDER BY at LIMIT :chunk", cutoff=cutoff, chunk=CHUNK)
    late = tx.rows(
        "SELECT place FROM blob_uploads WHERE at < :cutoff ORDER BY at LIMIT :chunk", cutoff=uploads_cutoff, chunk=CHUNK
    )
    _forget_uploads(tx, [row[0] for row in late])
    for (place,) in old:
        tx.run("DELETE FROM blobs WHERE place = :place", place=place)
    _leave(tx, [row[0] for row in (*old, *late)])
    return len(old) + len(late)


def delete(tx: Transaction, name: bytes, owner: bytes) -> None:
    """Gives up a blob that is stored as this owner's; refuses unknown-blob."""
    found = tx.rows("DELETE FROM blobs WHERE name = :name AND owner = :owner RETURNING place", name=name, owner=owner)
    if not found:
        raise RefusedError("unknown-blob", "there is no such blob of this number: it is deleted, or another's")
    _leave(tx, [row[0] for row in found])


def give_up(tx: Transaction, owner: bytes) -> int:
    """Gives up everything that an owner has stored or begun; returns how many blobs and uploads."""
    blobs = tx.rows("DELETE FROM blobs WHERE owner = :owner RETURNING place", owner=owner)
    begun_ones = tx.rows("SELECT place FROM blob_uploads WHERE owner = :owner", owner=owner)
    _forget_uploads(tx, [row[0] for row in begun_ones])
    _leave(tx, [row[0] for row in (*blobs, *begun_ones)])
    return len(blobs) + len(begun_ones)


def leavings(tx: Transaction) -> list[str]:
    """Places to be deleted from the blob storage, at most a chunk."""
    return [row[0] for row in tx.rows("SELECT place FROM blob_leavings ORDER BY place LIMIT :chunk", chunk=CHUNK)]


def left(tx: Transaction, place: str) -> None:
    """Notes that a place is deleted."""
    tx.run("DELETE FROM blob_leavings WHERE place = :place", place=place)


def unknown_upload() -> RefusedError:
    """The refusal of an upload that is not there."""
    return RefusedError(
        "unknown-upload", "there is no such upload of this number: it was finished, given up or too old"
    )


def _check_quota(tx: Transaction, new: Upload, quota: int) -> None:
    count, begun_octets = tx.row(
        "SELECT count(*), coalesce(sum(size), 0) FROM blob_uploads WHERE owner = :owner", owner=new.owner
    ) or (0, 0)
    if count >= UPLOADS_OPEN:
        raise RefusedError(
            "too-much-stored",
            f"{UPLOADS_OPEN} uploads of this number are not finished (UPLOADS_OPEN)",
            limit=UPLOADS_OPEN,
            limit_name="UPLOADS_OPEN",
        )
    stored = tx.value("SELECT coalesce(sum(size), 0) FROM blobs WHERE owner = :owner", owner=new.owner)
    if stored + begun_octets + new.size > quota:
        raise RefusedError(
            "too-much-stored",
            f"the number has {int(stored)} octets stored and {int(begun_octets)} begun, of {quota} (BLOB_OCTETS_KEPT)",
            limit=quota,
            limit_name="BLOB_OCTETS_KEPT",
        )


def _forget_uploads(tx: Transaction, places: Iterable[str]) -> None:
    for place in places:
        tx.run("DELETE FROM blob_pieces WHERE place = :place", place=place)
        tx.run("DELETE FROM blob_uploads WHERE place = :place", place=place)


def _leave(tx: Transaction, places: Iterable[str]) -> None:
    for place in places:
        tx.run("INSERT INTO blob_leavings (place) VALUES (:place) ON CONFLICT (place) DO NOTHING", place=place)


def _upload(row: tuple[Any, ...]) -> Upload:
    place, name, size, at, owner, token = row
    return Upload(place, bytes(name), size, at, bytes(owner), token)
