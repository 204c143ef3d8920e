"""What the service keeps about itself: that its database takes writes, and that it was restored from a backup."""

from delivery_service.storage.transaction import Transaction

LOST_NUMBERS = 2**32  # sequence numbers left out after a restore: more than can have been given out since the backup

_LOSE = """
INSERT INTO lost_entries (group_number, last_kept, first_new) SELECT number, head, head + :lost + 1 FROM groups
"""


def note_ready(tx: Transaction, now: int) -> None:
    """Writes, so that the answer shows that the database can."""
    tx.run("UPDATE operation SET ready_at = :now WHERE number = 1", now=now)


def note_restored(tx: Transaction) -> int:
    """Makes an older state continue without giving anything out twice; returns how many groups it has.

    Every group leaves sequence numbers out, which readers are told (`gone`), and every inbox positions. One-time key
    packages go, since some may have been claimed after the backup; so do nonces, which are too old by now.
    """
    tx.run(_LOSE, lost=LOST_NUMBERS)
    groups = tx.run("UPDATE groups SET head = head + :lost", lost=LOST_NUMBERS)
    tx.run("UPDATE inbox_heads SET head = head + :lost", lost=LOST_NUMBERS)
    tx.run("UPDATE key_packages SET state = 1, body = NULL WHERE state = 0")
    tx.run("UPDATE operation SET restored = restored + 1 WHERE number = 1")
    return groups
