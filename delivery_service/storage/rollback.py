"""Taking a commit back: what is kept until a commit stands, who may say that it cannot be applied, and the way back."""

import hashlib
import json
from dataclasses import dataclass

import msgspec

from delivery_service.errors import RefusedError
from delivery_service.rollback_rules import (
    Unsettled,
    check_named,
    check_reporter,
    check_unsettled,
    check_window,
    is_due,
)
from delivery_service.storage.reading import drop_welcomes
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import NewCommit, entry_checksum
from delivery_service.wire.rollback import ROLLBACK_PENALTY, ROLLBACK_WINDOW, Reported, Rollback

ROLLBACK = 3  # the number of log.kind
SETTLED_AT_ONCE = 256  # groups

_HOW_MANY = "SELECT count(*) FROM memberships WHERE group_number = :number AND until IS NULL"
_KEEP = """
INSERT INTO unsettled (group_number, seq, epoch, device, at_ms, last_ms, renamed, snapshot)
SELECT group_number, :seq, :epoch, :device, :at_ms, :at_ms, '[]', snapshot FROM observers WHERE group_number = :number
"""
# More commits of the same device go with the first, but for no longer than that one may be taken back.
_GO_ON = "UPDATE unsettled SET last_ms = :at_ms WHERE group_number = :number AND at_ms >= :earliest"
_KEEP_PACKAGE = """
INSERT INTO unsettled_packages (group_number, reference)
SELECT :number, reference FROM key_packages WHERE reference = :reference AND state = 1
ON CONFLICT (group_number, reference) DO NOTHING
"""
_PENALTY = """
SELECT max(r.at_ms) FROM rollbacks r JOIN groups g ON g.number = r.group_number
WHERE g.group_id = :group_id AND r.device = :device
"""
_UNSETTLED = """
SELECT u.seq, u.epoch, u.device, u.last_ms, g.unsettled, g.head, u.renamed FROM unsettled u
JOIN groups g ON g.number = u.group_number WHERE u.group_number = :number AND g.unsettled IS NOT NULL
"""
_NAMED = "SELECT epoch, body FROM log WHERE group_number = :number AND seq = :seq AND kind = 2"
# Who was a member before the first of the commits, and is one after the last of them.
_STAYING = "SELECT device FROM memberships WHERE group_number = :number AND since < :seq AND until IS NULL"
_COUNT = """
INSERT INTO rejections (group_number, device, seq, epoch, digest, signature)
VALUES (:number, :device, :seq, :epoch, :digest, :signature) ON CONFLICT (group_number, device) DO NOTHING
"""
_REPORTS = """
SELECT device, seq, epoch, digest, signature FROM rejections WHERE group_number = :number ORDER BY device
"""
_LOG = """
INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, checksum)
VALUES (:number, :seq, :epoch, :kind, :key, :digest, :at_ms, :body, :checksum)
"""
_OBSERVER_BACK = """
UPDATE observers SET version = version + 1,
  snapshot = (SELECT u.snapshot FROM unsettled u WHERE u.group_number = observers.group_number)
WHERE group_number = :number
"""
# The added may read up to the entry that says so; the removed are members as if nothing had been.
_ADDED_END = """
UPDATE memberships SET until = :seq WHERE group_number = :number AND since >= :first AND until IS NULL RETURNING device
"""
_RENAMED_END = """
UPDATE memberships SET until = :seq WHERE group_number = :number AND device = :device AND until IS NULL
"""
_REMOVED_RETURN = """
UPDATE memberships SET until = NULL
WHERE group_number = :number AND since < :first AND until >= :first AND until < :seq RETURNING device
"""
_NO_SECOND_TERM = """
DELETE FROM memberships WHERE group_number = :number AND since >= :first AND EXISTS (
  SELECT 1 FROM memberships m WHERE m.group_number = :number AND m.device = memberships.device AND m.until IS NULL
)
"""
# A Welcome that was not acknowledged may not have been used: its key package is as before.
_PACKAGES_BACK = """
UPDATE key_packages SET state = 1 WHERE state = 2
  AND reference IN (SELECT reference FROM unsettled_packages WHERE group_number = :number)
  AND device = :device
"""
_WELCOMES_BACK = "DELETE FROM inbox WHERE group_id = :group_id AND seq >= :first RETURNING welcome, device"
_UNDONE = """
INSERT INTO rollbacks (group_number, seq, first, device, at_ms) VALUES (:number, :seq, :first, :device, :at_ms)
"""
_UNDONE_BY = """
SELECT r.seq, l.body FROM rollbacks r JOIN log l ON l.group_number = r.group_number AND l.seq = r.seq
WHERE r.group_number = :number AND r.first <= :seq AND r.seq > :seq
  AND EXISTS (SELECT 1 FROM memberships m WHERE m.group_number = r.group_number AND m.device = :device)
ORDER BY r.seq
"""
_IS_OVERDUE = """
SELECT g.number FROM unsettled u JOIN groups g ON g.number = u.group_number
WHERE g.group_id = :group_id AND (u.last_ms < :cutoff OR g.unsettled IS NULL)
"""
_OVERDUE = """
SELECT g.group_id FROM unsettled u JOIN groups g ON g.number = u.group_number
WHERE u.last_ms < :cutoff OR g.unsettled IS NULL LIMIT :most
"""
_FORGET = (
    "DELETE FROM unsettled WHERE group_number = :number",
    "DELETE FROM unsettled_packages WHERE group_number = :number",
    "DELETE FROM rejections WHERE group_number = :number",
)


