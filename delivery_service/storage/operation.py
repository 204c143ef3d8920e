"""What the service keeps about itself: that its database takes writes, and that it was restored from a backup."""

from delivery_service.errors import RefusedError
from delivery_service.storage.transaction import Transaction

LOST_NUMBERS = 2**32  # sequence numbers left out after a restore: more than can have been given out since the backup

_LOSE = """
INSERT INTO lost_entries (group_number, last_kept, first_new, epoch)
SELECT number, head, head + :lost + 1, epoch FROM groups WHERE epoch >= 0
"""
_GO_ON = "UPDATE groups SET head = head + :lost WHERE epoch >= 0"  # nothing comes after the end of one that has ended
_LOST = """
SELECT last_kept, first_new, epoch FROM lost_entries
WHERE group_number = :number AND first_new > :low + 1 ORDER BY first_new LIMIT 1
"""


def check_lost(tx: Transaction, number: int, low: int) -> int | None:
    """The last entry before those that are lost, to a reader who is at `low`; refuses gone at it or behind it."""
    row = tx.row(_LOST, number=number, low=low)
    if row is None:
        return None
    last_kept, first_new, epoch = row
    if low >= last_kept:
        detail = "the service was restored from a backup: what it took after that is lost"
        raise RefusedError("gone", detail, floor=first_new, epoch=epoch)
    return int(last_kept)


def confirm(_tx: Transaction) -> None:
    """Changes nothing: as a write it is answered only by a database that confirms writes."""


def note_ready(tx: Transaction, now: int) -> None:
    """Writes, so that the answer shows that the database can."""
    tx.run("UPDATE operation SET ready_at = :now WHERE number = 1", now=now)


def note_restored(tx: Transaction) -> int:
    """Makes an older state continue without giving anything out twice; returns how many groups go on.

    Every group that goes on leaves sequence numbers out, which readers are told (`gone`), and every inbox positions.
    One-time key packages go, since some may have been claimed after the backup; so do nonces, which are too old by now.
    """
    tx.run(_LOSE, lost=LOST_NUMBERS)
    groups = tx.run(_GO_ON, lost=LOST_NUMBERS)
    tx.run("UPDATE inbox_heads SET head = head + :lost", lost=LOST_NUMBERS)
    tx.run("UPDATE contact_heads SET head = head + :lost", lost=LOST_NUMBERS)
    tx.run("UPDATE key_packages SET state = 1, body = NULL WHERE state = 0")
    tx.run("UPDATE operation SET restored = restored + 1 WHERE number = 1")
    return groups
