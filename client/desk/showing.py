"""Rows of the store as views: what a person may see of them. Runs on the worker thread."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from client.defence.admission import STRANGER, Consent, Place
from client.desk.people_views import ContactView, RequestView
from client.desk.views import AttachmentView, ChatView, FailedCheck, MessageView, ProofView, QuoteView, ReactionView
from client.formats.content import decode
from client.formats.filenames import safe_filename
from client.formats.reading import Attached, read
from client.records.browsing import Overview
from client.records.chats import Chat, Standing
from client.records.contacts import Contact
from client.records.message import Kind, Message
from client.steps.ending import How
from client.steps.wired import Steps
from client.words.wording import VERDICT_WORDS
from identity.binding import Verification
from identity.number import TelephoneNumber

EXCERPT_LIMIT = 120  # characters of a quoted or a last line
ELSEWHERE = "elsewhere"  # the state of what another device of this account has sent
_VISIBLE = (Place.INBOX, Place.ASIDE)


class Showing:
    """Makes views; a person's own names for numbers are looked up once for a batch."""

    def __init__(self, steps: Steps, now: Callable[[], int]) -> None:
        self._steps = steps
        self._now = now
        self._own = steps.groups.account.number.e164

    def messages(self, messages: Iterable[Message]) -> list[MessageView]:
        """Rows as they may be shown."""
        names = self._steps.groups.contacts.names()
        return [self._message(message, names, reveal=False) for message in messages]

    def message(self, message: Message, *, reveal: bool = False) -> MessageView:
        """One row; with `reveal` its words although it is held back."""
        return self._message(message, self._steps.groups.contacts.names(), reveal=reveal)

    def chats(self, overviews: Iterable[Overview]) -> list[ChatView]:
        """Lines of the list."""
        names, blocked = self._steps.groups.contacts.names(), self._steps.groups.contacts.blocked()
        wanting, marks = self._steps.chats.wanting_proof(), self._steps.lookout.troubles.marks()
        return [
            _chat(
                overview,
                self._names_in(overview, names),
                blocked,
                overview.chat.group_id in wanting,
                marks.get(overview.chat.group_id, ""),
                self._how(overview.chat),
            )
            for overview in overviews
        ]

    def _how(self, chat: Chat) -> How | None:
        ended = chat.standing is Standing.ENDED
        return self._steps.endings.how(chat.group_id, self._steps.continuity.own) if ended else None

    def _names_in(self, overview: Overview, names: dict[str, str]) -> dict[str, str]:
        """The names, without that of the last message's sender if it does not go with their key."""
        if overview.last_row is None or not self._steps.continuity.mark(overview.last_row):
            return names
        return {number: name for number, name in names.items() if number != overview.last_sender}

    def request(self, overview: Overview) -> RequestView:
        """A request, without anything that its sender chose but the number."""
        chat = overview.chat
        place = Place.QUARANTINE if chat.consent is Consent.QUARANTINE else Place.REQUEST
        waiting = self._steps.browsing.apart(place, chat.group_id)
        said = [row for row in waiting if row.kind is Kind.RECEIVED]
        verdict = next((row.verification.verdict for row in said if row.verification is not None), None)
        alike, alike_name = self.alike(chat.inviter)
        why, rule = self._steps.admitting.why_chat(chat.group_id)
        new_key = self._steps.continuity.asks_on_new_key(chat.group_id)
        return RequestView(
            group=chat.group_id.hex(),
            number=chat.inviter,
            direct=bool(chat.direct),
            members=chat.members,
            messages=len(said),
            label="no message yet" if verdict is None else VERDICT_WORDS[verdict],
            why=self._steps.continuity.request_words(chat.inviter) if new_key else why or STRANGER,
            alike=alike,
            alike_name=alike_name,
            at=moment(min((row.arrived for row in waiting), default=chat.read_at)),
            row=said[0].id if said else None,
            rule=rule,
            held=chat.consent is Consent.QUARANTINE,
            new_key=new_key,
            status=self.status(TelephoneNumber.from_digits(chat.inviter.removeprefix("+"))),
        )

    def status(self, number: TelephoneNumber) -> str:
        """What the authority's list says of a number now."""
        return self._steps.statuses.of(number, self._now()).value

    def contact(self, contact: Contact) -> ContactView:
        """A contact."""
        return ContactView(
            number=contact.number.e164,
            name=contact.name or None,
            accepted=contact.accepted,
            blocked=contact.blocked,
            dropped=contact.dropped,
        )

    def _accepted(self, group_id: bytes) -> bool:
        """Whether a chat's name may be shown: its creator chose it."""
        chat = self._steps.chats.get(group_id)
        return chat is not None and chat.consent is Consent.INBOX

    def alike(self, number: str) -> tuple[str | None, str | None]:
        """A contact whose number differs in one digit, and what it is called here."""
        contacts = (each for each in self._steps.groups.contacts.all() if each.accepted)
        found = next((each for each in contacts if _one_digit_apart(each.number.e164, number)), None)
        return (None, None) if found is None else (found.number.e164, found.name or None)

    def _message(self, message: Message, names: dict[str, str], *, reveal: bool) -> MessageView:
        visible = reveal or message.place in _VISIBLE
        sender = None if message.sender is None else message.sender.e164
        attached = self._attached(message) if visible else None
        key = self._steps.continuity.mark(message.id)
        state = ELSEWHERE if self._is_from_elsewhere(message) else message.state
        return MessageView(
            row=message.id,
            id=message.message_id,
            kind=message.kind.value,
            group=message.group_id.hex(),
            chat=message.chat if visible and self._accepted(message.group_id) else "",
            seq=message.seq,
            sender=sender,
            name=names.get(sender) if sender and not key else None,
            text=_text(message, attached) if visible else "",
            arrived=moment(message.arrived),
            state=state,
            reason=message.reason or None,
            proof=None if state else _proof(self._steps.relations.standing_edit(message) or message),
            place=message.place.value,
            why=message.why,
            rule=message.rule,
            reply=self._quote(message, names) if visible else None,
            reactions=self._reactions(message) if visible else [],
            attachment=None if attached is None else _attachment(attached, message.saved),
            edited=message.latest is not None,
            withdrawn=message.withdrawn,
            mentions_me=message.mention and visible,
            hidden=message.hidden,
            expires=None if message.ends_at is None else moment(message.ends_at),
            key=key,
            reported=self._reported(message),
        )

    def _is_from_elsewhere(self, message: Message) -> bool:
        """Whether another device of this account has sent it: it is one's own, and its proof is for others."""
        if message.kind is Kind.SENT or message.sender is None:
            return message.kind is Kind.SENT and message.state is None
        own = message.sender.e164 == self._own and message.kind is not Kind.RECEIVED and message.state is None
        return own and not self._steps.continuity.mark(message.id)

    def _reported(self, message: Message) -> datetime | None:
        at = self._steps.reporting.reported_at(message.id) if message.kind is Kind.RECEIVED else None
        return None if at is None else moment(at)

    def _attached(self, message: Message) -> Attached | None:
        if not message.attached or message.withdrawn:
            return None
        reading = read(decode(message.framed))
        return reading if isinstance(reading, Attached) else None

    def _quote(self, message: Message, names: dict[str, str]) -> QuoteView | None:
        meant = message.replaces or message.in_reply_to
        if not meant:
            return None
        quoted = self._steps.history.in_group(message.group_id, meant)
        if quoted is None or quoted.place is not Place.INBOX:
            return QuoteView(row=None, sender=None, name=None, text="")
        sender = None if quoted.sender is None else quoted.sender.e164
        return QuoteView(row=quoted.id, sender=sender, name=self._name(quoted, names), text=_excerpt(quoted.words))

    def _name(self, message: Message, names: dict[str, str]) -> str | None:
        """What the sender's number is called here, if that goes with the sender's key."""
        if message.sender is None or self._steps.continuity.mark(message.id):
            return None
        return names.get(message.sender.e164)

    def _reactions(self, message: Message) -> list[ReactionView]:
        if not message.message_id or message.kind.is_aside:
            return []
        given: dict[str, list[str]] = {}
        for emoji, number, _ in self._steps.relations.reactions(message.group_id, message.message_id):
            given.setdefault(emoji, []).append(number.e164)
        return [
            ReactionView(emoji=emoji, numbers=list(dict.fromkeys(numbers)), own=self._own in numbers)
            for emoji, numbers in given.items()
        ]


