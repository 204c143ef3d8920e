"""The status of this device's own certificate, carried in its leaves so that nobody has to ask for it.

Only a long-lived certificate has one: of a short-lived one no status is asked (RFC 8226 §10.1).
"""

import hashlib
from collections.abc import Sequence

from client.records.intents import Intents, RotateCredential
from client.storage.store import Store
from identity.certificate_fields import load_certificate, validity
from identity.checks import SHORT_LIFETIME
from identity.errors import RevocationError
from identity.number import TelephoneNumber
from identity.status.ocsp import STAPLE_EXTENSION, encode_query, read_response, verify_response

REMAINING = 86_400  # seconds of a response's life left in a leaf when a newer one is put there
INTERVAL = 86_400  # seconds between responses

LeafExtensions = tuple[tuple[int, bytes], ...]


def of_leaf(extensions: LeafExtensions) -> bytes | None:
    """The response in what a leaf carries."""
    return next((value for kind, value in extensions if kind == STAPLE_EXTENSION), None)


def leaf_extensions(store: Store, chain: Sequence[bytes]) -> LeafExtensions:
    """What this device's leaves carry beside the chain."""
    response = _kept(store, chain)
    return () if response is None else ((STAPLE_EXTENSION, response),)


def is_needed(chain: Sequence[bytes]) -> bool:
    """Whether others will ask for a status of this certificate."""
    not_before, not_after = validity(load_certificate(chain[0]))
    return len(chain) > 1 and not_after - not_before > SHORT_LIFETIME


def is_due(store: Store, chain: Sequence[bytes], now: int) -> bool:
    """Whether a response is to be fetched."""
    if not is_needed(chain):
        return False
    row = store.row("SELECT fetched_at FROM own_staple WHERE fingerprint = ?", _fingerprint(chain))
    return row is None or now >= row[0] + INTERVAL


def query(chain: Sequence[bytes], number: TelephoneNumber) -> bytes:
    """The OCSP request for this device's certificate (DER)."""
    return encode_query(chain[0], chain[1], number)


def keep(store: Store, chain: Sequence[bytes], number: TelephoneNumber, response: bytes, now: int) -> None:
    """Verify a response that was fetched and keep it. Raises RevocationError."""
    verify_response(response, chain[0], chain[1], number, moment=now, now=now)
    row = _fingerprint(chain), response, now
    store.execute("INSERT OR REPLACE INTO own_staple VALUES (1, ?, ?, ?)", *row)


def want_due(store: Store, chain: Sequence[bytes], leaves: Sequence[tuple[bytes, LeafExtensions]], now: int) -> None:
    """Want the response at hand in every group (by id, with what the own leaf there carries) that has none for long."""
    newest = _kept(store, chain)
    if newest is None:
        return
    intents = Intents(store)
    with store.transaction():
        for group_id, extensions in leaves:
            carried = of_leaf(extensions)
            if carried != newest and (carried is None or _ends(carried, chain) < now + REMAINING):
                intents.add_once(group_id, RotateCredential())


def _kept(store: Store, chain: Sequence[bytes]) -> bytes | None:
    row = store.row("SELECT response FROM own_staple WHERE fingerprint = ?", _fingerprint(chain))
    return None if row is None else row[0]


def _ends(response: bytes, chain: Sequence[bytes]) -> int:
    try:
        return read_response(response, chain[0], chain[1]).next_update
    except RevocationError:  # of an earlier certificate
        return 0


def _fingerprint(chain: Sequence[bytes]) -> bytes:
    return hashlib.sha256(chain[0]).digest()
