"""Contact requests: one of each pair, until it is answered or its time is over."""

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
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import Approach, Waiting
from delivery_service.wire import (
    CONTACT_REQUEST_LIFETIME,
    CONTACT_REQUEST_PAUSE,
    CONTACT_REQUESTS_WAITING,
    ContactRequested,
)

_KEEP = """
INSERT INTO contact_requests (target, requester, at, state, proof) VALUES (:target, :number, :at, :state, :proof)
ON CONFLICT (target, requester) DO UPDATE SET at = excluded.at, state = excluded.state, proof = excluded.proof
"""
_ASKED = """
SELECT at, proof FROM contact_requests WHERE target = :target AND state = 0 AND at > :since ORDER BY at DESC LIMIT :most
"""
_COUNT = "SELECT count(*) FROM contact_requests WHERE target = :target AND state IN (0, 1) AND at > :since"
_GRANTED = "SELECT target FROM contact_requests WHERE requester = :number AND state = 3 ORDER BY target"
_LAST = "SELECT at FROM contact_requests WHERE target = :target AND requester = :number"


def ask(tx: Transaction, approach: Approach, proof: bytes, quotas: Quotas) -> ContactRequested:
    """Keeps a request; one of a blocked number is kept, too, and never shown, so that its answer tells nothing."""
    if approach.number == approach.target:
        raise RefusedError("not-allowed", "the devices of one number reach each other without asking")
    devices_of(tx, approach)
    mode, granted = mode_of(tx, approach.target), is_granted(tx, approach.target, approach.number)
    if mode == "open" or granted:
        return ContactRequested(True, approach.at)
    if mode == "contacts":
        raise no_consent(mode)
    _check_earlier(tx, approach)
    check_quotas(tx, approach, quotas)
    _check_room(tx, approach)
    state = State.WAITS if granted is None else State.UNSEEN
    note_contact(tx, approach)
    kept = proof if granted is None else None
    tx.run(_KEEP, target=approach.target, number=approach.number, at=approach.at, state=state, proof=kept)
    if state is State.WAITS:
        raise_head(tx, approach.target)
    return ContactRequested(False, approach.at + CONTACT_REQUEST_LIFETIME)


def waiting(tx: Transaction, number: str, now: int) -> Waiting:
    """The requests that wait for a number, newest first, and the numbers that granted one of its own."""
    since = now - CONTACT_REQUEST_LIFETIME
    asked = [(at, proof) for at, proof in tx.rows(_ASKED, target=number, since=since, most=CONTACT_REQUESTS_WAITING)]
    return Waiting(asked, [target for (target,) in tx.rows(_GRANTED, number=number)], contact_head(tx, number))


def _check_earlier(tx: Transaction, approach: Approach) -> None:
    at = tx.value(_LAST, target=approach.target, number=approach.number)
    if at is not None and at + CONTACT_REQUEST_PAUSE > approach.at:
        raise RefusedError(
            "already-asked",
            "the number was asked before and has not agreed",
            retry_after=at + CONTACT_REQUEST_PAUSE - approach.at,
        )


def _check_room(tx: Transaction, approach: Approach) -> None:
    count = tx.value(_COUNT, target=approach.target, since=approach.at - CONTACT_REQUEST_LIFETIME)
    if count >= CONTACT_REQUESTS_WAITING:
        raise RefusedError(
            "rate-limited",
            "too many requests wait for that number (CONTACT_REQUESTS_WAITING)",
            limit=CONTACT_REQUESTS_WAITING,
            limit_name="CONTACT_REQUESTS_WAITING",
            retry_after=CONTACT_REQUEST_LIFETIME,
        )
