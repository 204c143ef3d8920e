"""Key packages in SQLite: a one-time package is handed out exactly once, the last-resort one when none is left."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import apsw

from delivery_service.errors import RefusedError
from delivery_service.quotas import Quotas
from delivery_service.storage import consent
from delivery_service.storage.store import Approach, NewKeyPackage, Stock
from delivery_service.wire import KEY_PACKAGES_PER_DEVICE


class State(IntEnum):
    """key_packages.state; only ONE_TIME and LAST_RESORT have a body."""

    ONE_TIME = 0
    CLAIMED = 1
    WELCOMED = 2
    LAST_RESORT = 3
    REPLACED = 4


_INSERT = """
INSERT INTO key_packages (reference, device, number, state, not_after, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (reference) DO NOTHING
"""
_COUNT = """
SELECT state, count(*) FROM key_packages WHERE device = ? AND state IN (0, 3) AND not_after >= ? GROUP BY state
"""
_REFERENCES = """
SELECT reference FROM key_packages WHERE device = ? AND state IN (0, 3) AND not_after >= ? ORDER BY position
"""
_CHOOSE = """
SELECT position, state, body FROM key_packages
WHERE device = ? AND state IN (?, 3) AND not_after >= ? ORDER BY state, position LIMIT 1
"""


def add(
    db: apsw.Connection,
    device: bytes,
    number: str,
    one_time: Sequence[NewKeyPackage],
    last_resort: NewKeyPackage | None,
    now: int,
) -> Stock:
    """Adds to a device's stock; a package that was here before is not added again."""
    fresh = [package for package in one_time if not _known(db, package)]
    if stock(db, device, now).available + len(fresh) > KEY_PACKAGES_PER_DEVICE:
        raise RefusedError(
            "too-large",
            f"a device keeps at most {KEY_PACKAGES_PER_DEVICE} one-time key packages here",
            limit=KEY_PACKAGES_PER_DEVICE,
            limit_name="KEY_PACKAGES_PER_DEVICE",
        )
    db.execute("DELETE FROM key_packages WHERE device = ? AND not_after < ?", (device, now))
    for package in fresh:
        _insert(db, device, number, package, State.ONE_TIME)
    if last_resort is not None and not _known(db, last_resort):
        db.execute(
            "UPDATE key_packages SET state = 4, body = NULL WHERE device = ? AND state = 3",
            (device,),
        )
        _insert(db, device, number, last_resort, State.LAST_RESORT)
    return stock(db, device, now)


def stock(db: apsw.Connection, device: bytes, now: int) -> Stock:
    """What a device still has to hand out."""
    rows: Any = db.execute(_COUNT, (device, now))
    counts: dict[int, int] = dict(rows)
    return Stock(counts.get(State.ONE_TIME, 0), State.LAST_RESORT in counts)


def references(db: apsw.Connection, device: bytes, now: int) -> list[bytes]:
    """The KeyPackageRefs of the same."""
    return [reference for (reference,) in db.execute(_REFERENCES, (device, now))]


def claim(db: apsw.Connection, approach: Approach, quotas: Quotas, sparing: bool) -> list[bytes]:
    """Takes one package of each device of a number but the claimant; if `sparing`, the last-resort one."""
    devices = devices_of(db, approach)
    consent.check_consent(db, approach.number, approach.target)
    consent.check_quotas(db, approach, quotas)
    best = int(State.LAST_RESORT if sparing else State.ONE_TIME)
    chosen = [row for each in devices if (row := db.execute(_CHOOSE, (each, best, approach.at)).get) is not None]
    if not chosen:
        raise RefusedError(
            "no-key-package", "no device of that number has a key package left: its owner must publish more"
        )
    consent.note_contact(db, approach)
    for position, state, _ in chosen:
        if state == State.ONE_TIME:
            db.execute("UPDATE key_packages SET state = 1, body = NULL WHERE position = ?", (position,))
    return [body for _, _, body in chosen]


def devices_of(db: apsw.Connection, approach: Approach) -> list[bytes]:
    """The devices that a number has here, but the one that asks; refuses unknown-number."""
    rows: list[Any] = db.execute(
        "SELECT DISTINCT device FROM key_packages WHERE number = ? AND device <> ?", (approach.target, approach.device)
    ).fetchall()
    if not rows:
        raise RefusedError("unknown-number", "no other device of that number has published key packages here")
    return [device for (device,) in rows]


def _known(db: apsw.Connection, package: NewKeyPackage) -> bool:
    return db.execute("SELECT 1 FROM key_packages WHERE reference = ?", (package.reference,)).get is not None


def _insert(db: apsw.Connection, device: bytes, number: str, package: NewKeyPackage, state: State) -> None:
    db.execute(_INSERT, (package.reference, device, number, int(state), package.not_after, package.body))
