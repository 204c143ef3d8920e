"""Intents: what this device wants done to a group, kept until the group's log shows that it was done or is pointless.

| state     | requested | accepted | proposed | lost    | settled |
|-----------|-----------|----------|----------|---------|---------|
| waiting   | requested | -        | -        | -       | (gone)  |
| requested | -         | accepted | accepted | waiting | (gone)  |
| accepted  | -         | accepted | accepted | waiting | (gone)  |

`requested` keeps the exact octets, their idempotency key and the engine's pending commit; the octets are posted until
the service answers. `lost` means that the log's next commit is another one. Only the log decides: an accepted commit is
applied when reading reaches it, because messages of the old epoch may stand before it. `proposed` means that reading
has reached the own proposal to leave: its request is forgotten, and a member who stays has to commit it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from client.errors import StoreError
from client.records.outbox import new_idempotency_key
from client.storage.store import Row, Store
from delivery_service.wire import CommitBundle


class CreateGroup(msgspec.Struct, frozen=True, tag="create"):
    """Publish a new group; its request is the GroupInfo of epoch 0."""


class AddMembers(msgspec.Struct, frozen=True, tag="add"):
    """Add the owners of these key packages (MLSMessage)."""

    key_packages: list[bytes]


class RemoveMembers(msgspec.Struct, frozen=True, tag="remove"):
    """Remove every device of these numbers (`+E164`)."""

    numbers: list[str]


class RemoveDevice(msgspec.Struct, frozen=True, tag="remove-device"):
    """Remove one device, by its identity (`DeviceIdentity.identity`)."""

    identity: bytes


class SetAdmins(msgspec.Struct, frozen=True, tag="set-admins"):
    """Make these numbers (`+E164`) the admins; what others have changed since they were `instead_of` stays changed."""

    numbers: list[str]
    instead_of: list[str] | None = None


class RotateCredential(msgspec.Struct, frozen=True, tag="rotate"):
    """Put the account's current certificate into this device's leaf."""


class RefreshKeys(msgspec.Struct, frozen=True, tag="refresh"):
    """Replace the keys on this device's path (RFC 9420 §7.5): heals after a key may have leaked."""


class CommitProposals(msgspec.Struct, frozen=True, tag="commit-proposals"):
    """Commit what members have proposed."""


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Propose to remove this device (RFC 9420 §12.1.3), until somebody commits it."""


Body = (
    CreateGroup
    | AddMembers
    | RemoveMembers
    | RemoveDevice
    | SetAdmins
    | RotateCredential
    | RefreshKeys
    | CommitProposals
    | Leave
)


class IntentState(StrEnum):
    """How far an intent has come."""

    WAITING = "waiting"
    REQUESTED = "requested"
    ACCEPTED = "accepted"


class IntentEvent(StrEnum):
    """What can happen to an intent."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    PROPOSED = "proposed"
    LOST = "lost"


_TRANSITIONS = {
    (IntentState.WAITING, IntentEvent.REQUESTED): IntentState.REQUESTED,
    (IntentState.REQUESTED, IntentEvent.ACCEPTED): IntentState.ACCEPTED,
    (IntentState.REQUESTED, IntentEvent.PROPOSED): IntentState.ACCEPTED,
    (IntentState.REQUESTED, IntentEvent.LOST): IntentState.WAITING,
    (IntentState.ACCEPTED, IntentEvent.ACCEPTED): IntentState.ACCEPTED,
    (IntentState.ACCEPTED, IntentEvent.PROPOSED): IntentState.ACCEPTED,
    (IntentState.ACCEPTED, IntentEvent.LOST): IntentState.WAITING,
}


def transition(state: IntentState, event: IntentEvent) -> IntentState:
    """The table above. Raises StoreError for what cannot happen."""
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise StoreError(f"an intent cannot be {event} while it is {state}") from None


@dataclass(frozen=True, slots=True)
class Request:
    """The octets to post: for a commit an encoded CommitBundle and the engine's pending commit."""

    idempotency_key: str
    epoch: int
    octets: bytes
    secrets: bytes | None

    @property
    def message(self) -> bytes:
        """The MLS message that will stand in the log."""
        return self.octets if self.secrets is None else msgspec.msgpack.decode(self.octets, type=CommitBundle).commit


