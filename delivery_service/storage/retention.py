"""What the storage forgets: old entries and Welcomes, lapsed key packages, spent nonces, ended memberships."""

from delivery_service.errors import RefusedError
from delivery_service.storage.reading import drop_welcomes
from delivery_service.storage.transaction import Transaction
from delivery_service.wire import CONTACT_REQUEST_PAUSE

CHUNK = 512  # log rows deleted in one transaction, so that appends do not wait long

_OLDEST = "SELECT position, group_number, seq, at_ms FROM log ORDER BY position LIMIT :chunk"
_INSERT_NONCE = "INSERT INTO nonces (device, nonce, expires_at) VALUES (:device, :nonce, :expires_at)"


def expire_entries(tx: Transaction, cutoff_ms: int) -> int:
    """Deletes the oldest entries, at most a chunk, and raises their groups' floors; returns how many."""
    floors: dict[int, int] = {}
    last = None
    count = 0
    for position, number, seq, at_ms in tx.rows(_OLDEST, chunk=CHUNK):
        if at_ms >= cutoff_ms:
            break
        floors[number] = seq + 1
        last = position
        count += 1
    if last is not None:
        tx.run("DELETE FROM log WHERE position <= :last", last=last)
    for number, floor in sorted(floors.items()):
        tx.run("UPDATE groups SET floor = :floor WHERE number = :number", floor=floor, number=number)
        tx.run("DELETE FROM memberships WHERE group_number = :number AND until < :floor", number=number, floor=floor)
    return count


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
