"""The last openings of each device's sessions: numbered, bounded, and forgotten with everything else."""

from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import KeptOpening
from delivery_service.wire import OPENINGS_KEPT

_INSERT = "INSERT INTO openings (device, number, at, nonce) VALUES (:device, :number, :at, :nonce)"


def note(tx: Transaction, device: bytes, nonce: bytes, at: int) -> None:
    """Adds an opening, and drops the one that it pushes out."""
    number = (tx.value("SELECT max(number) FROM openings WHERE device = :device", device=device) or 0) + 1
    tx.run(_INSERT, device=device, number=number, at=at, nonce=nonce)
    oldest = number - OPENINGS_KEPT
    tx.run("DELETE FROM openings WHERE device = :device AND number <= :oldest", device=device, oldest=oldest)


def of(tx: Transaction, device: bytes) -> list[KeptOpening]:
    """A device's openings, in order."""
    rows = tx.rows("SELECT number, at, nonce FROM openings WHERE device = :device ORDER BY number", device=device)
    return [KeptOpening(*row) for row in rows]


def expire(tx: Transaction, cutoff: int) -> None:
    """Deletes old ones."""
    tx.run("DELETE FROM openings WHERE at < :cutoff", cutoff=cutoff)