@dataclass(frozen=True, slots=True)
class Intent:
    """A row; `request` from the moment something is ready to be posted until it is lost."""

    id: int
    group_id: bytes
    body: Body
    state: IntentState
    request: Request | None

    @property
    def is_proposed(self) -> bool:
        """Whether the log holds this device's proposal to leave, in the group's current epoch."""
        return self.state is IntentState.ACCEPTED and self.request is None


class Intents:
    """The rows; every change of state goes through `transition`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, group_id: bytes, body: Body) -> int:
        """Note something to be done; returns the intent's id."""
        return self._store.insert(
            "INSERT INTO intent (group_id, body, state) VALUES (?, ?, ?)",
            group_id,
            msgspec.msgpack.encode(body),
            IntentState.WAITING,
        )

    def add_once(self, group_id: bytes, body: Body) -> int:
        """Note something to be done unless the same is noted already; returns what is noted."""
        noted = next((intent.id for intent in self.of(group_id) if intent.body == body), None)
        return self.add(group_id, body) if noted is None else noted

    def of(self, group_id: bytes) -> list[Intent]:
        """A group's intents in order; the one with a request, of which there is at most one, comes first."""
        return self._select("WHERE group_id = ? ORDER BY request IS NULL, id", group_id)

    def groups(self) -> list[bytes]:
        """The groups with intents."""
        return [row[0] for row in self._store.rows("SELECT DISTINCT group_id FROM intent")]

    def get(self, intent: int) -> Intent | None:
        """An intent that is not settled yet."""
        found = self._select("WHERE id = ?", intent)
        return found[0] if found else None

    def own_entry(self, group_id: bytes, body: bytes) -> Intent | None:
        """The intent whose commit or proposal this log entry is, by its octets: the rest is the service's word."""
        for intent in self._select("WHERE group_id = ? AND request IS NOT NULL", group_id):
            if intent.request is not None and intent.request.message == body:
                return intent
        return None

    def requested(self, intent: Intent, epoch: int, octets: bytes, secrets: bytes | None) -> None:
        """Keep what is to be posted, under a fresh idempotency key."""
        self._store.execute(
            "UPDATE intent SET state = ?, idempotency_key = ?, epoch = ?, request = ?, secrets = ? WHERE id = ?",
            transition(intent.state, IntentEvent.REQUESTED),
            new_idempotency_key(),
            epoch,
            octets,
            secrets,
            intent.id,
        )

    def accepted(self, intent: Intent) -> None:
        """Note that the service has ordered the request."""
        state = transition(intent.state, IntentEvent.ACCEPTED)
        self._store.execute("UPDATE intent SET state = ? WHERE id = ?", state, intent.id)

    def proposed(self, intent: Intent) -> None:
        """Forget the request, because the log holds the proposal; others carry it out."""
        self._forget_request(intent, IntentEvent.PROPOSED)

    def lost(self, intent: Intent) -> None:
        """Forget the request, because another commit won; the intent is carried out again."""
        self._forget_request(intent, IntentEvent.LOST)

    def _forget_request(self, intent: Intent, event: IntentEvent) -> None:
        self._store.execute(
            "UPDATE intent SET state = ?, idempotency_key = NULL, epoch = NULL, request = NULL, secrets = NULL "
            "WHERE id = ?",
            transition(intent.state, event),
            intent.id,
        )

    def settle(self, intent: int) -> None:
        """Forget the intent: it is done, pointless or refused."""
        self._store.execute("DELETE FROM intent WHERE id = ?", intent)

    def forget_group(self, group_id: bytes) -> Sequence[Intent]:
        """Forget all intents of a group that this device has left; returns them."""
        forgotten = self.of(group_id)
        self._store.execute("DELETE FROM intent WHERE group_id = ?", group_id)
        return forgotten

    def _select(self, condition: str, *values: object) -> list[Intent]:
        query = f"SELECT id, group_id, body, state, idempotency_key, epoch, request, secrets FROM intent {condition}"  # noqa: S608 - constant
        return [_intent(row) for row in self._store.rows(query, *values)]


def _intent(row: Row) -> Intent:
    id_, group_id, body, state, key, epoch, octets, secrets = row
    request = None if octets is None else Request(key, epoch, octets, secrets)
    return Intent(id_, group_id, msgspec.msgpack.decode(body, type=Body), IntentState(state), request)
