"""What a session tells: values for a screen, a script or a test; each is told after the store has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from client.records.message import Message
from identity.number import TelephoneNumber

Outcome = Literal["done", "moot", "refused"]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message was decrypted, verified and stored; its verdict is `message.verification`."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """The delivery service has ordered an own message; the log's own copy has not been read yet."""

    group_id: bytes
    message: int
    seq: int


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """The log's own copy of an own message was read: everybody in the group can read it there."""

    group_id: bytes
    message: int
    seq: int


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """An own message will not be sent, for this reason."""

    group_id: bytes
    message: int
    reason: str


@dataclass(frozen=True, slots=True)
class ChatJoined:
    """A Welcome was accepted; `inviter` is the member who signed it."""

    group_id: bytes
    name: str
    inviter: TelephoneNumber
    members: tuple[TelephoneNumber, ...]


@dataclass(frozen=True, slots=True)
class ChatNamed:
    """A member has named the chat; `name` is what it is called on this device now."""

    group_id: bytes
    name: str
    sender: TelephoneNumber


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """A commit was applied. `renewed` have a new certificate or key; `left` are those removed who had proposed it.

    `removed_self` ends the chat for this device. `promoted` have become admins, `demoted` are none any more. `staying`:
    numbers of which other devices were there before and are there still.
    """

    group_id: bytes
    name: str
    epoch: int
    committer: TelephoneNumber | None
    added: Sequence[TelephoneNumber]
    removed: Sequence[TelephoneNumber]
    left: Sequence[TelephoneNumber]
    renewed: Sequence[TelephoneNumber]
    removed_self: bool
    promoted: Sequence[TelephoneNumber] = ()
    demoted: Sequence[TelephoneNumber] = ()
    staying: frozenset[TelephoneNumber] = frozenset()


@dataclass(frozen=True, slots=True)
class ChangeTakenBack:
    """Commits of one device were undone, since most others cannot apply them; the history has the words."""

    group_id: bytes
    name: str
    committer: TelephoneNumber | None
    words: str


@dataclass(frozen=True, slots=True)
class ChatMoved:
    """A chat goes on in another one, which has its name now."""

    group_id: bytes
    successor: bytes
    name: str


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A member has proposed something; the next commit carries it out."""

    group_id: bytes
    kind: str
    sender: TelephoneNumber | None


@dataclass(frozen=True, slots=True)
class IntentSettled:
    """What was to be done to a group is done, has become pointless, or was refused; `why` says more.

    `code`: of the rule that refused it, where there is one.
    """

    group_id: bytes
    intent: int
    outcome: Outcome
    why: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """An entry of the log could not be read; the history has it too. `cause` is what the error's cause said."""

    group_id: bytes
    name: str
    seq: int
    code: str
    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class WelcomeRefused:
    """An invitation could not be accepted."""

    group_id: bytes
    code: str
    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class ContactAsked:
    """Somebody asks to reach this account; the number is proven."""

    number: TelephoneNumber


@dataclass(frozen=True, slots=True)
class ContactGranted:
    """A number that was asked has agreed: it can be written to now."""

    number: TelephoneNumber


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something could not be done now and will be tried again; `group_id` is None if it concerns no single chat."""

    group_id: bytes | None
    error: Exception
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alarmed:
    """There is a sign that the number or this device's key is used elsewhere (client.defence.alarms)."""

    waiting: int


Event = (
    Alarmed
    | MessageReceived
    | MessageAccepted
    | MessageDelivered
    | MessageFailed
    | ChatJoined
    | ChatNamed
    | MembersChanged
    | ChangeTakenBack
    | ChatMoved
    | ProposalReceived
    | IntentSettled
    | Gap
    | WelcomeRefused
    | ContactAsked
    | ContactGranted
    | Trouble
)
