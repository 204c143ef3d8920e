"""What an account shows to a screen, a script or another process: one shape each, the same in memory and as JSON.

Numbers are `+E164`, times are UTC, `group` is a chat's group id in hexadecimal, `row` a message's place in this
device's history. All text of others in these shapes has been made harmless (client.formats.text) and may be drawn.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Place = Literal["inbox", "request", "quarantine", "aside", "drop"]
CertificateState = Literal["valid", "expired", "revoked", "invalid"]
Rendering = Literal["text", "markdown", "json"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One shape; fields may be added in later versions, never renamed."""


class CheckView(View, frozen=True, kw_only=True):
    """One numbered check (docs/binding.md §5): its outcome and what it compared."""

    number: int
    name: str
    outcome: Literal["passed", "failed", "skipped", "undecided"]
    compared: str


class FailedCheck(View, frozen=True, kw_only=True):
    """The number and the name of the check that failed."""

    number: int
    name: str


class ProofView(View, frozen=True, kw_only=True):
    """The verdict on a received message; `label` is its word and sign, `code` the RFC 8224 analogue."""

    verdict: str
    label: str
    number: str | None
    reason: str
    code: int | None
    check: FailedCheck | None


class QuoteView(View, frozen=True, kw_only=True):
    """The message that another one answers; `row` is None if this device does not have it."""

    row: int | None
    sender: str | None
    name: str | None
    text: str


class ReactionView(View, frozen=True, kw_only=True):
    """One emoji and who gave it; `own` if this account did."""

    emoji: str
    numbers: list[str]
    own: bool


class AttachmentView(View, frozen=True, kw_only=True):
    """A file that was offered; nothing of it is fetched before somebody asks. `saved`: where it lies on this device."""

    filename: str
    content_type: str
    size: int
    is_image: bool
    saved: str | None


class MessageView(View, frozen=True, kw_only=True):
    """One row of a conversation.

    `kind`: received, sent, notice (who came, who left), gap (an entry that could not be read), titled (names the chat)
    or timed (says when messages disappear); edit, deletion and reaction are `aside`: they show in what they change.
    `state` of an own message: queued, sending, accepted, delivered, failed, or elsewhere if another device of this
    account has sent it; `reason` says why it failed.
    `place`: where it is shown; outside the inbox `text` is empty, `why` says why, `rule` names the rule that hid it.
    `hidden`: how many invisible characters were taken out of the text.
    `key`: `new` if it is by a key of a known number that was not met, `other` if that was accepted beside earlier keys:
    what the number is called here then does not go with it. `reported`: when this account reported it.
    """

    row: int
    id: str
    kind: str
    group: str
    chat: str
    seq: int | None
    sender: str | None = msgspec.field(name="from")
    name: str | None
    text: str
    arrived: Moment
    state: str | None
    reason: str | None
    proof: ProofView | None
    place: Place = "inbox"
    why: str = ""
    rule: str = ""
    reply: QuoteView | None = None
    reactions: list[ReactionView] = []
    attachment: AttachmentView | None = None
    edited: bool = False
    withdrawn: bool = False
    mentions_me: bool = False
    hidden: int = 0
    expires: Moment | None = None
    key: Literal["", "new", "other"] = ""
    reported: Moment | None = None

    @property
    def own(self) -> bool:
        """Whether this account sent it; of others' messages a proof is missing once they were taken back."""
        return self.proof is None and self.state is not None


class ChatView(View, frozen=True, kw_only=True):
    """One chat in the list. `direct` is the other person's number where there are two and no roles.

    `roles`: whether only admins may change who is in it, what it is called and when messages disappear.

    `standing`: active, leaving, left, removed, ended, lost; one that has `ended` was `deleted` at the service or begun
    `anew`, where `successor` is the group in which it goes on, once this account is there. `timer`: seconds after which
    new messages disappear, 0 for never.
    `waiting` and `failed` count own messages; `quarantined` those of others that failed their check.
    `blocked`: the other person of a direct chat is blocked, and what they write is held back. `wants_proof`: so is
    every message that comes without a proof.
    """

    group: str
    chat: str
    direct: str | None
    roles: bool
    standing: str
    place: Place | Literal["declined"]
    members: int
    epoch: int
    seq: int
    unread: int
    mentions: int
    last_text: str
    last_from: str | None
    last_name: str | None
    last_at: Moment | None
    last_verdict: str | None
    pinned: bool
    archived: bool
    muted_until: Moment | None
    timer: int
    draft: str
    waiting: int
    failed: int
    quarantined: int
    blocked: bool = False
    wants_proof: bool = False
    trouble: str = ""
    ended: Literal["", "deleted", "anew"] = ""
    successor: str = ""