@dataclass(frozen=True, slots=True)
class NewRejection:
    """A device's report whose signature was verified; `seq` and `digest` name the commit."""

    group_id: bytes
    device: bytes
    seq: int
    digest: bytes
    signature: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a report; `rollback` is the entry that took the commit back, if it was the last that it took."""

    group_id: bytes
    reports: int
    of: int
    rollback: int = 0
    returned: frozenset[bytes] = frozenset()
    withdrawn: frozenset[bytes] = frozenset()


def check_penalty(tx: Transaction, group_id: bytes, device: bytes, at_ms: int) -> None:
    """Refuses a commit of a device whose commit was taken back a short while ago."""
    last: int | None = tx.value(_PENALTY, group_id=group_id, device=device)
    if last is not None and at_ms < last + ROLLBACK_PENALTY * 1000:
        raise RefusedError(
            "not-allowed",
            f"a commit of this device was taken back: it makes none for {ROLLBACK_PENALTY} seconds (ROLLBACK_PENALTY)",
            limit=ROLLBACK_PENALTY,
            limit_name="ROLLBACK_PENALTY",
        )


def keep_before(tx: Transaction, number: int, seq: int, commit: NewCommit) -> None:
    """Keeps what the group was before a commit that was just appended, if there is anybody who could report it."""
    entry = commit.entry
    goes_on = tx.value("SELECT unsettled FROM groups WHERE number = :number", number=number) is not None
    earliest = entry.at_ms - ROLLBACK_WINDOW * 1000
    if not goes_on or not tx.run(_GO_ON, number=number, at_ms=entry.at_ms, earliest=earliest):
        _forget(tx, number)
        tx.run("UPDATE groups SET unsettled = NULL WHERE number = :number", number=number)
        gone = commit.removed | {before for before, _ in commit.renamed} | {entry.device}
        if tx.value(_HOW_MANY, number=number) <= len(gone):
            return
        tx.run(_KEEP, number=number, seq=seq, epoch=entry.epoch, device=entry.device, at_ms=entry.at_ms)
    device = dict(commit.renamed).get(entry.device, entry.device)
    tx.run("UPDATE groups SET unsettled = :device WHERE number = :number", device=device, number=number)
    if commit.renamed:
        _note_renamed(tx, number, commit)
    for welcome in commit.welcomes:
        for reference in welcome.references:
            tx.run(_KEEP_PACKAGE, number=number, reference=reference)


def epoch_of(tx: Transaction, group_id: bytes, seq: int) -> int:
    """The epoch that a commit in the log has ended; refuses unknown-group, unknown-commit."""
    named = tx.row(_NAMED, number=_number(tx, group_id), seq=seq)
    if named is None:
        raise RefusedError("unknown-commit", f"there is no commit at {seq}")
    epoch: int = named[0]
    return epoch


def report(tx: Transaction, rejection: NewRejection) -> Counted:
    """Counts a report, and takes the commit back when it is the last one that it takes; refuses as its rules say."""
    number = _number(tx, rejection.group_id)
    if (done := _done_already(tx, number, rejection)) is not None:
        return done
    unsettled, renamed = _unsettled(tx, number)
    kept = check_unsettled(unsettled)
    check_window(kept, rejection.at_ms)
    named = tx.row(_NAMED, number=number, seq=rejection.seq)
    check_named(kept, rejection.seq, rejection.digest, None if named is None else hashlib.sha256(named[1]).digest())
    may_report = _may_report(tx, number, kept, renamed)
    check_reporter(kept, rejection.device, may_report)
    assert named is not None, "its digest was compared"
    tx.run(
        _COUNT,
        number=number,
        device=rejection.device,
        seq=rejection.seq,
        epoch=named[0],
        digest=rejection.digest,
        signature=rejection.signature,
    )
    reports = [row for row in tx.rows(_REPORTS, number=number) if bytes(row[0]) in may_report]
    if not is_due(len(reports), len(may_report)):
        return Counted(rejection.group_id, len(reports), len(may_report))
    body = Rollback(kept.seq, kept.epoch, len(may_report), [Reported(*row) for row in reports])
    returned, withdrawn = _take_back(tx, number, rejection, kept, renamed, msgspec.msgpack.encode(body))
    return Counted(rejection.group_id, len(reports), len(may_report), kept.head + 1, returned, withdrawn)


def overdue(tx: Transaction, cutoff_ms: int) -> list[bytes]:
    """Groups, a few at a time, whose commits are from before `cutoff_ms`, or stand already."""
    return [group_id for (group_id,) in tx.rows(_OVERDUE, cutoff=cutoff_ms, most=SETTLED_AT_ONCE)]


def settle(tx: Transaction, group_id: bytes, cutoff_ms: int) -> bool:
    """Lets the commits of an overdue group stand, and forgets what was kept of them; whether it was one."""
    number = tx.value(_IS_OVERDUE, group_id=group_id, cutoff=cutoff_ms)
    if number is not None:
        tx.run("UPDATE groups SET unsettled = NULL WHERE number = :number", number=number)
        _forget(tx, number)
    return number is not None


def expire_rollbacks(tx: Transaction, cutoff_ms: int) -> None:
    """Forgets whose commits were taken back before `cutoff_ms`."""
    tx.run("DELETE FROM rollbacks WHERE at_ms < :cutoff", cutoff=cutoff_ms)


def _number(tx: Transaction, group_id: bytes) -> int:
    number: int | None = tx.value("SELECT number FROM groups WHERE group_id = :group_id", group_id=group_id)
    if number is None:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    return number


def _done_already(tx: Transaction, number: int, rejection: NewRejection) -> Counted | None:
    """The answer to a report that comes after the commit was taken back, or again."""
    row = tx.row(_UNDONE_BY, number=number, seq=rejection.seq, device=rejection.device)
    if row is None:
        return None
    said = msgspec.msgpack.decode(row[1], type=Rollback)
    return Counted(rejection.group_id, len(said.reports), said.of, row[0])


def _unsettled(tx: Transaction, number: int) -> tuple[Unsettled | None, list[list[str]]]:
    row = tx.row(_UNSETTLED, number=number)
    return (None, []) if row is None else (Unsettled(*row[:6]), json.loads(row[6]))


def _may_report(tx: Transaction, number: int, kept: Unsettled, renamed: list[list[str]]) -> frozenset[bytes]:
    staying = frozenset(bytes(row[0]) for row in tx.rows(_STAYING, number=number, seq=kept.seq))
    return staying - {kept.committer, kept.device} - {bytes.fromhex(after) for _, after in renamed}


def _note_renamed(tx: Transaction, number: int, commit: NewCommit) -> None:
    kept = json.loads(tx.value("SELECT renamed FROM unsettled WHERE group_number = :number", number=number))
    kept += [[before.hex(), after.hex()] for before, after in commit.renamed]
    tx.run("UPDATE unsettled SET renamed = :kept WHERE group_number = :number", kept=json.dumps(kept), number=number)


def _new_names(renamed: list[list[str]]) -> frozenset[bytes]:
    """The names that nobody had before the first change: one in between, too, is nobody's afterwards."""
    before: set[str] = set()
    after: set[str] = set()
    for old, new in renamed:
        before |= {old} - after
        after |= {new} - before
    return frozenset(map(bytes.fromhex, after))


