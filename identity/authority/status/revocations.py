"""Revoking certificates: what is on record, by whom it may be asked, and that a lost key is certified no more.

Every function works inside the caller's transaction.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.authority.errors import RefusedError
from identity.authority.issuer import IssuedPath
from identity.authority.store import AuthorityStore
from identity.authority.wire import RENEWAL_GRACE
from identity.certificates import VerifiedChain
from identity.device import spki_hash
from identity.status.revocation import Reason, issuer_name

LIST_LIMIT = 75_000  # entries of a list: with more it has more than CRL_SIZE_LIMIT, and nobody takes it
RETENTION = 90 * 86_400  # seconds after a certificate's end in which it stays on the list: messages of its time arrive

# What an owner, an issuer or an operator may say; holds and removals are for lists that change their mind.
REASONS = (
    Reason.unspecified,
    Reason.key_compromise,
    Reason.affiliation_changed,
    Reason.superseded,
    Reason.cessation_of_operation,
    Reason.privilege_withdrawn,
)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate that was withdrawn, when and why."""

    fingerprint: bytes
    serial: int
    revoked_at: int
    reason: Reason
    not_after: int


def revoke(store: AuthorityStore, fingerprint: bytes, reason: Reason, now: int) -> Revocation:
    """Withdraw a certificate by the SHA-256 of its DER. Raises RefusedError: not-found, already-revoked, a reason.

    Only that its key was lost can be said of a certificate that was withdrawn for something else: it says more.
    """
    if reason not in REASONS:
        raise RefusedError("reason-refused", f"give one of {', '.join(each.value for each in REASONS)}")
    published = store.published(fingerprint)
    if published is None:
        raise RefusedError("not-found", "no certificate of that name was issued here")
    known = revocation(store, fingerprint)
    if known is not None and (known.reason is Reason.key_compromise or reason is not Reason.key_compromise):
        raise RefusedError("already-revoked", f"the certificate was revoked at {known.revoked_at}")
    path = IssuedPath.from_pem(published.pem.encode("ascii"))
    spki = path.leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    issuer, serial = issuer_name(path.chain[1]), path.leaf.serial_number
    revoked_at = now if known is None else known.revoked_at
    store.execute(
        "INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?, ?, ?, ?)",
        fingerprint,
        issuer,
        serial_octets(serial),
        hashlib.sha256(spki).digest(),
        revoked_at,
        reason.value,
        published.not_after,
    )
    next_number(store, issuer)
    return Revocation(fingerprint, serial, revoked_at, reason, published.not_after)


def remove(store: AuthorityStore, fingerprint: bytes, reason: Reason, now: int) -> Revocation:
    """Withdraw a certificate so that its device gets no other by what it has. Raises as `revoke`.

    With it go those of the same key that have ended but could still be renewed, and tokens of the number that no
    certificate was issued on yet.
    """
    done = revoke(store, fingerprint, reason, now)
    ended = store.rows(
        "SELECT ended.fingerprint FROM certificates ended JOIN certificates named USING (number, spki) "
        "WHERE named.fingerprint = ? AND ended.not_after < ? AND ended.not_after > ? "
        "AND ended.fingerprint NOT IN (SELECT fingerprint FROM revocations)",
        fingerprint,
        now,
        now - RENEWAL_GRACE,
    )
    for (other,) in ended:
        revoke(store, other, reason, now)
    row = store.row("SELECT number FROM certificates WHERE fingerprint = ? AND number IS NOT NULL", fingerprint)
    if row is not None:
        end_tokens(store, row[0], now)
    return done


def end_tokens(store: AuthorityStore, digits: str, now: int) -> None:
    """Note that authority tokens of a number from before this second count no more."""
    store.execute("INSERT OR REPLACE INTO tokens_ended VALUES (?, ?)", digits, now)