class MemberView(View, frozen=True, kw_only=True):
    """One device in a chat. `proof` says in words what its certificate shows now; `good` whether it is in order.

    `state`: valid, expired (it ended, and the device renews it when it is next used), revoked, or not valid at all.

    `status`: of the number, as its authority published it (clear, reported, withdrawn). `key` is the device's key, in
    hexadecimal; `met`: not a new telephone or holder of a number that is known here; `named`: what the number is called
    here goes with it. `log`: what it last said about the chat's log; `awaited`: it was added and not heard from since;
    `overdue`: for so long that it may not know. `other_device`: it is of one's own number, and not this one.
    `proposed`: that the delivery service proposes to remove it, why, and whether that is so.
    """

    number: str
    name: str | None
    you: bool
    admin: bool
    leaf: int
    proof: str
    good: bool
    certificate_ends: Moment
    fingerprint: str
    key: str = ""
    met: bool = True
    named: bool = True
    first_seen: Moment | None = None
    status: str = "clear"
    state: CertificateState = "valid"
    log: str = ""
    awaited: bool = False
    overdue: bool = False
    other_device: bool = False
    proposed: str = ""


class AgreementView(View, frozen=True, kw_only=True):
    """What one other device last said about a chat's log: up to which entry it agrees, or that it was shown another.

    `agrees` is None while it has said nothing. `words`: the same for a person.
    """

    number: str
    name: str | None
    leaf: int
    agrees: bool | None
    epoch: int | None
    seq: int | None
    words: str


class CheckNumberView(View, frozen=True, kw_only=True):
    """The group's check number: equal on every member's device that shares the group's state (RFC 9420 §8.7)."""

    digits: str
    epoch: int
    chat: str


class CertificateView(View, frozen=True, kw_only=True):
    """One certificate of a chain; `numbers` are its TNAuthList entries in words."""

    subject: str
    issuer: str
    fingerprint: str
    not_before: Moment
    not_after: Moment
    numbers: str


class InspectionView(View, frozen=True, kw_only=True):
    """Everything that was compared for one message. `sentence` is for a layman, `caution` always stands below it.

    `confirmable`: whether the delivery service can confirm a message of others without having read it (docs/binding.md
    §6.1); None for own messages. `judged`: when the verdict was made, with what was known then of the sender's
    certificate (`status_then`); `status_now`: what is known today, which changes no verdict. All empty where no
    verdict was kept. `revoked_since`: whether today's list names the certificate and the verdict did not know it.
    `trust`: by which set of trust anchors it was judged, beside the account's and the chat's.
    """

    message: MessageView
    sentence: str
    caution: str
    checks: list[CheckView]
    header: dict[str, str]
    claims: dict[str, str]
    chain: list[CertificateView]
    epoch: int | None
    leaf: int | None
    signed: Moment | None
    arrived: Moment
    age: str
    passport: str
    content: str
    confirmable: Literal["good", "absent", "wrong"] | None = None
    judged: Moment | None = None
    status_then: str = ""
    status_now: str = ""
    revoked_since: bool = False
    trust: str = ""


class AccountView(View, frozen=True, kw_only=True):
    """This account on this device; `anchors` is the fingerprint of the roots it trusts."""

    number: str
    home: str
    authority: str
    delivery: str
    certificate_ends: Moment
    anchors: str
    invite: str
    short_code: str


class FrankingKeyView(View, frozen=True, kw_only=True):
    """One key with which the delivery service confirms messages; `since` is None while this account does not use it."""

    key: str
    since: Moment | None
    shown: bool


class StatusView(View, frozen=True, kw_only=True):
    """How the account stands towards its services. `doing`: what is in flight, in words; empty if nothing is.

    `requests` and `held` count chats that were not accepted, `quarantined` messages, `transfers` files on their way.
    `retention`: seconds for which the delivery service keeps messages, 0 until that is known. `revoked`: this device's
    certificate was revoked, as the authority's list or the delivery service says; `trouble_hint`: what to do about the
    trouble.
    """

    online: bool
    since: Moment | None
    doing: str
    waiting: int
    trouble: str
    requests: int
    quarantined: int
    unread: int
    held: int = 0
    alarms: int = 0
    retention: int = 0
    transfers: int = 0
    revoked: bool = False
    trouble_hint: str = ""


class FindingView(View, frozen=True, kw_only=True):
    """One thing that the doctor looked at."""

    subject: str
    right: bool
    words: str
