"""Consent: how each number may be reached, by whom, and what first contacts cost."""

from collections.abc import Iterable, Sequence
from enum import IntEnum

from delivery_service.errors import RefusedError
from delivery_service.quotas import DAY, HOUR, Quotas
from delivery_service.storage.operation import LOST_NUMBERS
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import Approach
from delivery_service.wire import CONTACT_GRANTS_LIMIT, Decision, Mode, Reachability


class State(IntEnum):
    """contact_requests.state; what was refused looks to its requester like what was never shown or answered."""

    WAITS = 0
    UNSEEN = 1
    REFUSED = 2
    GRANTED = 3


# The contact that uses a quota up, if it is still within the quota's time.
_LAST = "SELECT at FROM first_contacts WHERE {column} = :value AND at > :since ORDER BY at DESC LIMIT 1 OFFSET :skipped"
_FIRST = """
INSERT INTO first_contacts (requester, target, issuer, at, last) VALUES (:number, :target, :issuer, :at, :at)
"""
_STILL = """
UPDATE first_contacts SET last = :at
WHERE (requester = :number AND target = :target) OR (requester = :target AND target = :number)
"""
# A grant counts only if the one that is to be reached gave it: else whoever grants everybody would know everybody.
_ACQUAINTED = """
SELECT EXISTS (SELECT 1 FROM first_contacts WHERE requester = :number AND target = :target)
    OR EXISTS (SELECT 1 FROM first_contacts WHERE requester = :target AND target = :number)
    OR EXISTS (SELECT 1 FROM contact_grants WHERE target = :target AND number = :number AND blocked = 0)
"""
_GRANT = """
INSERT INTO contact_grants (target, number, blocked) VALUES (:target, :number, :blocked)
ON CONFLICT (target, number) DO UPDATE SET blocked = excluded.blocked
"""
_ANSWER = """
UPDATE contact_requests SET state = :state, proof = NULL
WHERE target = :target AND requester = :number AND state IN (0, 1, 2)
"""
_OPEN = """
UPDATE contact_requests SET state = 3, proof = NULL WHERE target = :target AND state = 0 RETURNING requester
"""
_CLOSE = "UPDATE contact_requests SET state = 2 WHERE target = :target AND requester = :number AND state = 3"
_CHOOSE = """
INSERT INTO contact_modes (number, mode) VALUES (:number, :mode)
ON CONFLICT (number) DO UPDATE SET mode = excluded.mode
"""
_RAISE = """
INSERT INTO contact_heads (number, head) SELECT :number, restored * :lost + 1 FROM operation WHERE number = 1
ON CONFLICT (number) DO UPDATE SET head = contact_heads.head + 1
"""
_HOW = {
    "ask": "the number is asked first: make a contact request, and claim when it has agreed",
    "contacts": "the number can be reached by its contacts only, and is not asked",
}


def mode_of(tx: Transaction, number: str) -> Mode:
    """How a number may be reached."""
    mode: Mode | None = tx.value("SELECT mode FROM contact_modes WHERE number = :number", number=number)
    return "open" if mode is None else mode


def is_granted(tx: Transaction, target: str, number: str) -> bool | None:
    """Whether a number is granted; False if it is blocked, None if neither."""
    blocked = tx.value(
        "SELECT blocked FROM contact_grants WHERE target = :target AND number = :number", target=target, number=number
    )
    return None if blocked is None else not blocked


def reachability(tx: Transaction, number: str) -> Reachability:
    """What is kept of a number's choice."""
    rows = tx.rows("SELECT number, blocked FROM contact_grants WHERE target = :number ORDER BY number", number=number)
    granted = [other for other, blocked in rows if not blocked]
    return Reachability(mode_of(tx, number), granted, [other for other, blocked in rows if blocked])


def check_consent(tx: Transaction, number: str, target: str) -> None:
    """Refuses no-consent; the devices of one number reach each other."""
    mode = mode_of(tx, target)
    if mode != "open" and number != target and not is_granted(tx, target, number):
        raise no_consent(mode)


def no_consent(mode: Mode) -> RefusedError:
    """The refusal that says how the number may be reached."""
    return RefusedError("no-consent", _HOW[mode], mode=mode)


def check_reached(tx: Transaction, committer: bytes, targets: frozenset[str]) -> None:
    """Refuses a commit that adds a number which its committer has not reached, with its consent as it is now.

    Key packages can be kept and passed on: without this, one claim would be good for any number and for ever. The other
    members do not count: they need not have agreed to be in the group.
    """
    own = number_of(committer)
    for target in targets - {own}:
        if not _are_acquainted(tx, own, target):
            raise RefusedError("invalid-handshake", f"{own} has not claimed key packages of {target}")
        check_consent(tx, own, target)


def number_of(device: bytes) -> str:
    """The number in a device's name."""
    return device.partition(b"/")[0].decode()


