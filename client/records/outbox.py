"""The outbox: from a queued text to the log's own copy of it.

| state     | encrypted | accepted  | stale  | refused | read back | retried | lost   | taken back |
|-----------|-----------|-----------|--------|---------|-----------|---------|--------|------------|
| queued    | sending   | -         | -      | failed  | -         | -       | -      | -          |
| sending   | -         | accepted  | queued | failed  | delivered | -       | -      | queued     |
| accepted  | -         | accepted  | -      | failed  | delivered | -       | queued | queued     |
| delivered | -         | delivered | -      | -       | -         | -       | -      | queued     |
| failed    | -         | -         | -      | -       | -         | queued  | -      | -          |

`sending` keeps the exact octets and their idempotency key until the service has answered them: nothing is encrypted
again before a definitive refusal. `stale` is the refusal of an entry for another epoch than the group's; `lost` that
the log was read to its end and does not hold what was accepted; `taken back` that the epoch in which it was encrypted
was undone (client.steps.rollback).
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from client.errors import StoreError
from client.storage.store import Row, Store


class OutboxState(StrEnum):
    """How far a message has come."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"


class OutboxEvent(StrEnum):
    """What can happen to a message on its way."""

    ENCRYPTED = "encrypted"
    ACCEPTED = "accepted"
    STALE = "stale"
    REFUSED = "refused"
    READ_BACK = "read back"
    RETRIED = "retried"
    LOST = "lost"
    TAKEN_BACK = "taken back"


_TRANSITIONS = {
    (OutboxState.QUEUED, OutboxEvent.ENCRYPTED): OutboxState.SENDING,
    (OutboxState.QUEUED, OutboxEvent.REFUSED): OutboxState.FAILED,
    (OutboxState.SENDING, OutboxEvent.ACCEPTED): OutboxState.ACCEPTED,
    (OutboxState.SENDING, OutboxEvent.STALE): OutboxState.QUEUED,
    (OutboxState.SENDING, OutboxEvent.REFUSED): OutboxState.FAILED,
    (OutboxState.SENDING, OutboxEvent.READ_BACK): OutboxState.DELIVERED,
    (OutboxState.ACCEPTED, OutboxEvent.ACCEPTED): OutboxState.ACCEPTED,
    (OutboxState.ACCEPTED, OutboxEvent.READ_BACK): OutboxState.DELIVERED,
    (OutboxState.ACCEPTED, OutboxEvent.REFUSED): OutboxState.FAILED,
    (OutboxState.ACCEPTED, OutboxEvent.LOST): OutboxState.QUEUED,
    (OutboxState.DELIVERED, OutboxEvent.ACCEPTED): OutboxState.DELIVERED,
    (OutboxState.FAILED, OutboxEvent.RETRIED): OutboxState.QUEUED,
    (OutboxState.SENDING, OutboxEvent.TAKEN_BACK): OutboxState.QUEUED,
    (OutboxState.ACCEPTED, OutboxEvent.TAKEN_BACK): OutboxState.QUEUED,
    (OutboxState.DELIVERED, OutboxEvent.TAKEN_BACK): OutboxState.QUEUED,
}


# The condition of the index `outbox_open`, word for word: only then does SQLite use it.
OPEN = "state IN ('queued', 'sending', 'accepted')"


