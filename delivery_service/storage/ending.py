"""How a group ends: one successor takes its place, or it is deleted; and what is deleted then."""

import hashlib
from dataclasses import dataclass

import msgspec

from delivery_service.errors import RefusedError
from delivery_service.storage.reading import drop_welcomes
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import KINDS, entry_checksum
from delivery_service.wire.ending import Ended, GroupEnd

DELETED_AT_ONCE = 8  # groups in one transaction

_GROUP = "SELECT number, epoch, head FROM groups WHERE group_id = :group_id"
_EARLIER = "SELECT device, successor, seq, deletes_at FROM endings WHERE group_number = :number"
_MEMBERS = "SELECT device FROM memberships WHERE group_number = :number AND until IS NULL"
_END = "UPDATE groups SET head = head + 1, epoch = -1 - epoch, unsettled = NULL WHERE number = :number"
_LOG = """
INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, checksum)
VALUES (:number, :seq, :epoch, :kind, :key, :digest, :at_ms, :body, :checksum)
"""
_NOTE = """
INSERT INTO endings (group_number, device, successor, seq, deletes_at)
VALUES (:number, :device, :successor, :seq, :deletes_at)
"""
_DUE = """
SELECT group_number, group_id FROM endings JOIN groups ON number = group_number
WHERE deleted = 0 AND deletes_at <= :now ORDER BY deletes_at LIMIT :most
"""
_DELETE = (
    "DELETE FROM log WHERE group_number = :number",
    "DELETE FROM observers WHERE group_number = :number",
    "DELETE FROM memberships WHERE group_number = :number",
    "DELETE FROM unsettled WHERE group_number = :number",
    "DELETE FROM unsettled_packages WHERE group_number = :number",
    "DELETE FROM rejections WHERE group_number = :number",
    "DELETE FROM rollbacks WHERE group_number = :number",
    "UPDATE groups SET floor = head + 1 WHERE number = :number",
    "UPDATE endings SET deleted = 1 WHERE group_number = :number",
)


@dataclass(frozen=True, slots=True)
class NewEnding:
    """A statement whose signature was verified, by a device that may end the group; times in milliseconds.

    `notice`: seconds until the log is deleted, if others than the device's number are in the group.
    """

    group_id: bytes
    device: bytes
    successor: bytes
    signature: bytes
    at_ms: int
    notice: int


def end(tx: Transaction, ending: NewEnding) -> Ended:
    """Ends a group, or answers a repeat; refuses unknown-group, not-a-member, group-ended, and not-allowed.

    Of several successors the first one wins.
    """
    number, epoch, head = group_of(tx, ending.group_id)
    earlier = tx.row(_EARLIER, number=number)
    if earlier is not None:
        if (bytes(earlier[0]), bytes(earlier[1])) != (ending.device, ending.successor):
            raise RefusedError("group-ended", "the group has ended: its last entry says how")
        return Ended(earlier[2], earlier[3])
    members = {bytes(row[0]) for row in tx.rows(_MEMBERS, number=number)}
    if ending.device not in members:
        raise RefusedError("not-a-member", "only current members end this group")
    if ending.successor:
        _check_successor(tx, ending)
    at, seq = ending.at_ms // 1000, head + 1
    alone = len({each.partition(b"/")[0] for each in members}) == 1
    deletes_at = at if alone and not ending.successor else at + ending.notice
    body = msgspec.msgpack.encode(GroupEnd(ending.device, ending.successor, deletes_at, ending.signature))
    key = hashlib.sha256(b"ending" + ending.group_id).digest()[:16]
    kind = KINDS.index("successor" if ending.successor else "closing")
    values = {"number": number, "seq": seq, "epoch": epoch, "kind": kind, "key": key, "at_ms": ending.at_ms}
    tx.run(_END, number=number)
    checksum = entry_checksum(epoch, kind, key, ending.at_ms, body, None)
    tx.run(_LOG, **values, digest=hashlib.sha256(body).digest(), body=body, checksum=checksum)
    tx.run(_NOTE, number=number, device=ending.device, successor=ending.successor, seq=seq, deletes_at=deletes_at)
    return Ended(seq, deletes_at)


def group_of(tx: Transaction, group_id: bytes) -> tuple[int, int, int]:
    """Number, epoch and head of a group; refuses unknown-group."""
    row = tx.row(_GROUP, group_id=group_id)
    if row is None:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    number, epoch, head = row
    return number, epoch, head


def has_ended(tx: Transaction, group_id: bytes) -> bool:
    """Whether a group has ended; refuses unknown-group."""
    return group_of(tx, group_id)[1] < 0


def is_alone(tx: Transaction, group_id: bytes, number: str) -> bool:
    """Whether all devices in a group are of one number (`+E164`); refuses unknown-group."""
    rows = tx.rows(_MEMBERS, number=group_of(tx, group_id)[0])
    return all(bytes(row[0]).partition(b"/")[0] == number.encode() for row in rows)


def delete_ended(tx: Transaction, now: int) -> int:
    """Deletes groups whose time is over, but for the rows that keep their ids from being taken; returns how many."""
    due = tx.rows(_DUE, now=now, most=DELETED_AT_ONCE)
    for number, group_id in due:
        rows = tx.rows("DELETE FROM inbox WHERE group_id = :group_id RETURNING welcome", group_id=group_id)
        drop_welcomes(tx, [row[0] for row in rows])
        for statement in _DELETE:
            tx.run(statement, number=number)
    return len(due)


def _check_successor(tx: Transaction, ending: NewEnding) -> None:
    number, epoch, _ = group_of(tx, ending.successor)
    members = [bytes(row[0]) for row in tx.rows(_MEMBERS, number=number)]
    if epoch != 0 or members != [ending.device]:
        raise RefusedError(
            "not-allowed", "a successor is a new group, founded by the same device, with nobody in it yet"
        )
