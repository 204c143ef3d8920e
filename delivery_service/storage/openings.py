"""The last openings of each device's sessions in SQLite: numbered, bounded, and forgotten with everything else."""

from typing import Any

import apsw

from delivery_service.storage.store import KeptOpening
from delivery_service.wire import OPENINGS_KEPT


def note(db: apsw.Connection, device: bytes, nonce: bytes, at: int) -> None:
    """Adds an opening, and drops the one that it pushes out."""
    last: Any = db.execute("SELECT max(number) FROM openings WHERE device = ?", (device,)).get
    number = (last or 0) + 1
    db.execute("INSERT INTO openings VALUES (?, ?, ?, ?)", (device, number, at, nonce))
    db.execute("DELETE FROM openings WHERE device = ? AND number <= ?", (device, number - OPENINGS_KEPT))


def of(db: apsw.Connection, device: bytes) -> list[KeptOpening]:
    """A device's openings, in order."""
    rows = db.execute("SELECT number, at, nonce FROM openings WHERE device = ? ORDER BY number", (device,))
    return [KeptOpening(*row) for row in rows]


def expire(db: apsw.Connection, cutoff: int) -> None:
    """Deletes old ones."""
    db.execute("DELETE FROM openings WHERE at < ?", (cutoff,))
