"""What the port shows, as lines to be heard: words before signs, and others' words last on their line."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from client.defence.admission import Frank
from client.defence.new_keys import KEY_WORDS
from client.defence.rule_words import hidden_by
from client.desk.people_views import AlarmView, AskView, ContactView, KeyView, ModeView, RequestView
from client.desk.views import (
    AgreementView,
    AttachmentView,
    ChatView,
    CheckView,
    InspectionView,
    MemberView,
    MessageView,
    ProofView,
    QuoteView,
    StatusView,
)
from client.errors import CertificateRevokedError
from client.failures import hint_inside
from client.records.service_facts import kept_for
from client.words.spelling import counted, shown_number
from client.words.wording import (
    ASKS_TO_REACH,
    FRANK_QUESTION,
    FRANK_WORDS,
    OWN_REVOKED,
    PROVEN,
    REVOKED_SINCE,
    STATUS_WORDS,
    duration,
)
from identity.reports.number_status import NumberStatus

STATES = {
    "queued": "waiting to be sent",
    "accepted": "sent",
    "delivered": "delivered",
    "failed": "NOT SENT",
    "elsewhere": "sent from another device",
}
DECIMAL = 1000


def person(number: str, name: str | None) -> str:
    """A number, always whole, and behind it what this account calls it."""
    return f"{shown_number(number)} ({name})" if name else shown_number(number)


def day(moment: datetime) -> str:
    """A date in this computer's time zone: Saturday 9 January 2027."""
    local = moment.astimezone()
    return f"{local:%A} {local.day} {local:%B %Y}"


def minute(moment: datetime) -> str:
    """A time of day in this computer's time zone: 18:05."""
    return f"{moment.astimezone():%H:%M}"


def date_and_time(moment: datetime) -> str:
    """Both: 9 January 2027 18:05."""
    local = moment.astimezone()
    return f"{local.day} {local:%B %Y %H:%M}"


def size(octets: int) -> str:
    """How large a file is: 999 octets, 12 kB."""
    return counted(octets, "octet") if octets < DECIMAL else f"{octets / DECIMAL:.0f} kB"


def quoted(name: str) -> str:
    """A chat's name, which others may have chosen, in marks that no name can have in it."""
    return f"“{name}”"


def verdict(label: str) -> str:
    """A verdict's words, without the sign before them."""
    return label[2:] if not label[:1].isalnum() else label


def message(view: MessageView, numbers: Mapping[int, int] = MappingProxyType({})) -> str:
    """One row: 18:05 NUMBER VERIFIED +1 202-555-0142 (Ravi): I am in. `numbers`: of rows that were read out before."""
    time = minute(view.arrived)
    if view.sender is None:
        return f"{time} {'GAP: ' if view.kind == 'gap' else ''}{view.text}"
    notes = "".join(f", {note}" for note in _notes(view, numbers))
    if view.own:
        return f"{time} you, {STATES.get(view.state or '', view.state)}{notes}: {_said(view)}{_refused(view)}"
    who = f"{person(view.sender, view.name)}{notes}"
    if view.proof is None:
        return f"{time} {who}: {_said(view)}"
    return f"{time} {verdict(view.proof.label)} {who}: {_said(view)}{_why(view.proof)}"


def held(view: MessageView) -> str:
    """A row that was held back, without its words and without the name of its chat."""
    label = "NO PROOF" if view.proof is None else verdict(view.proof.label)
    who = "nobody" if view.sender is None else person(view.sender, view.name)
    origin = "from" if view.proof is not None and view.proof.verdict in PROVEN else "claims to be from"
    return f"{date_and_time(view.arrived)} {label}, {origin} {who}. Hidden because: {hidden_by(view.why, view.rule)}"


def chat(view: ChatView) -> str:
    """A chat's line in the list; what was said last stands last."""
    if view.last_at is None:
        return heading(view)
    who = f"{person(view.last_from, view.last_name)}: " if view.last_from else ""
    return f"{heading(view)}. Last at {date_and_time(view.last_at)}: {who}{view.last_text}"


def unnamed(view: ChatView) -> str:
    """A chat's line in the list while no names are shown."""
    return ", ".join(["Chat", *_marks(view)])