def check_quotas(tx: Transaction, approach: Approach, quotas: Quotas) -> None:
    """Refuses a first contact rate-limited when one of three quotas is used up."""
    if not _is_first(tx, approach):
        return
    for column, value, quota, window, name, words in (
        ("requester", approach.number, quotas.per_number, DAY, "FIRST_CONTACTS_PER_DAY", "by one number in a day"),
        ("issuer", approach.issuer, quotas.per_issuer, HOUR, "FIRST_CONTACTS_PER_ISSUER_HOUR", "by one issuer an hour"),
        ("target", approach.target, quotas.per_target, DAY, "FIRST_CONTACTS_PER_TARGET_DAY", "for one number in a day"),
    ):
        if quota is None:
            continue
        since, skipped = approach.at - window, max(quota - 1, 0)
        used_up = _LAST.format(column=column)
        last = tx.value(used_up, value=value, since=since, skipped=skipped) if quota else approach.at
        if last is not None:
            raise RefusedError(
                "rate-limited",
                f"first contacts {words}: {quota} ({name})",
                limit=quota,
                limit_name=name,
                retry_after=last + window - approach.at,
            )


def note_contact(tx: Transaction, approach: Approach) -> None:
    """Remembers a first contact, and of later ones that the two are still acquainted."""
    if _is_first(tx, approach):
        tx.run(_FIRST, number=approach.number, target=approach.target, issuer=approach.issuer, at=approach.at)
    else:
        tx.run(_STILL, number=approach.number, target=approach.target, at=approach.at)


def set_mode(tx: Transaction, number: str, mode: Mode, granted: Sequence[str]) -> frozenset[str]:
    """Chooses a mode; returns the numbers for which something is new."""
    if mode == "open":
        told = _grant_all(tx, number)
        tx.run("DELETE FROM contact_grants WHERE target = :number", number=number)
        tx.run("DELETE FROM contact_modes WHERE number = :number", number=number)
        return _tell(tx, {number, *told})
    _check_room(tx, number, granted)
    tx.run(_CHOOSE, number=number, mode=mode)
    told = {each for each in granted if _grant(tx, number, each)}
    return _tell(tx, {number, *told})


def decide(tx: Transaction, target: str, number: str, decision: Decision) -> frozenset[str]:
    """Carries out a decision about one number; returns the numbers for which something is new."""
    if mode_of(tx, target) == "open":
        return frozenset()
    told = {target}
    match decision:
        case "grant":
            _check_room(tx, target, [number])
            told |= {number} if _grant(tx, target, number) else set()
        case "block":
            _check_room(tx, target, [number])
            tx.run(_GRANT, target=target, number=number, blocked=1)
            tx.run(_ANSWER, state=State.UNSEEN, target=target, number=number)
            _close(tx, target, number)
        case "refuse":
            tx.run(_ANSWER, state=State.REFUSED, target=target, number=number)
        case "revoke":
            forget = "DELETE FROM contact_grants WHERE target = :target AND number = :number"
            tx.run(forget, target=target, number=number)
            _close(tx, target, number)
    return _tell(tx, told)


def raise_head(tx: Transaction, number: str) -> None:
    """Counts something new about a number's contacts."""
    tx.run(_RAISE, number=number, lost=LOST_NUMBERS)


def contact_head(tx: Transaction, number: str) -> int:
    """How often there was something new about a number's contacts."""
    return tx.value("SELECT head FROM contact_heads WHERE number = :number", number=number) or 0


def _is_first(tx: Transaction, approach: Approach) -> bool:
    if approach.number == approach.target:
        return False
    return not _are_acquainted(tx, approach.number, approach.target)


def _are_acquainted(tx: Transaction, number: str, target: str) -> bool:
    return bool(tx.value(_ACQUAINTED, number=number, target=target))


def _grant(tx: Transaction, target: str, number: str) -> bool:
    """Grants a number; whether it had asked, and is to hear of it."""
    tx.run(_GRANT, target=target, number=number, blocked=0)
    return tx.run(_ANSWER, state=State.GRANTED, target=target, number=number) > 0


def _grant_all(tx: Transaction, target: str) -> set[str]:
    """Grants what waits, since now anybody may reach the target; whom it blocked or refused is not told."""
    return {requester for (requester,) in tx.rows(_OPEN, target=target)}


def _close(tx: Transaction, target: str, number: str) -> None:
    tx.run(_CLOSE, target=target, number=number)


def _tell(tx: Transaction, numbers: Iterable[str]) -> frozenset[str]:
    told = frozenset(numbers)
    for number in sorted(told):
        raise_head(tx, number)
    return told


def _check_room(tx: Transaction, target: str, numbers: Sequence[str]) -> None:
    kept = tx.value("SELECT count(*) FROM contact_grants WHERE target = :target", target=target)
    new = [number for number in dict.fromkeys(numbers) if is_granted(tx, target, number) is None]
    if kept + len(new) > CONTACT_GRANTS_LIMIT:
        raise RefusedError(
            "too-large",
            f"a number grants or blocks at most {CONTACT_GRANTS_LIMIT} others here",
            limit=CONTACT_GRANTS_LIMIT,
            limit_name="CONTACT_GRANTS_LIMIT",
        )
