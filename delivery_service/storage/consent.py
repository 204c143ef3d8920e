"""Consent in SQLite: how each number may be reached, by whom, and what first contacts cost."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.quotas import DAY, HOUR, Quotas
from delivery_service.storage.store import Approach
from delivery_service.wire import CONTACT_GRANTS_LIMIT, Decision, Mode, Reachability


class State(IntEnum):
    """contact_requests.state; what was refused looks to its requester like what was never shown or answered."""

    WAITS = 0
    UNSEEN = 1
    REFUSED = 2
    GRANTED = 3


# The contact that uses a quota up, if it is still within the quota's time.
_LAST = "SELECT at FROM first_contacts WHERE {column} = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?"
_STILL = """
UPDATE first_contacts SET last = ?3 WHERE (requester = ?1 AND target = ?2) OR (requester = ?2 AND target = ?1)
"""
# A grant counts only if the one that is to be reached gave it: else whoever grants everybody would know everybody.
_ACQUAINTED = """
SELECT EXISTS (SELECT 1 FROM first_contacts WHERE (requester = ?1 AND target = ?2) OR (requester = ?2 AND target = ?1))
    OR EXISTS (SELECT 1 FROM contact_grants WHERE target = ?2 AND number = ?1 AND blocked = 0)
"""
_GRANT = "INSERT INTO contact_grants VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET blocked = excluded.blocked"
_ANSWER = (
    "UPDATE contact_requests SET state = ?, proof = NULL WHERE target = ? AND requester = ? AND state IN (0, 1, 2)"
)
_HOW = {
    "ask": "the number is asked first: make a contact request, and claim when it has agreed",
    "contacts": "the number can be reached by its contacts only, and is not asked",
}


def mode_of(db: apsw.Connection, number: str) -> Mode:
    """How a number may be reached."""
    mode: Any = db.execute("SELECT mode FROM contact_modes WHERE number = ?", (number,)).get
    return "open" if mode is None else mode


def is_granted(db: apsw.Connection, target: str, number: str) -> bool | None:
    """Whether a number is granted; False if it is blocked, None if neither."""
    blocked: Any = db.execute(
        "SELECT blocked FROM contact_grants WHERE target = ? AND number = ?", (target, number)
    ).get
    return None if blocked is None else not blocked


def reachability(db: apsw.Connection, number: str) -> Reachability:
    """What is kept of a number's choice."""
    rows: list[Any] = db.execute(
        "SELECT number, blocked FROM contact_grants WHERE target = ? ORDER BY number", (number,)
    ).fetchall()
    granted = [other for other, blocked in rows if not blocked]
    return Reachability(mode_of(db, number), granted, [other for other, blocked in rows if blocked])


def check_consent(db: apsw.Connection, number: str, target: str) -> None:
    """Refuses no-consent; the devices of one number reach each other."""
    mode = mode_of(db, target)
    if mode != "open" and number != target and not is_granted(db, target, number):
        raise no_consent(mode)


def no_consent(mode: Mode) -> RefusedError:
    """The refusal that says how the number may be reached."""
    return RefusedError("no-consent", _HOW[mode], mode=mode)


def check_reached(db: apsw.Connection, committer: bytes, targets: frozenset[str]) -> None:
    """Refuses a commit that adds a number which its committer has not reached, with its consent as it is now.

    Key packages can be kept and passed on: without this, one claim would be good for any number and for ever. The other
    members do not count: they need not have agreed to be in the group.
    """
    own = number_of(committer)
    for target in targets - {own}:
        if not _are_acquainted(db, own, target):
            raise RefusedError("invalid-handshake", f"{own} has not claimed key packages of {target}")
        check_consent(db, own, target)


def number_of(device: bytes) -> str:
    """The number in a device's name."""
    return device.partition(b"/")[0].decode()


def check_quotas(db: apsw.Connection, approach: Approach, quotas: Quotas) -> None:
    """Refuses a first contact rate-limited when one of three quotas is used up."""
    if not _is_first(db, approach):
        return
    for column, value, quota, window, name, words in (
        ("requester", approach.number, quotas.per_number, DAY, "FIRST_CONTACTS_PER_DAY", "by one number in a day"),
        ("issuer", approach.issuer, quotas.per_issuer, HOUR, "FIRST_CONTACTS_PER_ISSUER_HOUR", "by one issuer an hour"),
        ("target", approach.target, quotas.per_target, DAY, "FIRST_CONTACTS_PER_TARGET_DAY", "for one number in a day"),
    ):
        if quota is None:
            continue
        sql = _LAST.format(column=column)
        last: Any = db.execute(sql, (value, approach.at - window, max(quota - 1, 0))).get if quota else approach.at
        if last is not None:
            raise RefusedError(
                "rate-limited",
                f"first contacts {words}: {quota} ({name})",
                limit=quota,
                limit_name=name,
                retry_after=last + window - approach.at,
            )