def moment(seconds: float) -> datetime:
    """A time of the store, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def chat_name(chat: Chat, names: dict[str, str]) -> str:
    """What a chat is called: a chat without a name of its own by its other number, or by what that is called here."""
    return names.get(chat.direct, chat.name) if "+" in chat.name else chat.name


def proof_view(verification: Verification) -> ProofView:
    """A verdict."""
    failed = verification.failed_check
    return ProofView(
        verdict=verification.verdict.value,
        label=VERDICT_WORDS[verification.verdict],
        number=None if verification.number is None else verification.number.e164,
        reason=verification.reason,
        code=verification.code,
        check=None if failed is None else FailedCheck(number=failed.number, name=failed.name),
    )


def _proof(message: Message) -> ProofView | None:
    return None if message.verification is None else proof_view(message.verification)


def _text(message: Message, attached: Attached | None) -> str:
    return message.words if attached is None else attached.caption.text


def _excerpt(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= EXCERPT_LIMIT else f"{line[:EXCERPT_LIMIT]}…"


def _attachment(attached: Attached, saved: str) -> AttachmentView:
    content_type = ascii(attached.part.content_type)[1:-1]
    return AttachmentView(
        filename=safe_filename(attached.part.filename),
        content_type=content_type,
        size=attached.part.size,
        is_image=content_type.startswith("image/"),
        saved=saved or None,
    )


def _chat(
    overview: Overview,
    names: dict[str, str],
    blocked: frozenset[str],
    wants_proof: bool,
    trouble: str,
    how: How | None,
) -> ChatView:
    chat = overview.chat
    return ChatView(
        group=chat.group_id.hex(),
        chat=chat_name(chat, names),
        direct=chat.direct or None,
        roles=chat.roles,
        standing=chat.standing.value,
        place=chat.consent.value,
        members=chat.members,
        epoch=chat.epoch,
        seq=chat.cursor,
        unread=overview.unread,
        mentions=overview.mentions,
        last_text=_excerpt(overview.last_text),
        last_from=overview.last_sender or None,
        last_name=names.get(overview.last_sender),
        last_at=None if overview.last_at is None else moment(overview.last_at),
        last_verdict=overview.last_verdict or None,
        pinned=chat.pinned,
        archived=chat.archived,
        muted_until=moment(min(chat.muted, _FAR)) if chat.muted else None,
        timer=chat.timer,
        draft=chat.draft,
        waiting=overview.waiting,
        failed=overview.failed,
        quarantined=overview.quarantined,
        blocked=chat.direct in blocked,
        wants_proof=wants_proof,
        trouble=trouble,
        ended="" if how is None else "anew" if how.anew else "deleted",
        successor="" if how is None else how.successor.hex(),
    )


_FAR = 253_402_300_799  # the last second that a datetime can name: muted for ever


def _one_digit_apart(one: str, other: str) -> bool:
    return one != other and len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1
