"""Groups: founding, the compare-and-set append, commits with what hangs on them."""

from delivery_service.errors import OutdatedError, RefusedError, StoreError
from delivery_service.storage import rollback, rules
from delivery_service.storage.consent import check_reached, number_of
from delivery_service.storage.operation import LOST_NUMBERS
from delivery_service.storage.transaction import RacedError, Transaction
from delivery_service.storage.values import KINDS, Change, NewCommit, NewEntry, NewGroup, NewWelcome, entry_checksum
from delivery_service.wire import INBOX_LIMIT, INBOX_PER_NUMBER, PROPOSALS_PER_EPOCH, Appended

# The compare and set: the next number only for a member, in the group's current epoch, with a key not seen before.
_NEXT = """
UPDATE groups SET head = head + 1, epoch = epoch + :epochs, unsettled = CASE WHEN unsettled = :device THEN unsettled END
WHERE group_id = :group_id AND epoch = :epoch
  AND EXISTS (SELECT 1 FROM memberships WHERE group_number = groups.number AND device = :device AND until IS NULL)
  AND NOT EXISTS (SELECT 1 FROM log l WHERE l.group_number = groups.number AND l.key = :key)
RETURNING number, head
"""
_INSERT = """
INSERT INTO log (group_number, seq, epoch, kind, key, digest, at_ms, body, frank, checksum)
VALUES (:number, :seq, :epoch, :kind, :key, :digest, :at_ms, :body, :frank, :checksum)
"""
_EARLIER = """
SELECT l.seq, l.epoch, l.digest FROM log l JOIN groups g ON g.number = l.group_number
WHERE g.group_id = :group_id AND l.key = :key
"""
_STANDING = """
SELECT epoch, head, EXISTS (
  SELECT 1 FROM memberships m WHERE m.group_number = number AND m.device = :device AND m.until IS NULL
) FROM groups WHERE group_id = :group_id
"""
_PROPOSALS = """
SELECT count(*) FROM log WHERE kind = 1 AND epoch = :epoch
  AND group_number = (SELECT number FROM groups WHERE group_id = :group_id)
  AND seq > (SELECT coalesce(max(r.seq), 0) FROM rollbacks r WHERE r.group_number = log.group_number)
"""
_FOUNDED = """
SELECT creation_key, creation_digest FROM observers JOIN groups ON number = group_number WHERE group_id = :group_id
"""
_FOUND = "INSERT INTO groups (group_id, epoch, head, floor) VALUES (:group_id, 0, 0, 1) RETURNING number"
_OBSERVE = """
INSERT INTO observers (group_number, snapshot, creation_key, creation_digest) VALUES (:number, :snapshot, :key, :digest)
"""
_OBSERVER = """
SELECT version, CASE WHEN version = :known THEN NULL ELSE snapshot END
FROM observers JOIN groups ON number = group_number WHERE group_id = :group_id
"""
_SAVE = "UPDATE observers SET snapshot = :snapshot, version = version + 1 WHERE group_number = :number"
_VERSION = "SELECT version FROM observers JOIN groups ON number = group_number WHERE group_id = :group_id"
# A device that takes an earlier name again continues the membership which began then.
_BEGIN = """
INSERT INTO memberships (group_number, device, since, until) VALUES (:number, :device, :since, NULL)
ON CONFLICT (group_number, device, since) DO UPDATE SET until = NULL
"""
_END = """
UPDATE memberships SET until = :seq WHERE group_number = :number AND device = :device AND until IS NULL RETURNING since
"""
_ADDRESSEE = "SELECT device, number FROM key_packages WHERE reference = :reference AND state IN (1, 3, 4)"
# Only of one that is still as it was when its device was looked up: no two groups take the same.
_WELCOME = """
UPDATE key_packages SET state = CASE state WHEN 1 THEN 2 ELSE state END
WHERE reference = :reference AND state IN (1, 3, 4)
"""
_WAITING = "SELECT count(*), count(*) FILTER (WHERE inviter = :inviter) FROM inbox WHERE device = :device"
_POSITION = """
INSERT INTO inbox_heads (device, head) SELECT :device, restored * :lost + 1 FROM operation WHERE number = 1
ON CONFLICT (device) DO UPDATE SET head = inbox_heads.head + 1 RETURNING head
"""
_DELIVER = """
INSERT INTO inbox (device, position, group_id, seq, at_ms, welcome, inviter)
VALUES (:device, :position, :group_id, :seq, :at_ms, :welcome, :inviter)
"""