def note_contact(db: apsw.Connection, approach: Approach) -> None:
    """Remembers a first contact, and of later ones that the two are still acquainted."""
    if _is_first(db, approach):
        db.execute(
            "INSERT INTO first_contacts VALUES (?, ?, ?, ?, ?)",
            (approach.number, approach.target, approach.issuer, approach.at, approach.at),
        )
    else:
        db.execute(_STILL, (approach.number, approach.target, approach.at))


def set_mode(db: apsw.Connection, number: str, mode: Mode, granted: Sequence[str]) -> frozenset[str]:
    """Chooses a mode; returns the numbers for which something is new."""
    if mode == "open":
        told = _grant_all(db, number)
        db.execute("DELETE FROM contact_grants WHERE target = ?", (number,))
        db.execute("DELETE FROM contact_modes WHERE number = ?", (number,))
        return _tell(db, {number, *told})
    _check_room(db, number, granted)
    db.execute("INSERT INTO contact_modes VALUES (?, ?) ON CONFLICT DO UPDATE SET mode = excluded.mode", (number, mode))
    told = {each for each in granted if _grant(db, number, each)}
    return _tell(db, {number, *told})


def decide(db: apsw.Connection, target: str, number: str, decision: Decision) -> frozenset[str]:
    """Carries out a decision about one number; returns the numbers for which something is new."""
    if mode_of(db, target) == "open":
        return frozenset()
    told = {target}
    match decision:
        case "grant":
            _check_room(db, target, [number])
            told |= {number} if _grant(db, target, number) else set()
        case "block":
            _check_room(db, target, [number])
            db.execute(_GRANT, (target, number, 1))
            db.execute(_ANSWER, (State.UNSEEN, target, number))
            _close(db, target, number)
        case "refuse":
            db.execute(_ANSWER, (State.REFUSED, target, number))
        case "revoke":
            db.execute("DELETE FROM contact_grants WHERE target = ? AND number = ?", (target, number))
            _close(db, target, number)
    return _tell(db, told)


def raise_head(db: apsw.Connection, number: str) -> None:
    """Counts something new about a number's contacts."""
    db.execute("INSERT INTO contact_heads VALUES (?, 1) ON CONFLICT DO UPDATE SET head = head + 1", (number,))


def contact_head(db: apsw.Connection, number: str) -> int:
    """How often there was something new about a number's contacts."""
    head: Any = db.execute("SELECT head FROM contact_heads WHERE number = ?", (number,)).get
    return 0 if head is None else int(head)


def _is_first(db: apsw.Connection, approach: Approach) -> bool:
    if approach.number == approach.target:
        return False
    return not _are_acquainted(db, approach.number, approach.target)


def _are_acquainted(db: apsw.Connection, number: str, target: str) -> bool:
    return bool(db.execute(_ACQUAINTED, (number, target)).get)


def _grant(db: apsw.Connection, target: str, number: str) -> bool:
    """Grants a number; whether it had asked, and is to hear of it."""
    db.execute(_GRANT, (target, number, 0))
    before = db.total_changes()
    db.execute(_ANSWER, (State.GRANTED, target, number))
    return db.total_changes() != before


def _grant_all(db: apsw.Connection, target: str) -> set[str]:
    """Grants what waits, since now anybody may reach the target; whom it blocked or refused is not told."""
    rows: list[Any] = db.execute(
        "UPDATE contact_requests SET state = 3, proof = NULL WHERE target = ? AND state = 0 RETURNING requester",
        (target,),
    ).fetchall()
    return {requester for (requester,) in rows}


def _close(db: apsw.Connection, target: str, number: str) -> None:
    db.execute(
        "UPDATE contact_requests SET state = 2 WHERE target = ? AND requester = ? AND state = 3", (target, number)
    )


def _tell(db: apsw.Connection, numbers: Iterable[str]) -> frozenset[str]:
    told = frozenset(numbers)
    for number in told:
        raise_head(db, number)
    return told


def _check_room(db: apsw.Connection, target: str, numbers: Sequence[str]) -> None:
    kept: Any = db.execute("SELECT count(*) FROM contact_grants WHERE target = ?", (target,)).get
    new = [number for number in dict.fromkeys(numbers) if is_granted(db, target, number) is None]
    if kept + len(new) > CONTACT_GRANTS_LIMIT:
        raise RefusedError(
            "too-large",
            f"a number grants or blocks at most {CONTACT_GRANTS_LIMIT} others here",
            limit=CONTACT_GRANTS_LIMIT,
            limit_name="CONTACT_GRANTS_LIMIT",
        )
