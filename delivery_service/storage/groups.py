"""Groups in SQLite: founding, the compare-and-set append, commits with what hangs on them."""

from typing import Any

import apsw

from delivery_service.errors import RefusedError, StoreError
from delivery_service.storage import rules
from delivery_service.storage.consent import check_reached, number_of
from delivery_service.storage.store import NewCommit, NewEntry, NewGroup, NewWelcome
from delivery_service.wire import INBOX_LIMIT, INBOX_PER_NUMBER, PROPOSALS_PER_EPOCH, Appended, EntryKind

KINDS: tuple[EntryKind, ...] = ("application", "proposal", "commit")  # the numbers of log.kind

# The compare and set: the next number only for a member, in the group's current epoch, with a key not seen before.
_NEXT = """
UPDATE groups SET head = head + 1, epoch = epoch + ?5
WHERE group_id = ?1 AND epoch = ?2
  AND EXISTS (SELECT 1 FROM memberships m WHERE m.group_number = groups.number AND m.device = ?3 AND m.until IS NULL)
  AND NOT EXISTS (SELECT 1 FROM log l WHERE l.group_number = groups.number AND l.key = ?4)
RETURNING number, head
"""
_INSERT = """
INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, frank) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_EARLIER = """
SELECT l.seq, l.epoch, l.digest FROM log l JOIN groups g ON g.number = l.group_number WHERE g.group_id = ? AND l.key = ?
"""
_STANDING = """
SELECT epoch, head, EXISTS (
  SELECT 1 FROM memberships m WHERE m.group_number = number AND m.device = ?2 AND m.until IS NULL
) FROM groups WHERE group_id = ?1
"""

_PROPOSALS = """
SELECT count(*) FROM log WHERE kind = 1 AND epoch = ?2
  AND group_number = (SELECT number FROM groups WHERE group_id = ?1)
"""


def create_group(db: apsw.Connection, group: NewGroup) -> Appended:
    """Founds a group whose only member may read from the first entry on."""
    founded: Any = db.execute(
        "SELECT creation_key, creation_digest FROM observers JOIN groups ON number = group_number WHERE group_id = ?",
        (group.group_id,),
    ).get
    if founded is not None:
        earlier = rules.Earlier(0, 0, founded[1]) if founded[0] == group.key else None
        answer = rules.earlier_answer(earlier, group.digest)
        if answer is None:
            raise RefusedError("group-exists", "a group with that id exists: choose another id")
        return answer
    number = db.execute(
        "INSERT INTO groups (group_id, epoch, head, floor) VALUES (?, 0, 0, 1) RETURNING number", (group.group_id,)
    ).get
    db.execute("INSERT INTO observers VALUES (?, ?, ?, ?)", (number, group.observer, group.key, group.digest))
    db.execute("INSERT INTO memberships VALUES (?, ?, 0, NULL)", (number, group.device))
    return Appended(0, 0)


def append(db: apsw.Connection, entry: NewEntry) -> Appended:
    """Appends an application message or a proposal, or answers a repeat."""
    if entry.kind == "proposal":
        _check_proposals(db, entry)
    appended = _advance(db, entry, 0)
    if appended is None:
        return _repeat(db, entry)
    number, seq = appended
    if entry.observer is not None:
        _save_observer(db, number, entry.observer)
    return Appended(seq, entry.epoch)


def commit(db: apsw.Connection, commit: NewCommit) -> Appended:
    """Appends a commit, starts the next epoch, moves memberships and delivers Welcomes, or answers a repeat."""
    entry = commit.entry
    answer = earlier_answer(db, entry)
    if answer is not None:
        return answer
    deliveries = _addressees(db, commit)
    appended = _advance(db, entry, 1)
    if appended is None or entry.observer is None:
        raise StoreError("the group changed within one transaction")
    number, seq = appended
    _save_observer(db, number, entry.observer)
    _move_members(db, number, seq, commit)
    for welcome, devices in deliveries:
        _deliver(db, entry, seq, welcome, devices)
    return Appended(seq, entry.epoch)


def earlier_answer(db: apsw.Connection, entry: NewEntry) -> Appended | None:
    """The first answer to a repeat, None to an entry that could be appended now, a refusal to any other."""
    row: Any = db.execute(_EARLIER, (entry.group_id, entry.key)).get
    answer = rules.earlier_answer(None if row is None else rules.Earlier(*row), entry.digest)
    if answer is None:
        row = db.execute(_STANDING, (entry.group_id, entry.device)).get
        rules.admit(None if row is None else rules.Standing(row[0], row[1], bool(row[2])), entry)
    return answer


def observer(db: apsw.Connection, group_id: bytes) -> bytes:
    """The snapshot of the group's observer."""
    row = db.execute(
        "SELECT snapshot FROM observers JOIN groups ON number = group_number WHERE group_id = ?", (group_id,)
    ).get
    if not isinstance(row, bytes):
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    return row


