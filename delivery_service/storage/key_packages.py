"""Key packages: a one-time package is handed out exactly once, the last-resort one when none is left."""

from collections.abc import Sequence
from enum import IntEnum

from delivery_service.errors import RefusedError
from delivery_service.quotas import Quotas
from delivery_service.storage import consent
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import Approach, Claimed, NewKeyPackage, Stock
from delivery_service.wire import KEY_PACKAGES_PER_DEVICE
from delivery_service.wire.duties import LAST_RESORT_AGE


class State(IntEnum):
    """key_packages.state; only ONE_TIME and LAST_RESORT have a body."""

    ONE_TIME = 0
    CLAIMED = 1
    WELCOMED = 2
    LAST_RESORT = 3
    REPLACED = 4


_INSERT = """
INSERT INTO key_packages (reference, device, number, state, not_after, body, stored_at)
VALUES (:reference, :device, :number, :state, :not_after, :body, :stored_at)
ON CONFLICT (reference) DO NOTHING
"""
_COUNT = """
SELECT state, count(*), max(handed_out), min(stored_at) FROM key_packages
WHERE device = :device AND state IN (0, 3) AND not_after >= :now GROUP BY state
"""
_REFERENCES = """
SELECT reference FROM key_packages
WHERE device = :device AND state IN (0, 3) AND not_after >= :now ORDER BY position
"""
_CHOOSE = """
SELECT position, state, body FROM key_packages
WHERE device = :device AND state IN (:best, 3) AND not_after >= :now ORDER BY state, position LIMIT 1
"""
_HAND_OUT = "UPDATE key_packages SET handed_out = handed_out + 1 WHERE position = :position"
_DEVICES = """
SELECT DISTINCT device FROM key_packages WHERE number = :target AND device <> :device ORDER BY device
"""


def add(
    tx: Transaction,
    device: bytes,
    number: str,
    one_time: Sequence[NewKeyPackage],
    last_resort: NewKeyPackage | None,
    now: int,
) -> Stock:
    """Adds to a device's stock; a package that was here before is not added again."""
    fresh = [package for package in one_time if not _known(tx, package)]
    if stock(tx, device, now).available + len(fresh) > KEY_PACKAGES_PER_DEVICE:
        raise RefusedError(
            "too-large",
            f"a device keeps at most {KEY_PACKAGES_PER_DEVICE} one-time key packages here",
            limit=KEY_PACKAGES_PER_DEVICE,
            limit_name="KEY_PACKAGES_PER_DEVICE",
        )
    tx.run("DELETE FROM key_packages WHERE device = :device AND not_after < :now", device=device, now=now)
    for package in fresh:
        _insert(tx, device, number, package, State.ONE_TIME, now)
    if last_resort is not None and not _known(tx, last_resort):
        tx.run("UPDATE key_packages SET state = 4, body = NULL WHERE device = :device AND state = 3", device=device)
        _insert(tx, device, number, last_resort, State.LAST_RESORT, now)
    return stock(tx, device, now)


def stock(tx: Transaction, device: bytes, now: int) -> Stock:
    """What a device still has to hand out."""
    counts = {state: rest for state, *rest in tx.rows(_COUNT, device=device, now=now)}
    available, *_ = counts.get(State.ONE_TIME, (0,))
    _, handed_out, stored_at = counts.get(State.LAST_RESORT, (0, 0, now))
    return Stock(available, State.LAST_RESORT in counts, handed_out > 0 or now - stored_at >= LAST_RESORT_AGE)


def references(tx: Transaction, device: bytes, now: int) -> list[bytes]:
    """The KeyPackageRefs of the same."""
    return [reference for (reference,) in tx.rows(_REFERENCES, device=device, now=now)]


def claim(tx: Transaction, approach: Approach, quotas: Quotas, sparing: bool) -> Claimed:
    """Takes one package of each device of a number but the claimant; if `sparing`, the last-resort one."""
    devices = devices_of(tx, approach)
    consent.check_consent(tx, approach.number, approach.target)
    consent.check_quotas(tx, approach, quotas)
    best = State.LAST_RESORT if sparing else State.ONE_TIME
    found = [tx.row(_CHOOSE, device=device, best=best, now=approach.at) for device in devices]
    chosen = [row for row in found if row is not None]
    if not chosen:
        raise RefusedError(
            "no-key-package", "no device of that number has a key package left: its owner must publish more"
        )
    consent.note_contact(tx, approach)
    for position, state, _ in chosen:
        if state == State.ONE_TIME:
            tx.run("UPDATE key_packages SET state = 1, body = NULL WHERE position = :position", position=position)
        else:
            tx.run(_HAND_OUT, position=position)
    return Claimed([body for _, _, body in chosen], any(state == State.LAST_RESORT for _, state, _ in chosen))


def devices_of(tx: Transaction, approach: Approach) -> list[bytes]:
    """The devices that a number has here, but the one that asks; refuses unknown-number."""
    rows = tx.rows(_DEVICES, target=approach.target, device=approach.device)
    if not rows:
        raise RefusedError("unknown-number", "no other device of that number has published key packages here")
    return [device for (device,) in rows]


def _known(tx: Transaction, package: NewKeyPackage) -> bool:
    known = "SELECT 1 FROM key_packages WHERE reference = :reference"
    return tx.value(known, reference=package.reference) is not None


def _insert(tx: Transaction, device: bytes, number: str, package: NewKeyPackage, state: State, now: int) -> None:
    named = {"device": device, "number": number, "state": state, "stored_at": now}
    tx.run(_INSERT, **named, reference=package.reference, not_after=package.not_after, body=package.body)
