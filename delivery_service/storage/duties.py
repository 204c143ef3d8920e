"""What the service looks after by itself: revoked certificates, their key packages, groups with members to evict."""

from collections.abc import Sequence
from dataclasses import dataclass

from delivery_service.errors import OutdatedError
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import KINDS, NewEntry, entry_checksum
from delivery_service.wire import PROPOSALS_PER_EPOCH, Appended

_KEEP_LIST = """
INSERT INTO revocation_lists (issuer, certificate, list, fetched_at) VALUES (:issuer, :certificate, :list, :fetched_at)
ON CONFLICT (issuer) DO UPDATE SET certificate = excluded.certificate, list = excluded.list,
  fetched_at = excluded.fetched_at
"""
_NOTE_PATH = """
INSERT INTO certificate_paths (issuer, serial, certificate, device, not_after)
VALUES (:issuer, :serial, :certificate, :device, :not_after) ON CONFLICT (issuer, serial, certificate) DO NOTHING
"""
_HOLDERS = "SELECT certificate, device FROM certificate_paths WHERE issuer = :issuer AND serial = :serial"
_PACKAGES = "SELECT position, body FROM key_packages WHERE device = :device AND body IS NOT NULL ORDER BY position"
# A last-resort package that nobody could claim any more is replaced; a one-time one counts as claimed.
_PURGE = """
UPDATE key_packages SET body = NULL, state = CASE state WHEN 0 THEN 1 WHEN 3 THEN 4 ELSE state END
WHERE position = :position
"""
_DUE_NOW = """
UPDATE group_duties SET due_at = 0
WHERE group_number IN (SELECT m.group_number FROM memberships m WHERE m.device = :device AND m.until IS NULL)
"""
_DUE = """
SELECT g.group_id FROM groups g LEFT JOIN group_duties d ON d.group_number = g.number
WHERE g.epoch >= 0 AND (d.due_at IS NULL OR d.due_at <= :now) ORDER BY g.number LIMIT :most
"""
_LOOKED_AT = """
INSERT INTO group_duties (group_number, due_at) SELECT number, :due_at FROM groups WHERE group_id = :group_id
ON CONFLICT (group_number) DO UPDATE SET due_at = excluded.due_at
"""
_SEEN = """
INSERT INTO last_seen (device, at) VALUES (:device, :at) ON CONFLICT (device) DO UPDATE SET at = excluded.at
"""
_IDLE = """
SELECT m.device FROM memberships m JOIN groups g ON g.number = m.group_number
JOIN last_seen s ON s.device = m.device
WHERE g.group_id = :group_id AND m.until IS NULL AND s.at < :before ORDER BY m.device
"""
_FORGET_UNSEEN = """
DELETE FROM last_seen WHERE at < :unseen
  AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.device = last_seen.device AND m.until IS NULL)
"""
_CACHED = """
SELECT count(*) FROM log l JOIN groups g ON g.number = l.group_number
WHERE l.kind = 1 AND l.epoch = :epoch AND g.group_id = :group_id
  AND l.seq > (SELECT coalesce(max(r.seq), 0) FROM rollbacks r WHERE r.group_number = l.group_number)
"""
_VERSION = "SELECT version FROM observers JOIN groups ON number = group_number WHERE group_id = :group_id"
# The service is no member, so its entries are placed by epoch and key alone; and what it proposes shows nothing about
# the commit before it, which stays unsettled if it was.
_NEXT = """
UPDATE groups SET head = head + 1 WHERE group_id = :group_id AND epoch = :epoch
  AND NOT EXISTS (SELECT 1 FROM log l WHERE l.group_number = groups.number AND l.key = :key)
RETURNING number, head
"""
_INSERT = """
INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, checksum)
VALUES (:number, :seq, :epoch, :kind, :key, :digest, :at_ms, :body, :checksum)
"""
_SAVE = "UPDATE observers SET snapshot = :snapshot, version = version + 1 WHERE group_number = :number"


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list of revocations (DER) with its issuer's certificate (DER), and when it was last confirmed."""

    issuer: bytes
    certificate: bytes
    list: bytes
    fetched_at: int