def heading(view: ChatView) -> str:
    """A chat's name, and what is special about it."""
    return "".join([quoted(view.chat), *(f", {mark}" for mark in _marks(view))])


def request(view: RequestView) -> str:
    """Who asks, what waits and why it waits; nothing that they wrote."""
    kind = "a direct chat" if view.direct else f"a group of {counted(view.members, 'member')}"
    waiting = counted(view.messages, "message")
    standing = "HELD BACK" if view.held else "REQUEST"
    asks = ASKS_TO_REACH if view.kind == "contact" else f"asks for {kind}."
    words = f"{standing} {verdict(view.label)}: {shown_number(view.number)}{published(view.status)} {asks}"
    alike = ""
    if view.alike is not None:
        alike = f" CAUTION: differs by one digit from your contact {person(view.alike, view.alike_name)}."
    unread = "" if view.kind == "contact" else f" {waiting} unread."
    return f"{words}{alike}{unread} Here because: {hidden_by(view.why, view.rule)}"


def mode(view: ModeView) -> str:
    """How this account may be reached."""
    return f"{view.mode}: {view.words}"


def ask(view: AskView) -> str:
    """A number that this account has asked."""
    return f"{person(view.number, view.name)}: {view.words}"


def member(view: MemberView) -> str:
    """One device in a chat."""
    you = "you, on another device" if view.other_device else "you"
    roles = "".join(f", {word}" for word, true in ((you, view.you), ("admin", view.admin)) if true)
    order = "in order" if view.good else "certificate ended" if view.state == "expired" else "NOT IN ORDER"
    awaited = f". {verdict(view.log).capitalize()}" if view.awaited else ""
    key = "" if view.met else f". {verdict(KEY_WORDS['new'])}: a new telephone, or a new holder of the number"
    who = f"{person(view.number, view.name)}{roles}{published(view.status)}"
    proposed = f". {view.proposed}" if view.proposed else ""
    return f"{who}: {order}. {verdict(view.proof)}{awaited}{key}{proposed}"


def published(word: str) -> str:
    """What the authority published of a number; nothing if it is clear."""
    label = STATUS_WORDS[NumberStatus(word)]
    return f", {verdict(label)}," if label else ""


def agreement(view: AgreementView) -> str:
    """What one other device last said about the log."""
    return f"{person(view.number, view.name)} {verdict(view.words)}"


def key(view: KeyView) -> str:
    """One key of a number."""
    return f"Key {view.key}, first seen {date_and_time(view.first_seen)}: {view.words}"


def alarm(view: AlarmView) -> str:
    """One alarm and what to do about it."""
    return f"ALARM {view.id}, {date_and_time(view.at)}: {view.words}\nWhat to do: {view.advice}"


def contact(view: ContactView) -> str:
    """One person whom this account knows."""
    marks = [word for word, true in (("contact", view.accepted), ("BLOCKED", view.blocked)) if true]
    dropped = [f"{counted(view.dropped, 'request')} dropped"] if view.blocked else []
    return ", ".join([person(view.number, view.name), *marks, *dropped])


def status(view: StatusView) -> Iterator[str]:
    """How the account stands."""
    since = "" if view.since is None else f" since {date_and_time(view.since)}"
    if view.alarms:
        yield f"{counted(view.alarms, 'ALARM')}: something is wrong with your number, key or chats. See: /alarms"
    if view.revoked:
        yield f"REVOKED: {OWN_REVOKED} {hint_inside(CertificateRevokedError.hint)}"
    yield "Online." if view.online else f"Offline{since}. What you write waits, and goes out by itself."
    if view.trouble:
        yield f"Trouble: {view.trouble}. {hint_inside(view.trouble_hint)}".strip()
    if view.doing:
        yield f"In work: {view.doing}."
    if view.retention:
        yield kept_for(view.retention)
    yield (
        f"{counted(view.unread, 'unread message')}, {counted(view.waiting, 'message')} waiting to be sent, "
        f"{counted(view.requests, 'request')}, {view.quarantined} held back."
    )
    if view.held:
        yield f"{counted(view.held, 'chat')} held back by a rule. See: /requests"
    if view.transfers:
        yield f"{counted(view.transfers, 'file')} on the way. See: /transfers"