def create_group(tx: Transaction, group: NewGroup) -> Appended:
    """Founds a group whose only member may read from the first entry on."""
    founded = tx.row(_FOUNDED, group_id=group.group_id)
    if founded is not None:
        earlier = rules.Earlier(0, 0, founded[1]) if founded[0] == group.key else None
        answer = rules.earlier_answer(earlier, group.digest)
        if answer is None:
            raise RefusedError("group-exists", "a group with that id exists: choose another id")
        return answer
    if tx.value("SELECT 1 FROM groups WHERE group_id = :group_id", group_id=group.group_id) is not None:
        raise RefusedError("group-exists", "a group with that id was deleted: choose another id")
    number = tx.value(_FOUND, group_id=group.group_id)
    tx.run(_OBSERVE, number=number, snapshot=group.observer, key=group.key, digest=group.digest)
    tx.run(_BEGIN, number=number, device=group.device, since=0)
    return Appended(0, 0)


def append(tx: Transaction, entry: NewEntry) -> Appended:
    """Appends an application message or a proposal, or answers a repeat."""
    if entry.kind == "proposal":
        _check_proposals(tx, entry)
        _check_judged(tx, entry)
    appended = _advance(tx, entry, 0)
    if appended is None:
        return _repeat(tx, entry)
    number, seq = appended
    if entry.observer is not None:
        _save_observer(tx, number, entry.observer)
    return Appended(seq, entry.epoch)


def appended(group_id: bytes, answer: Appended) -> Change:
    """What watchers of a group hear of an entry."""
    return Change(group_id, answer.seq)


def commit(tx: Transaction, commit: NewCommit) -> Appended:
    """Appends a commit, starts the next epoch, moves memberships and delivers Welcomes, or answers a repeat."""
    entry = commit.entry
    answer = earlier_answer(tx, entry)
    if answer is not None:
        return answer
    rollback.check_penalty(tx, entry.group_id, entry.device, entry.at_ms)
    _check_judged(tx, entry)
    deliveries = _addressees(tx, commit)
    appended = _advance(tx, entry, 1)
    if appended is None or entry.observer is None:
        raise StoreError("the group changed within one transaction")
    number, seq = appended
    rollback.keep_before(tx, number, seq, commit)
    _save_observer(tx, number, entry.observer)
    _move_members(tx, number, seq, commit)
    for welcome, devices in deliveries:
        _deliver(tx, entry, seq, welcome, devices)
    return Appended(seq, entry.epoch)


def earlier_answer(tx: Transaction, entry: NewEntry) -> Appended | None:
    """The first answer to a repeat, None to an entry that could be appended now, a refusal to any other."""
    row = tx.row(_EARLIER, group_id=entry.group_id, key=entry.key)
    answer = rules.earlier_answer(None if row is None else rules.Earlier(*row), entry.digest)
    if answer is None:
        row = tx.row(_STANDING, group_id=entry.group_id, device=entry.device)
        rules.admit(None if row is None else rules.Standing(row[0], row[1], bool(row[2])), entry)
    return answer


def to_judge(tx: Transaction, entry: NewEntry, known: int | None) -> Appended | tuple[int, bytes | None]:
    """The first answer to a repeated handshake, or else its group's observer; refuses what cannot be appended now."""
    answer = earlier_answer(tx, entry)
    return observer(tx, entry.group_id, known) if answer is None else answer


def observer(tx: Transaction, group_id: bytes, known: int | None = None) -> tuple[int, bytes | None]:
    """The version of the group's observer, and its snapshot unless that version is `known`."""
    row = tx.row(_OBSERVER, group_id=group_id, known=-1 if known is None else known)
    if row is None:
        raise RefusedError("unknown-group", "this service keeps no group of that id")
    return row[0], row[1]


def _advance(tx: Transaction, entry: NewEntry, epochs: int) -> tuple[int, int] | None:
    row = tx.row(_NEXT, group_id=entry.group_id, epoch=entry.epoch, device=entry.device, key=entry.key, epochs=epochs)
    if row is None:
        return None
    number, seq = row
    kind = KINDS.index(entry.kind)
    tx.run(
        _INSERT,
        number=number,
        seq=seq,
        epoch=entry.epoch,
        kind=kind,
        key=entry.key,
        digest=entry.digest,
        at_ms=entry.at_ms,
        body=entry.body,
        frank=entry.frank,
        checksum=entry_checksum(entry.epoch, kind, entry.key, entry.at_ms, entry.body, entry.frank),
    )
    return number, seq