def _take_back(
    tx: Transaction, number: int, rejection: NewRejection, kept: Unsettled, renamed: list[list[str]], body: bytes
) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """One entry more, one group as it was; returns which devices are members again, and which are none any more."""
    seq, first = kept.head + 1, kept.seq
    tx.run(
        "UPDATE groups SET head = :seq, epoch = :epoch, unsettled = NULL WHERE number = :number",
        seq=seq,
        epoch=kept.epoch,
        number=number,
    )
    digest = hashlib.sha256(body).digest()
    key = hashlib.sha256(b"rollback" + rejection.group_id + seq.to_bytes(8)).digest()[:16]
    at_ms = rejection.at_ms
    values = {"number": number, "seq": seq, "epoch": kept.epoch, "kind": ROLLBACK, "key": key, "digest": digest}
    checksum = entry_checksum(kept.epoch, ROLLBACK, key, at_ms, body, None)
    tx.run(_LOG, **values, at_ms=at_ms, body=body, checksum=checksum)
    tx.run(_OBSERVER_BACK, number=number)
    withdrawn = frozenset(bytes(row[0]) for row in tx.rows(_ADDED_END, number=number, first=first, seq=seq))
    back = frozenset(bytes(row[0]) for row in tx.rows(_REMOVED_RETURN, number=number, first=first, seq=seq))
    new_names = _new_names(renamed)
    for device in new_names:
        tx.run(_RENAMED_END, number=number, device=device, seq=seq)
    returned, withdrawn = back - new_names, withdrawn | new_names
    tx.run(_NO_SECOND_TERM, number=number, first=first)
    unused = tx.rows(_WELCOMES_BACK, group_id=rejection.group_id, first=first)
    for _, device in unused:
        tx.run(_PACKAGES_BACK, number=number, device=device)
    drop_welcomes(tx, [welcome for welcome, _ in unused])
    tx.run(_UNDONE, number=number, seq=seq, first=first, device=kept.device, at_ms=at_ms)
    _forget(tx, number)
    return returned, withdrawn - returned


def _forget(tx: Transaction, number: int) -> None:
    for statement in _FORGET:
        tx.run(statement, number=number)
