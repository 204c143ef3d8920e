"""What replicas agree about: the keys that all of them have, and what hourly limits still allow."""

from collections.abc import Sequence

from delivery_service.limits import Allowance
from delivery_service.storage.transaction import Transaction

_REGISTER = """
INSERT INTO service_keys (name, digest) VALUES (:name, :digest)
ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING digest
"""
# An allowance that is whole begins to be used now; any other is whole by so much later.
_TELL = """
INSERT INTO allowances (name, key, whole_ms, told_ms) VALUES (:name, :key, :now + :ms, :now)
ON CONFLICT (name, key) DO UPDATE SET told_ms = excluded.told_ms,
  whole_ms = CASE WHEN allowances.whole_ms > :now THEN allowances.whole_ms ELSE :now END + :ms
"""
_TOLD = "SELECT name, key, whole_ms FROM allowances WHERE told_ms >= :since AND whole_ms > :now"


def registered(tx: Transaction) -> frozenset[str]:
    """The names of the keys that replicas have."""
    return frozenset(name for (name,) in tx.rows("SELECT name FROM service_keys"))


def register(tx: Transaction, name: str, digest: bytes) -> bytes:
    """The digest of a key that replicas have: this one, if it is the first."""
    return bytes(tx.value(_REGISTER, name=name, digest=digest))


def tell(tx: Transaction, taken: Sequence[Allowance], now_ms: int) -> None:
    """Adds what one replica allowed, and forgets what is whole again."""
    tx.run("DELETE FROM allowances WHERE whole_ms <= :now", now=now_ms)
    for allowance in sorted(taken, key=lambda each: (each.name, each.key)):  # all replicas lock them in one order
        tx.run(_TELL, name=allowance.name, key=allowance.key, ms=allowance.ms, now=now_ms)


def told(tx: Transaction, since_ms: int, now_ms: int) -> list[Allowance]:
    """What all replicas allowed, of the keys that one has told of since."""
    return [Allowance(*row) for row in tx.rows(_TOLD, since=since_ms, now=now_ms)]
