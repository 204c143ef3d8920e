"""What SQLite forgets: old entries and Welcomes, lapsed key packages, spent nonces, ended memberships."""

from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.storage.reading import drop_welcomes
from delivery_service.wire import CONTACT_REQUEST_PAUSE

CHUNK = 512  # log rows deleted in one transaction, so that appends do not wait long


def expire_entries(db: apsw.Connection, cutoff_ms: int) -> int:
    """Deletes the oldest entries, at most a chunk, and raises their groups' floors; returns how many."""
    oldest: list[Any] = db.execute(
        "SELECT position, group_number, seq, at_ms FROM log ORDER BY position LIMIT ?", (CHUNK,)
    ).fetchall()
    floors: dict[int, int] = {}
    last = None
    count = 0
    for position, number, seq, at_ms in oldest:
        if at_ms >= cutoff_ms:
            break
        floors[number] = seq + 1
        last = position
        count += 1
    if last is not None:
        db.execute("DELETE FROM log WHERE position <= ?", (last,))
    for number, floor in floors.items():
        db.execute("UPDATE groups SET floor = ? WHERE number = ?", (floor, number))
        db.execute("DELETE FROM memberships WHERE group_number = ? AND until < ?", (number, floor))
    return count


def expire_rest(db: apsw.Connection, cutoff_ms: int, now: int) -> None:
    """Deletes old Welcomes and first contacts, lapsed key packages and requests, and nonces that cannot come again."""
    old: list[Any] = db.execute("DELETE FROM inbox WHERE at_ms < ? RETURNING welcome", (cutoff_ms,)).fetchall()
    drop_welcomes(db, [row[0] for row in old])
    db.execute("DELETE FROM key_packages WHERE not_after < ?", (now,))
    db.execute("DELETE FROM nonces WHERE expires_at < ?", (now,))
    db.execute("DELETE FROM contact_requests WHERE at <= ?", (now - CONTACT_REQUEST_PAUSE,))
    db.execute("DELETE FROM first_contacts WHERE last < ?", (cutoff_ms // 1000,))


def spend_nonce(db: apsw.Connection, device: bytes, nonce: str, expires_at: int) -> None:
    """Remembers a nonce; refuses one that is remembered."""
    known = db.execute("SELECT 1 FROM nonces WHERE device = ? AND nonce = ?", (device, nonce)).get
    if known is not None:
        raise RefusedError("invalid-signature", "this signature was used before")
    db.execute("INSERT INTO nonces VALUES (?, ?, ?)", (device, nonce, expires_at))