def transition(state: OutboxState, event: OutboxEvent) -> OutboxState:
    """The table above. Raises StoreError for what cannot happen."""
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise StoreError(f"a message cannot be {event} while it is {state}") from None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row of the outbox; `message` is its row in the history."""

    message: int
    group_id: bytes
    state: OutboxState
    idempotency_key: str | None
    epoch: int | None
    ciphertext: bytes | None


def new_idempotency_key() -> str:
    """A fresh 32-digit key (delivery_service.wire)."""
    return secrets.token_hex(16)


class Outbox:
    """The rows; every change goes through `transition`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queue(self, message: int, group_id: bytes) -> None:
        """Add a message, not yet encrypted."""
        self._store.execute(
            "INSERT INTO outbox (message, group_id, state) VALUES (?, ?, ?)", message, group_id, OutboxState.QUEUED
        )

    def next(self, group_id: bytes) -> Outgoing | None:
        """The oldest message of the group that the service has not answered."""
        return self._one(f"group_id = ? AND state <> 'accepted' AND {OPEN} ORDER BY message", group_id)

    def groups(self) -> list[bytes]:
        """The groups with unanswered messages."""
        return [
            row[0]
            for row in self._store.rows(f"SELECT DISTINCT group_id FROM outbox WHERE state <> 'accepted' AND {OPEN}")  # noqa: S608 - constant
        ]

    def own_entry(self, group_id: bytes, body: bytes) -> Outgoing | None:
        """The message that this log entry is the own copy of, by its octets: the rest is the service's word."""
        return self._one(f"group_id = ? AND state <> 'queued' AND {OPEN} AND ciphertext = ?", group_id, body)

    def encrypted(self, message: int, epoch: int, ciphertext: bytes) -> None:
        """Note the octets to post, under a fresh idempotency key."""
        state = transition(self.state(message), OutboxEvent.ENCRYPTED)
        self._store.execute(
            "UPDATE outbox SET state = ?, idempotency_key = ?, epoch = ?, ciphertext = ? WHERE message = ?",
            state,
            new_idempotency_key(),
            epoch,
            ciphertext,
            message,
        )

    def accepted(self, message: int, seq: int) -> OutboxState:
        """Note the service's answer; the octets stay until the log's copy is compared with them."""
        state = transition(self.state(message), OutboxEvent.ACCEPTED)
        self._store.execute("UPDATE outbox SET state = ?, seq = ? WHERE message = ?", state, seq, message)
        return state

    def stale(self, message: int) -> None:
        """Note a refusal that calls for encrypting again."""
        self._encrypt_again(message, OutboxEvent.STALE)

    def lost(self, message: int) -> None:
        """Note that the log does not hold what was accepted, which calls for the same."""
        self._encrypt_again(message, OutboxEvent.LOST)

    def taken_back(self, group_id: bytes, epoch: int) -> None:
        """Note that the epochs after this one are undone, and what was encrypted in them with them.

        Of what its sender took back nothing is left to encrypt: only that it was taken back is said again.
        """
        query = (
            "SELECT message FROM outbox JOIN proof USING (message) WHERE group_id = ? AND epoch > ? "
            "AND state IN ('sending', 'accepted', 'delivered')"
        )
        for (message,) in self._store.rows(query, group_id, epoch):
            self._encrypt_again(message, OutboxEvent.TAKEN_BACK)

    def _encrypt_again(self, message: int, event: OutboxEvent) -> None:
        state = transition(self.state(message), event)
        self._store.execute(
            "UPDATE outbox SET state = ?, idempotency_key = NULL, epoch = NULL, ciphertext = NULL WHERE message = ?",
            state,
            message,
        )

    def refused(self, message: int, reason: str) -> None:
        """Note a definitive refusal; its reason is shown with the message."""
        state = transition(self.state(message), OutboxEvent.REFUSED)
        self._store.execute(
            "UPDATE outbox SET state = ?, reason = ?, ciphertext = NULL WHERE message = ?", state, reason, message
        )

    def retried(self, message: int) -> None:
        """Note that a person wants a refused message to be sent after all."""
        state = transition(self.state(message), OutboxEvent.RETRIED)
        self._store.execute(
            "UPDATE outbox SET state = ?, reason = '', idempotency_key = NULL, epoch = NULL WHERE message = ?",
            state,
            message,
        )

    def read_back(self, message: int, seq: int) -> None:
        """Note that the log holds the message; its octets are not needed any more."""
        state = transition(self.state(message), OutboxEvent.READ_BACK)
        self._store.execute(
            "UPDATE outbox SET state = ?, seq = ?, ciphertext = NULL WHERE message = ?", state, seq, message
        )

    def state(self, message: int) -> OutboxState:
        """How far a message has come. Raises StoreError if it is not an outgoing one."""
        row = self._store.row("SELECT state FROM outbox WHERE message = ?", message)
        if row is None:
            raise StoreError("there is no such message in the outbox")
        return OutboxState(row[0])

    def unconfirmed(self, group_id: bytes) -> list[Outgoing]:
        """The messages of a group that were accepted and not read back."""
        return self._select(f"group_id = ? AND state = 'accepted' AND {OPEN} ORDER BY message", group_id)

    def queued(self, group_id: bytes) -> list[Outgoing]:
        """The messages of a group that were never encrypted, or only for a past epoch."""
        return self._select("group_id = ? AND state = 'queued' ORDER BY message", group_id)

    def _one(self, condition: str, *values: object) -> Outgoing | None:
        found = self._select(f"{condition} LIMIT 1", *values)
        return found[0] if found else None

    def _select(self, condition: str, *values: object) -> list[Outgoing]:
        query = f"SELECT message, group_id, state, idempotency_key, epoch, ciphertext FROM outbox WHERE {condition}"  # noqa: S608 - constant
        return [_outgoing(row) for row in self._store.rows(query, *values)]


def _outgoing(row: Row) -> Outgoing:
    message, group_id, state, *rest = row
    return Outgoing(message, group_id, OutboxState(state), *rest)