def inspection(view: InspectionView) -> Iterator[str]:
    """Everything that was checked: the sentence first, then check by check."""
    yield view.sentence
    yield view.caution
    yield from (_check(check) for check in view.checks)
    for each in view.chain:
        yield f"Certificate for {each.numbers}, of {each.subject}, by {each.issuer}."
        yield f"Fingerprint {each.fingerprint}, ends {date_and_time(each.not_after)}."
    for title, fields in (("Header", view.header), ("Claim", view.claims)):
        yield from (f"{title} {name}: {value}" for name, value in fields.items())
    if view.signed is not None:
        yield f"Signed {date_and_time(view.signed)}, arrived {date_and_time(view.arrived)}, {view.age}."
    if view.judged is not None:
        yield f"Judged {date_and_time(view.judged)}; known of the certificate then: {view.status_then}."
        yield f"Known now: {view.status_now}."
    if view.revoked_since:
        yield REVOKED_SINCE
    if view.epoch is not None:
        yield f"Epoch {view.epoch}, leaf {view.leaf}."
    if view.confirmable is not None:
        _, _, words = FRANK_WORDS[Frank(view.confirmable)].partition(" ")
        yield f"{FRANK_QUESTION}: {words}."


def _check(check: CheckView) -> str:
    outcome = check.outcome.upper() if check.outcome in ("failed", "undecided") else check.outcome
    return f"Check {check.number}, {check.name}: {outcome}. {check.compared}"


def _said(view: MessageView) -> str:
    if view.place != "inbox" and not view.text:
        return f"held back. {view.why}"
    if view.withdrawn:
        return "(took this message back)"
    if view.attachment is None:
        return view.text
    return f"file {_file(view.attachment)}" + (f"\n{view.text}" if view.text else "")


def _file(view: AttachmentView) -> str:
    return f"{view.filename}, {view.content_type}, {size(view.size)}" + (
        f", saved as {view.saved}" if view.saved else ""
    )


def _notes(view: MessageView, numbers: Mapping[int, int]) -> Iterator[str]:
    if view.key:
        yield verdict(KEY_WORDS[view.key])
    if view.reply is not None:
        yield f"in answer to {_answered(view.reply, numbers)}"
    if view.mentions_me:
        yield "mentions you"
    if view.edited:
        yield "edited"
    if view.reported is not None:
        yield "reported"
    if view.hidden:
        yield f"{counted(view.hidden, 'invisible character')} left out"
    for reaction in view.reactions:
        others = len(reaction.numbers) - reaction.own
        who = [*(["you"] if reaction.own else []), *([counted(others, "other")] if others else [])]
        yield f"reaction {reaction.emoji} by {' and '.join(who)}"
    if view.expires is not None:
        yield f"disappears at {date_and_time(view.expires)}"


def _answered(view: QuoteView, numbers: Mapping[int, int]) -> str:
    if view.row is None:
        return "a message that is not here"
    if view.row in numbers:
        return f"message {numbers[view.row]}"
    return "a notice" if view.sender is None else person(view.sender, view.name)


def _refused(view: MessageView) -> str:
    return f"\nNot sent because: {view.reason}" if view.state == "failed" and view.reason else ""


def _why(proof: ProofView) -> str:
    return "" if proof.check is None else f"\n{proof.reason} (check {proof.check.number}, {proof.check.name})"


def _marks(view: ChatView) -> Iterator[str]:
    if view.standing != "active":
        yield {"left": "you left", "removed": "you were removed"}.get(view.standing, view.standing)
    if view.direct is None:
        yield counted(view.members, "member")
    for count, words in ((view.unread, "unread"), (view.mentions, "mentioning you"), (view.failed, "NOT SENT")):
        if count:
            yield f"{count} {words}"
    if view.quarantined:
        yield f"{view.quarantined} held back"
    flags = (
        (view.pinned, "pinned"),
        (view.muted_until, "muted"),
        (view.wants_proof, "wants proof"),
        (view.draft, "draft"),
    )
    for true, word in flags:
        if true:
            yield word
    if view.trouble:
        yield f"CAUTION: {view.trouble}"
    if view.timer:
        yield f"messages disappear {duration(view.timer)} after they were read"
