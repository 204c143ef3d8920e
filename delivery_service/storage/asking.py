"""Contact requests in SQLite: one of each pair, until it is answered or its time is over."""

from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.quotas import Quotas
from delivery_service.storage.consent import (
    State,
    check_quotas,
    contact_head,
    is_granted,
    mode_of,
    no_consent,
    note_contact,
    raise_head,
)
from delivery_service.storage.key_packages import devices_of
from delivery_service.storage.store import Approach, Waiting
from delivery_service.wire import (
    CONTACT_REQUEST_LIFETIME,
    CONTACT_REQUEST_PAUSE,
    CONTACT_REQUESTS_WAITING,
    ContactRequested,
)

_REPLACE = "INSERT OR REPLACE INTO contact_requests (target, requester, at, state, proof) VALUES (?, ?, ?, ?, ?)"
_ASKED = """
SELECT at, proof FROM contact_requests WHERE target = ? AND state = 0 AND at > ? ORDER BY at DESC LIMIT ?
"""
_COUNT = "SELECT count(*) FROM contact_requests WHERE target = ? AND state IN (0, 1) AND at > ?"


def ask(db: apsw.Connection, approach: Approach, proof: bytes, quotas: Quotas) -> ContactRequested:
    """Keeps a request; one of a blocked number is kept, too, and never shown, so that its answer tells nothing."""
    if approach.number == approach.target:
        raise RefusedError("not-allowed", "the devices of one number reach each other without asking")
    devices_of(db, approach)
    mode, granted = mode_of(db, approach.target), is_granted(db, approach.target, approach.number)
    if mode == "open" or granted:
        return ContactRequested(True, approach.at)
    if mode == "contacts":
        raise no_consent(mode)
    _check_earlier(db, approach)
    check_quotas(db, approach, quotas)
    _check_room(db, approach)
    state = State.WAITS if granted is None else State.UNSEEN
    note_contact(db, approach)
    db.execute(_REPLACE, (approach.target, approach.number, approach.at, state, proof if granted is None else None))
    if state is State.WAITS:
        raise_head(db, approach.target)
    return ContactRequested(False, approach.at + CONTACT_REQUEST_LIFETIME)


def waiting(db: apsw.Connection, number: str, now: int) -> Waiting:
    """The requests that wait for a number, newest first, and the numbers that granted one of its own."""
    asked: list[Any] = db.execute(_ASKED, (number, now - CONTACT_REQUEST_LIFETIME, CONTACT_REQUESTS_WAITING)).fetchall()
    granted: list[Any] = db.execute(
        "SELECT target FROM contact_requests WHERE requester = ? AND state = 3 ORDER BY target", (number,)
    ).fetchall()
    return Waiting([(at, proof) for at, proof in asked], [target for (target,) in granted], contact_head(db, number))


def _check_earlier(db: apsw.Connection, approach: Approach) -> None:
    at: Any = db.execute(
        "SELECT at FROM contact_requests WHERE target = ? AND requester = ?", (approach.target, approach.number)
    ).get
    if at is not None and at + CONTACT_REQUEST_PAUSE > approach.at:
        raise RefusedError(
            "already-asked",
            "the number was asked before and has not agreed",
            retry_after=at + CONTACT_REQUEST_PAUSE - approach.at,
        )


def _check_room(db: apsw.Connection, approach: Approach) -> None:
    count: Any = db.execute(_COUNT, (approach.target, approach.at - CONTACT_REQUEST_LIFETIME)).get
    if count >= CONTACT_REQUESTS_WAITING:
        raise RefusedError(
            "rate-limited",
            "too many requests wait for that number (CONTACT_REQUESTS_WAITING)",
            limit=CONTACT_REQUESTS_WAITING,
            limit_name="CONTACT_REQUESTS_WAITING",
            retry_after=CONTACT_REQUEST_LIFETIME,
        )
