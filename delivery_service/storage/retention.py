"""What the storage forgets: old entries and Welcomes, lapsed key packages, spent nonces, ended memberships."""

from itertools import takewhile

from delivery_service.errors import RefusedError
from delivery_service.storage.reading import drop_welcomes
from delivery_service.storage.transaction import Transaction
from delivery_service.wire import CONTACT_REQUEST_PAUSE

CHUNK = 512  # log rows looked at or deleted at once, so that appends do not wait long

_BEHIND = """
SELECT DISTINCT group_id FROM (SELECT group_number, at_ms FROM log ORDER BY position LIMIT :chunk) oldest
JOIN groups ON number = group_number WHERE at_ms < :cutoff
"""
_OLDEST = """
SELECT number, seq, at_ms FROM log JOIN groups ON number = group_number
WHERE group_id = :group_id ORDER BY seq LIMIT :chunk
"""
_INSERT_NONCE = "INSERT INTO nonces (device, nonce, expires_at) VALUES (:device, :nonce, :expires_at)"


def groups_behind(tx: Transaction, cutoff_ms: int) -> list[bytes]:
    """Groups that have some of the oldest entries, if these are to be deleted."""
    return [group_id for (group_id,) in tx.rows(_BEHIND, chunk=CHUNK, cutoff=cutoff_ms)]


def expire_entries(tx: Transaction, group_id: bytes, cutoff_ms: int) -> int:
    """Deletes a group's oldest entries, at most a chunk, and raises its floor; returns how many."""
    oldest = tx.rows(_OLDEST, group_id=group_id, chunk=CHUNK)
    old = list(takewhile(lambda row: row[2] < cutoff_ms, oldest))
    if not old:
        return 0
    number, last, _ = old[-1]
    tx.run("DELETE FROM log WHERE group_number = :number AND seq <= :last", number=number, last=last)
    tx.run("UPDATE groups SET floor = :floor WHERE number = :number", floor=last + 1, number=number)
    tx.run("DELETE FROM memberships WHERE group_number = :number AND until <= :last", number=number, last=last)
    return len(old)


def expire_rest(tx: Transaction, cutoff: int, remembered: int, now: int) -> None:
    """Deletes old Welcomes and first contacts, lapsed key packages and requests, and nonces that cannot come again.

    No Welcome outlives the secrets that its addressee keeps for it.
    """
    oldest = max(cutoff, remembered) * 1000
    old = tx.rows("DELETE FROM inbox WHERE at_ms < :oldest RETURNING welcome", oldest=oldest)
    drop_welcomes(tx, [number for (number,) in old])
    tx.run("DELETE FROM key_packages WHERE not_after < :now", now=now)
    tx.run("DELETE FROM nonces WHERE expires_at < :now", now=now)
    tx.run("DELETE FROM contact_requests WHERE at <= :past", past=now - CONTACT_REQUEST_PAUSE)
    tx.run("DELETE FROM first_contacts WHERE last < :remembered", remembered=remembered)


def spend_nonce(tx: Transaction, device: bytes, nonce: str, expires_at: int) -> None:
    """Remembers a nonce; refuses one that is remembered."""
    known = tx.value("SELECT 1 FROM nonces WHERE device = :device AND nonce = :nonce", device=device, nonce=nonce)
    if known is not None:
        raise RefusedError("invalid-signature", "this signature was used before")
    tx.run(_INSERT_NONCE, device=device, nonce=nonce, expires_at=expires_at)