def _repeat(tx: Transaction, entry: NewEntry) -> Appended:
    answer = earlier_answer(tx, entry)
    if answer is None:
        raise StoreError("the group changed within one transaction")
    return answer


def _check_proposals(tx: Transaction, entry: NewEntry) -> None:
    """A repeat is answered all the same: the limit is for what would be appended."""
    if earlier_answer(tx, entry) is None:
        cached = tx.value(_PROPOSALS, group_id=entry.group_id, epoch=entry.epoch)
        if cached >= PROPOSALS_PER_EPOCH:
            raise RefusedError(
                "not-allowed",
                f"an epoch takes {PROPOSALS_PER_EPOCH} proposals (PROPOSALS_PER_EPOCH): commit first",
                limit=PROPOSALS_PER_EPOCH,
                limit_name="PROPOSALS_PER_EPOCH",
            )


def _check_judged(tx: Transaction, entry: NewEntry) -> None:
    """Raises OutdatedError when another replica has stored a handshake since this one was judged."""
    if entry.observer is not None and tx.value(_VERSION, group_id=entry.group_id) != entry.judged:
        raise OutdatedError


def _save_observer(tx: Transaction, number: int, snapshot: bytes) -> None:
    tx.run(_SAVE, snapshot=snapshot, number=number)


def _move_members(tx: Transaction, number: int, seq: int, commit: NewCommit) -> None:
    for device in commit.removed:
        tx.value(_END, seq=seq, number=number, device=device)
    terms = [(after, tx.value(_END, seq=seq, number=number, device=before)) for before, after in commit.renamed]
    for device, since in (*terms, *((device, seq) for device in commit.added)):
        tx.run(_BEGIN, number=number, device=device, since=since)


def _addressees(tx: Transaction, commit: NewCommit) -> list[tuple[NewWelcome, list[bytes]]]:
    """The devices that each Welcome names: exactly those that the commit adds, each with room for it and reached."""
    found = [(welcome, [_addressee(tx, ref) for ref in welcome.references]) for welcome in commit.welcomes]
    deliveries = [(welcome, [device for device, _ in addressees]) for welcome, addressees in found]
    named = [device for _, devices in deliveries for device in devices]
    if len(named) != len(commit.added) or frozenset(named) != commit.added:
        raise RefusedError("invalid-handshake", "the Welcomes must name exactly the devices that the commit adds")
    own = number_of(commit.entry.device)
    for device in named:
        _check_room(tx, device, own)
    numbers = frozenset(number for _, addressees in found for _, number in addressees)
    check_reached(tx, commit.entry.device, numbers)
    return deliveries


def _addressee(tx: Transaction, reference: bytes) -> tuple[bytes, str]:
    """The device whose key package a Welcome names, and its number."""
    row = tx.row(_ADDRESSEE, reference=reference)
    if row is None:
        raise RefusedError("invalid-handshake", "a Welcome names a key package that was not claimed here")
    device, number = row
    return device, number


def _check_room(tx: Transaction, device: bytes, inviter: str) -> None:
    """Refuses not-allowed when too many wait, of all or of one number: or else one could keep all others away."""
    (waiting, of_one), *_ = tx.rows(_WAITING, inviter=inviter, device=device)
    if number_of(device) == inviter:
        of_one = 0
    for count, limit, name in ((waiting, INBOX_LIMIT, "INBOX_LIMIT"), (of_one, INBOX_PER_NUMBER, "INBOX_PER_NUMBER")):
        if count >= limit:
            words = f"{count} Welcomes wait for {device.decode()} ({name})"
            raise RefusedError("not-allowed", words, limit=limit, limit_name=name)


def _deliver(tx: Transaction, entry: NewEntry, seq: int, welcome: NewWelcome, devices: list[bytes]) -> None:
    inviter = number_of(entry.device)
    stored = tx.value("INSERT INTO welcomes (body) VALUES (:body) RETURNING number", body=welcome.body)
    placed = {"group_id": entry.group_id, "seq": seq, "at_ms": entry.at_ms, "welcome": stored, "inviter": inviter}
    for device in sorted(devices):
        tx.run(_DELIVER, device=device, position=tx.value(_POSITION, device=device, lost=LOST_NUMBERS), **placed)
    for reference in welcome.references:
        if not tx.run(_WELCOME, reference=reference):
            raise RacedError
