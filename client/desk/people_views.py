"""What an account shows of people, their keys and how they reach it; numbers and times are as in client.desk.views."""

from typing import Literal

from client.desk.views import Moment, View

AskState = Literal["granted", "waiting", "lapsed"]


class RequestView(View, frozen=True, kw_only=True):
    """Somebody has added this device to a chat that was not accepted; nothing of what they wrote or named is here.

    `why` says why it waits, and `rule` names the rule that made it wait; if it is `held`, nobody is told of it.
    `status`: of the number, as its authority published it.

    `alike`: a contact whose number differs in one digit. `messages`: how many wait unread behind the request; `row`:
    the newest of them, for inspecting its proof. `new_key`: a known number asks on a key that was not met.

    `kind` is `contact` if there is no chat yet: a proven number asks to be let through, and `group` is empty.
    """

    group: str
    number: str
    direct: bool
    members: int
    messages: int
    label: str
    why: str
    alike: str | None
    alike_name: str | None
    at: Moment
    row: int | None = None
    rule: str = ""
    new_key: bool = False
    held: bool = False
    status: str = "clear"
    kind: Literal["chat", "contact"] = "chat"

    @property
    def handle(self) -> str:
        """Tells it from all others: the group, or the number that asks."""
        return self.group or self.number


class ModeView(View, frozen=True, kw_only=True):
    """How this number may be reached; how many numbers the delivery service is to know as granted or blocked."""

    mode: Literal["open", "ask", "contacts"]
    words: str
    granted: int
    blocked: int


class AskView(View, frozen=True, kw_only=True):
    """A number that this account has asked. `state`: granted (write to it now), waiting, or lapsed at `ends`."""

    number: str
    name: str | None
    at: Moment
    ends: Moment
    state: AskState
    words: str


class KeyView(View, frozen=True, kw_only=True):
    """One key of a number. `words` say how it was met; `named`: what the number is called here goes with it."""

    number: str
    key: str
    met: bool
    named: bool
    words: str
    first_seen: Moment


class AlarmView(View, frozen=True, kw_only=True):
    """A sign that the number or this device's key is used elsewhere, and what to do about it.

    `kind`: certificate, renewal, session, key-package, message or log. `acknowledged`: when a person put it away.
    """

    id: int
    kind: str
    words: str
    advice: str
    at: Moment
    raised: Moment
    acknowledged: Moment | None


class WatchedLogView(View, frozen=True, kw_only=True):
    """A log of certificates that is watched for this number; `log` is the SHA-256 of its key.

    `size`: entries, by its last head, which is of `head`; `read`: those that were read. `looked`: when it was last
    found in order.
    """

    name: str
    log: str
    url: str
    size: int
    read: int
    head: Moment | None
    looked: Moment | None


class ContactView(View, frozen=True, kw_only=True):
    """A person this account knows: by being accepted, written to, or named here."""

    number: str
    name: str | None
    accepted: bool
    blocked: bool
    dropped: int