def revoke_number(store: AuthorityStore, digits: str, reason: Reason, now: int) -> list[Revocation]:
    """Withdraw every certificate of a number that still says who asks, as one that ended a while ago does."""
    rows = store.rows(
        "SELECT fingerprint FROM certificates WHERE number = ? AND not_after > ? "
        "AND fingerprint NOT IN (SELECT fingerprint FROM revocations) ORDER BY issued_at",
        digits,
        now - RENEWAL_GRACE,
    )
    return [revoke(store, fingerprint, reason, now) for (fingerprint,) in rows]


def revocation(store: AuthorityStore, fingerprint: bytes) -> Revocation | None:
    """Whether, when and why a certificate was withdrawn."""
    rows = store.rows(f"{_SELECT} WHERE fingerprint = ?", fingerprint)
    return _revocation(rows[0]) if rows else None


def revocations(store: AuthorityStore, now: int) -> list[Revocation]:
    """What is on record, the newest first; forgets what ended long ago."""
    store.execute("DELETE FROM revocations WHERE not_after <= ?", now - RETENTION)
    return [_revocation(row) for row in store.rows(f"{_SELECT} ORDER BY revoked_at DESC, fingerprint")]


def of_issuer(store: AuthorityStore, issuer: bytes, now: int) -> dict[int, tuple[int, Reason]]:
    """The entries of an issuer's list: serial number to time and reason.

    None is of the future, which a clock that was set back would make of it: nobody would take the list. Nor would
    anybody take one that is too large: what ended first is left out.
    """
    store.execute("DELETE FROM revocations WHERE not_after <= ?", now - RETENTION)
    rows = store.rows(f"{_SELECT} WHERE issuer = ? ORDER BY not_after DESC LIMIT ?", issuer, LIST_LIMIT)
    return {each.serial: (min(each.revoked_at, now), each.reason) for each in map(_revocation, rows)}


def refuse_revoked(store: AuthorityStore, chain: VerifiedChain) -> None:
    """Raise RefusedError where a withdrawn certificate, or a lost key, is shown for a right: to renew, or to ask."""
    if revocation(store, chain.fingerprint) is not None or _is_lost(
        store, bytes.fromhex(spki_hash(chain.public_point))
    ):
        raise RefusedError("chain-refused", "the certificate was revoked; prove the number by a new code")


def refuse_lost_key(store: AuthorityStore, spki: bytes) -> None:
    """Raise RefusedError for a key, by the SHA-256 of its SPKI, that was reported as lost: it is certified no more."""
    if _is_lost(store, spki):
        raise RefusedError("csr-refused", "this key was reported as lost; make a new one")


def next_number(store: AuthorityStore, issuer: bytes) -> int:
    """Raise the number of an issuer's list, as every list and every change needs (RFC 5280 §5.2.3)."""
    store.execute(
        "INSERT INTO crl_numbers VALUES (?, 1) ON CONFLICT (issuer) DO UPDATE SET number = number + 1", issuer
    )
    return number(store, issuer)


def number(store: AuthorityStore, issuer: bytes) -> int:
    """The number of an issuer's list; 0 before the first."""
    rows = store.rows("SELECT number FROM crl_numbers WHERE issuer = ?", issuer)
    return int(rows[0][0]) if rows else 0


def serial_octets(serial: int) -> bytes:
    """A serial number as the store keeps it."""
    return serial.to_bytes((serial.bit_length() + 7) // 8)


def _is_lost(store: AuthorityStore, spki: bytes) -> bool:
    lost = Reason.key_compromise.value
    return store.row("SELECT 1 FROM revocations WHERE spki = ? AND reason = ? LIMIT 1", spki, lost) is not None


_SELECT = "SELECT fingerprint, serial, revoked_at, reason, not_after FROM revocations"


def _revocation(row: tuple[bytes, bytes, int, str, int]) -> Revocation:
    fingerprint, serial, revoked_at, reason, not_after = row
    return Revocation(fingerprint, int.from_bytes(serial), revoked_at, Reason(reason), not_after)
