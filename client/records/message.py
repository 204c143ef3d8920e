"""One row of the history as a value: what was said, what it came with, and what has become of it."""

from dataclasses import dataclass
from enum import StrEnum

from client.defence.admission import Frank, Place
from identity.binding import MessageContext, Verification
from identity.number import TelephoneNumber


class Kind(StrEnum):
    """What a row of the history is."""

    RECEIVED = "received"
    SENT = "sent"
    GAP = "gap"  # an entry that this device could not read, with the reason
    TITLED = "titled"  # a message that names the chat
    TIMED = "timed"  # a message that sets after which time messages disappear
    NOTICE = "notice"  # who came, who left
    EDIT = "edit"  # what changes another row, and shows there
    DELETION = "deletion"
    REACTION = "reaction"

    @property
    def is_aside(self) -> bool:
        """Whether the row only changes another one."""
        return self in (Kind.EDIT, Kind.DELETION, Kind.REACTION)


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the history. `id` is its local order, `message_id` its name (hexadecimal for messages).

    `franked`: the service's frank where it fits, for a report that shows no PASSporT.
    """

    id: int
    message_id: str
    group_id: bytes
    chat: str
    seq: int | None
    kind: Kind
    sender: TelephoneNumber | None
    text: str
    framed: bytes
    passport: bytes | None
    verification: Verification | None
    stored_context: bytes | None
    arrived: int
    at_ms: int | None
    place: Place
    why: str
    in_reply_to: str
    replaces: str
    latest: str | None
    withdrawn: bool
    mention: bool
    hidden: int
    attached: bool
    saved: str
    ends_at: int | None
    rule: str = ""
    frank: Frank = Frank.ABSENT
    state: str | None = None
    reason: str | None = None
    franked: bytes | None = None

    @property
    def words(self) -> str:
        """What the row says now: after edits, and nothing once it was taken back."""
        return "" if self.withdrawn else self.text if self.latest is None else self.latest


FINDABLE = (Kind.RECEIVED, Kind.SENT)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be added; `context` and `verification` only for received ones.

    `in_reply_to` and `replaces` are message ids in hexadecimal; `lives_for`: seconds it is kept once it was seen.
    """

    message_id: str
    group_id: bytes
    sender: TelephoneNumber
    text: str
    framed: bytes
    arrived: int
    seq: int | None = None
    at_ms: int | None = None
    passport: bytes | None = None
    context: MessageContext | None = None
    verification: Verification | None = None
    in_reply_to: str = ""
    replaces: str = ""
    mention: bool = False
    hidden: int = 0
    attached: bool = False
    lives_for: int = 0
    ends_at: int | None = None
    frank: Frank = Frank.ABSENT
    franked: bytes | None = None