def _advance(db: apsw.Connection, entry: NewEntry, epochs: int) -> tuple[int, int] | None:
    row: Any = db.execute(_NEXT, (entry.group_id, entry.epoch, entry.device, entry.key, epochs)).get
    if row is None:
        return None
    number, seq = row
    kind = KINDS.index(entry.kind)
    said = entry.key, entry.digest, entry.at_ms, entry.body, entry.frank
    db.execute(_INSERT, (number, seq, entry.epoch, kind, *said))
    return number, seq


def _repeat(db: apsw.Connection, entry: NewEntry) -> Appended:
    answer = earlier_answer(db, entry)
    if answer is None:
        raise StoreError("the group changed within one transaction")
    return answer


def _check_proposals(db: apsw.Connection, entry: NewEntry) -> None:
    """A repeat is answered all the same: the limit is for what would be appended."""
    if earlier_answer(db, entry) is None:
        cached: Any = db.execute(_PROPOSALS, (entry.group_id, entry.epoch)).get
        if cached >= PROPOSALS_PER_EPOCH:
            raise RefusedError(
                "not-allowed",
                f"an epoch takes {PROPOSALS_PER_EPOCH} proposals (PROPOSALS_PER_EPOCH): commit first",
                limit=PROPOSALS_PER_EPOCH,
                limit_name="PROPOSALS_PER_EPOCH",
            )


def _save_observer(db: apsw.Connection, number: int, snapshot: bytes) -> None:
    db.execute("UPDATE observers SET snapshot = ? WHERE group_number = ?", (snapshot, number))


def _move_members(db: apsw.Connection, number: int, seq: int, commit: NewCommit) -> None:
    end = "UPDATE memberships SET until = ? WHERE group_number = ? AND device = ? AND until IS NULL RETURNING since"
    # A device that takes an earlier name again continues the membership which began then.
    begin = "INSERT INTO memberships VALUES (?, ?, ?, NULL) ON CONFLICT DO UPDATE SET until = NULL"
    for device in commit.removed:
        db.execute(end, (seq, number, device))
    terms = [(number, after, db.execute(end, (seq, number, before)).get) for before, after in commit.renamed]
    for term in (*terms, *((number, device, seq) for device in commit.added)):
        db.execute(begin, term)


def _addressees(db: apsw.Connection, commit: NewCommit) -> list[tuple[NewWelcome, list[bytes]]]:
    """The devices that each Welcome names: exactly those that the commit adds, each with room for it and reached."""
    found = [(welcome, [_addressee(db, ref) for ref in welcome.references]) for welcome in commit.welcomes]
    deliveries = [(welcome, [device for device, _ in addressees]) for welcome, addressees in found]
    named = [device for _, devices in deliveries for device in devices]
    if len(named) != len(commit.added) or frozenset(named) != commit.added:
        raise RefusedError("invalid-handshake", "the Welcomes must name exactly the devices that the commit adds")
    own = number_of(commit.entry.device)
    for device in named:
        _check_room(db, device, own)
    numbers = frozenset(number for _, addressees in found for _, number in addressees)
    check_reached(db, commit.entry.device, numbers)
    return deliveries


def _addressee(db: apsw.Connection, reference: bytes) -> tuple[bytes, str]:
    """The device whose key package a Welcome names, and its number."""
    row: Any = db.execute(
        "SELECT device, number FROM key_packages WHERE reference = ? AND state IN (1, 3, 4)", (reference,)
    ).get
    if row is None:
        raise RefusedError("invalid-handshake", "a Welcome names a key package that was not claimed here")
    device, number = row
    return device, number


def _check_room(db: apsw.Connection, device: bytes, inviter: str) -> None:
    """Refuses not-allowed when too many wait, of all or of one number: or else one could keep all others away."""
    query = "SELECT count(*), count(*) FILTER (WHERE inviter = ?) FROM inbox WHERE device = ?"
    rows: Any = db.execute(query, (inviter, device)).get
    waiting, of_one = rows
    if number_of(device) == inviter:
        of_one = 0
    for count, limit, name in ((waiting, INBOX_LIMIT, "INBOX_LIMIT"), (of_one, INBOX_PER_NUMBER, "INBOX_PER_NUMBER")):
        if count >= limit:
            words = f"{count} Welcomes wait for {device.decode()} ({name})"
            raise RefusedError("not-allowed", words, limit=limit, limit_name=name)


def _deliver(db: apsw.Connection, entry: NewEntry, seq: int, welcome: NewWelcome, devices: list[bytes]) -> None:
    inviter = number_of(entry.device)
    stored = db.execute("INSERT INTO welcomes (body) VALUES (?) RETURNING number", (welcome.body,)).get
    for device in devices:
        position = db.execute(
            "INSERT INTO inbox_heads VALUES (?, 1) ON CONFLICT DO UPDATE SET head = head + 1 RETURNING head", (device,)
        ).get
        db.execute(
            "INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?)",
            (device, position, entry.group_id, seq, entry.at_ms, stored, inviter),
        )
    for reference in welcome.references:
        db.execute("UPDATE key_packages SET state = 2 WHERE reference = ? AND state = 1", (reference,))
