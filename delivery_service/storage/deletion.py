"""Deleting what is kept for one device or one number. What remains keeps others safe, or belongs to groups."""

from delivery_service.storage.reading import drop_welcomes
from delivery_service.storage.transaction import Transaction
from delivery_service.wire.ending import DataDeleted

# Of a number: how it may be reached, whom it lets through, and who asked it. Whom it asked stays: or it could ask anew.
_OF_NUMBER = (
    "DELETE FROM contact_modes WHERE number = :number",
    "DELETE FROM contact_grants WHERE target = :number",
    "DELETE FROM contact_requests WHERE target = :number",
)

# The last one stays: it counts them, so that whoever has a copy of the key cannot delete what shows that it was used.
_OPENINGS = """
DELETE FROM openings WHERE device = :device
  AND number < (SELECT max(o.number) FROM openings o WHERE o.device = :device)
"""


def delete_data(tx: Transaction, device: bytes, number: str) -> DataDeleted:
    """Deletes a device's key packages, Welcomes and earlier sessions; with a number (`+E164`) its contact data.

    A key package that was claimed leaves its reference until it lapses, or it could be used a second time.
    """
    packages = tx.run("DELETE FROM key_packages WHERE device = :device AND state IN (0, 3)", device=device)
    rows = tx.rows("DELETE FROM inbox WHERE device = :device RETURNING welcome", device=device)
    drop_welcomes(tx, [row[0] for row in rows])
    sessions = tx.run(_OPENINGS, device=device)
    contacts = sum(tx.run(statement, number=number) for statement in _OF_NUMBER) if number else 0
    return DataDeleted(packages, len(rows), sessions, contacts)