@dataclass(frozen=True, slots=True)
class PathPlace:
    """A certificate in a device's path: who issued it, and its serial number."""

    issuer: bytes
    serial: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """A device's certificate, by 16 octets of its digest, and the device."""

    certificate: bytes
    device: bytes


def lists(tx: Transaction) -> list[KeptList]:
    """The lists of revocations that were verified last."""
    return [KeptList(*row) for row in tx.rows("SELECT issuer, certificate, list, fetched_at FROM revocation_lists")]


def keep_list(tx: Transaction, kept: KeptList) -> None:
    """Keeps one in place of its issuer's earlier one."""
    tx.run(_KEEP_LIST, issuer=kept.issuer, certificate=kept.certificate, list=kept.list, fetched_at=kept.fetched_at)


def note_path(tx: Transaction, holder: Holder, path: Sequence[PathPlace], not_after: int) -> None:
    """Notes by which entries of lists a device's certificate would end."""
    for place in path:
        tx.run(
            _NOTE_PATH,
            issuer=place.issuer,
            serial=place.serial,
            certificate=holder.certificate,
            device=holder.device,
            not_after=not_after,
        )


def holders(tx: Transaction, listed: Sequence[PathPlace]) -> list[Holder]:
    """The certificates whose paths hold one of these."""
    found = (tx.rows(_HOLDERS, issuer=place.issuer, serial=place.serial) for place in listed)
    return [Holder(*row) for rows in found for row in rows]


def packages(tx: Transaction, device: bytes) -> list[tuple[int, bytes]]:
    """The key packages of a device that could be handed out: place and MLSMessage."""
    return [(position, body) for position, body in tx.rows(_PACKAGES, device=device)]


def purge(tx: Transaction, positions: Sequence[int]) -> None:
    """Deletes key packages; what is left says that they were here."""
    for position in positions:
        tx.run(_PURGE, position=position)


def due_now(tx: Transaction, devices: Sequence[bytes]) -> None:
    """Lets the groups that devices are in be looked at again."""
    for device in devices:
        tx.run(_DUE_NOW, device=device)


def due_groups(tx: Transaction, now: int, most: int) -> list[bytes]:
    """Groups that are to be looked at."""
    return [group_id for (group_id,) in tx.rows(_DUE, now=now, most=most)]


def looked_at(tx: Transaction, group_id: bytes, due_at: int) -> None:
    """Notes when a group is to be looked at next."""
    tx.run(_LOOKED_AT, group_id=group_id, due_at=due_at)


def seen(tx: Transaction, device: bytes, at: int) -> None:
    """Notes that a device is here."""
    tx.run(_SEEN, device=device, at=at)


def idle(tx: Transaction, group_id: bytes, before: int) -> frozenset[bytes]:
    """The members that were last here before a time; of one that was never noted nothing is known."""
    return frozenset(device for (device,) in tx.rows(_IDLE, group_id=group_id, before=before))


def append_removal(tx: Transaction, entry: NewEntry) -> Appended | None:
    """Appends a proposal by the service itself; None if the epoch is over, or has it or too many others.

    Raises OutdatedError where another replica has stored a handshake since it was made.
    """
    if tx.value(_VERSION, group_id=entry.group_id) != entry.judged:
        raise OutdatedError
    if tx.value(_CACHED, group_id=entry.group_id, epoch=entry.epoch) >= PROPOSALS_PER_EPOCH:
        return None
    row = tx.row(_NEXT, group_id=entry.group_id, epoch=entry.epoch, key=entry.key)
    if row is None:
        return None
    number, seq = row
    said = {"key": entry.key, "digest": entry.digest, "at_ms": entry.at_ms, "body": entry.body}
    kind = KINDS.index("proposal")
    checksum = entry_checksum(entry.epoch, kind, entry.key, entry.at_ms, entry.body, None)
    tx.run(_INSERT, number=number, seq=seq, epoch=entry.epoch, kind=kind, checksum=checksum, **said)
    tx.run(_SAVE, number=number, snapshot=entry.observer)
    return Appended(seq, entry.epoch)


def expire(tx: Transaction, now: int, unseen: int) -> None:
    """Forgets certificates that have ended, and devices that were not here since and are in no group."""
    tx.run("DELETE FROM certificate_paths WHERE not_after < :now", now=now)
    tx.run(_FORGET_UNSEEN, unseen=unseen)
