"""What the port shows, as lines for people and as values for JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from client.defence.admission import Frank
from client.defence.new_keys import KEY_WORDS
from client.defence.report_file import ReadReport
from client.defence.rule_words import hidden_by
from client.desk.lines import CheckLine, FailedCheckLine, VerifiedReport
from client.desk.people_views import AlarmView, AskView, ContactView, KeyView, ModeView, RequestView, WatchedLogView
from client.desk.views import (
    AgreementView,
    ChatView,
    CheckNumberView,
    CheckView,
    InspectionView,
    MemberView,
    MessageView,
    ProofView,
)
from client.formats.text import folded, safe_line
from client.terminal.voices import Terminal
from client.words.spelling import counted, shown_number
from client.words.wording import ASKS_TO_REACH, FRANK_QUESTION, FRANK_WORDS, REVOKED_SINCE, STATUS_WORDS, VERDICT_WORDS
from identity.binding import Verdict, Verification
from identity.passport import parse_passport
from identity.reports.number_status import NumberStatus

_TYPES = {
    "received": "message",
    "titled": "chat-named",
    "timed": "timer-set",
}  # of JSON lines where they differ from a row's kind

_ABOUT = {"edit": "edits", "deletion": "takes back", "reaction": "reacts to"}


def show(terminal: Terminal, kind: str, words: str, shape: msgspec.Struct) -> None:
    """Show one thing: its words for people, or its fields as one JSON line."""
    terminal.tell(kind, folded(words, terminal.cells), **msgspec.to_builtins(shape))


def tell_message(terminal: Terminal, message: MessageView) -> None:
    """Show one row of a conversation."""
    kind = "quarantined" if message.place == "quarantine" else _TYPES.get(message.kind, message.kind)
    show(terminal, kind, _line(message), message)


def tell_chat(terminal: Terminal, chat: ChatView) -> None:
    """Show one chat."""
    marks = ", ".join(_marks(chat))
    show(terminal, "chat", f"{chat.chat}{f'  ({marks})' if marks else ''}", chat)


def tell_request(terminal: Terminal, request: RequestView) -> None:
    """Show who wants to talk, and nothing of what they wrote."""
    waiting = "1 message waits" if request.messages == 1 else f"{request.messages} messages wait"
    kind = "HELD BACK" if request.held else "REQUEST"
    status = _status(request.status)
    wish = ASKS_TO_REACH if request.kind == "contact" else f"wants to talk ({waiting})."
    words = f"{kind} {request.label} {shown_number(request.number)}{status} {wish}"
    if request.alike is not None:
        words += f"\n⚠ The number differs in one digit from {_named(request.alike, request.alike_name)}."
    if request.why:
        words += f"\n{hidden_by(request.why, request.rule)}"
    to = "To let them write" if request.kind == "contact" else "To read it"
    show(terminal, "request", f"{words}\n{to}: ringtrue requests accept {request.number}", request)


def tell_mode(terminal: Terminal, mode: ModeView) -> None:
    """Show how this account may be reached."""
    words = f"{mode.mode}: {mode.words}"
    if mode.mode != "open":
        words += f"\nThe delivery service knows {counted(mode.granted, 'contact')} to let through"
        words += f" and {counted(mode.blocked, 'blocked number')}." if mode.blocked else "."
    show(terminal, "reachable", words, mode)


def tell_ask(terminal: Terminal, asked: AskView) -> None:
    """Show a number that this account has asked."""
    show(terminal, "ask", f"{_named(asked.number, asked.name)}: {asked.words}", asked)


def tell_contact(terminal: Terminal, contact: ContactView) -> None:
    """Show one person whom this account knows."""
    marks = f"  ⊘ blocked, {contact.dropped} requests dropped" if contact.blocked else ""
    show(terminal, "contact", f"{_named(contact.number, contact.name)}{marks}", contact)


def tell_member(terminal: Terminal, member: MemberView) -> None:
    """Show one device in a chat."""
    roles = "".join(f"  ({word})" for word, true in ((_you(member), member.you), ("admin", member.admin)) if true)
    awaited = f"  {member.log}" if member.awaited else ""
    key = "" if member.met else f"  {KEY_WORDS['new']} {member.key}"
    words = f"{_named(member.number, member.name)}{roles}  {member.proof}{awaited}{key}"
    show(terminal, "member", words, member)


def _you(member: MemberView) -> str:
    return f"you, another device {member.key[:8]}" if member.other_device else "you"


def tell_key(terminal: Terminal, key: KeyView) -> None:
    """Show one key of a number."""
    sign = "✓" if key.named else "!" if key.met else "⚠"
    seen = f"first seen {key.first_seen:%Y-%m-%d}"
    show(terminal, "key", f"{sign} {key.key}  {shown_number(key.number)}, {seen}: {key.words}", key)


def tell_alarm(terminal: Terminal, alarm: AlarmView) -> None:
    """Show one alarm and what to do about it."""
    put_away = "" if alarm.acknowledged is None else "  (put away)"
    at = alarm.at.astimezone()
    words = f"✗ ALARM {alarm.id}, {at:%Y-%m-%d %H:%M}: {alarm.words}{put_away}\n  What to do: {alarm.advice}"
    show(terminal, "alarm", words, alarm)


def tell_log(terminal: Terminal, log: WatchedLogView) -> None:
    """Show how far one log of certificates was read."""
    sign, when = "~", "not found in order yet"
    if log.looked is not None:
        sign, when = "✓", f"last found in order {log.looked.astimezone():%Y-%m-%d %H:%M}"
    show(terminal, "log", f"{sign} {log.name}  {log.read} of {log.size} entries read, {when}  {log.log[:16]}", log)


def tell_check_number(terminal: Terminal, number: CheckNumberView) -> None:
    """Show the digits that two people compare."""
    words = f"{number.digits}\nEverybody in {number.chat} has this number while nobody joins, leaves or changes keys."
    show(terminal, "check-number", words, number)


def tell_agreement(terminal: Terminal, agreement: AgreementView) -> None:
    """Show what one other device last said about the log."""
    show(terminal, "agreement", f"{_named(agreement.number, agreement.name)}  {agreement.words}", agreement)


def tell_inspection(terminal: Terminal, inspection: InspectionView) -> None:
    """Show what was checked about a message, check by check."""
    show(terminal, "inspection", "\n".join(_inspected(inspection)), inspection)


def verification_values(verification: Verification) -> dict[str, object]:
    """A verdict for JSON; `check` is the one that failed."""
    failed = verification.failed_check
    return {
        "verdict": verification.verdict.value,
        "label": VERDICT_WORDS[verification.verdict],
        "number": None if verification.number is None else verification.number.e164,
        "reason": verification.reason,
        "code": verification.code,
        "check": None if failed is None else {"number": failed.number, "name": failed.name},
    }


def tell_exported(terminal: Terminal, verification: Verification, text: str) -> None:
    """Show the verdict on an exported message; what was signed is shown only where the signature was verified."""
    values = verification_values(verification)
    words = f"{values['label']} {verification.number}: {text}\n{verification.reason}"
    if verification.evidence is not None and verification.verdict is not Verdict.UNDECIDED:
        passport = parse_passport(verification.evidence.passport)
        values |= {"signed": moment(passport.iat), "group": passport.dest_uris[0]}
        words += f"\nSigned {values['signed']} for {values['group']}; whether it arrived then is the exporter's word."
    checks = check_lines(verification)
    words = "\n".join((words, *map(check_words, checks)))
    values["checks"] = msgspec.to_builtins(checks)
    terminal.tell("verification", folded(words, terminal.cells), text=text, **values)


def check_lines(verification: Verification) -> list[CheckLine]:
    """Every numbered check with what it compared, safe to show."""
    return [
        CheckLine(each.number, each.name, each.outcome, safe_line(each.compared), each.code)
        for each in verification.checks
    ]


def check_words(check: CheckLine | CheckView) -> str:
    """One check as a line."""
    return f"{check.number:2} {check.outcome:9} {check.name}: {check.compared}".rstrip(": ")


def tell_read_report(terminal: Terminal, read: ReadReport) -> None:
    """Show the verdict on a report in a file; what it says is shown only if every check has passed."""
    found, failed = read.verification, read.verification.failed_check
    shown = VerifiedReport(
        verified=found.accepted,
        accused=found.accused.e164 if found.accepted and found.accused else None,
        reporter=found.reporter.e164 if found.accepted and found.reporter else None,
        kind=found.evidence.kind.value if found.accepted and found.evidence else None,
        signed=moment(read.signed_at),
        texts=list(read.texts),
        check=None if failed is None else FailedCheckLine(failed.number, failed.name),
    )
    if failed is not None:
        words = f"✗ REPORT FAILED check {failed.number} ({failed.name}): {failed.compared}"
    else:
        head = f"✓ REPORT VERIFIED: {found.reporter} reports {found.accused}, for {shown.kind}, at {shown.signed}."
        words = "\n".join((head, *(f"{place}. {text}" for place, text in enumerate(read.texts, 1))))
    show(terminal, "report-verification", words, shown)


def moment(seconds: int) -> str:
    """A time for machines: RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _inspected(inspection: InspectionView) -> Iterator[str]:
    yield _line(inspection.message)
    yield inspection.sentence
    yield inspection.caution
    for check in inspection.checks:
        yield check_words(check)
    for certificate in inspection.chain:
        yield f"certificate {certificate.subject}, by {certificate.issuer}, for {certificate.numbers}"
    if inspection.confirmable is not None:
        yield f"{FRANK_QUESTION}: {FRANK_WORDS[Frank(inspection.confirmable)]}"
    if inspection.judged is not None:
        known = f"known of the certificate then: {inspection.status_then}; known now: {inspection.status_now}"
        yield f"judged at {inspection.judged:%Y-%m-%d %H:%M UTC}; {known}"
    if inspection.revoked_since:
        yield REVOKED_SINCE
    if inspection.trust:
        yield inspection.trust
    yield f"age {inspection.age}, epoch {inspection.epoch}, leaf {inspection.leaf}"


def _line(message: MessageView) -> str:
    """One row; what others wrote comes last on its line, so that it cannot pass for what this program says."""
    chat = f"[{message.chat}]" if message.chat else "[a chat]"  # its name is not shown with what is held back
    if message.sender is None:
        return f"{chat} {'✗ GAP ' if message.kind == 'gap' else ''}{message.text}"
    notes = "".join(f" ({note})" for note in _notes(message))
    if message.own:
        state = "sent from another device" if message.state == "elsewhere" else message.state
        return f"{chat} you{notes}: {message.text}  ({state})"
    who = f"{_named(message.sender, message.name)}{notes}"
    if message.proof is None:  # it was taken back, and its proof with it
        return f"{chat} {who}: {message.text}"
    text = f"held back: {hidden_by(message.why, message.rule)}" if message.place == "quarantine" else message.text
    return f"{chat} {message.proof.label} {who}: {text}{_why(message.proof)}"


def _notes(message: MessageView) -> Iterator[str]:
    if message.key:
        yield KEY_WORDS[message.key]
    if message.reply is not None:
        whose = "a message" if message.reply.sender is None else f"a message of {shown_number(message.reply.sender)}"
        yield f"{_ABOUT.get(message.kind, 'answers')} {whose}"
    if message.edited:
        yield "edited"
    if message.withdrawn:
        yield "taken back"
    if message.reported is not None:
        yield "reported"
    if message.attachment is not None:
        yield f"file {message.attachment.filename}, {message.attachment.size} octets"
    for reaction in message.reactions:
        yield f"{reaction.emoji} {len(reaction.numbers)}"


def _why(proof: ProofView) -> str:
    return "" if proof.check is None else f"\n{proof.reason} (check {proof.check.number}, {proof.check.name})"


def _marks(chat: ChatView) -> Iterator[str]:
    if chat.standing != "active":
        yield chat.standing
    if chat.unread:
        yield f"{chat.unread} unread"
    if chat.failed:
        yield f"{chat.failed} not sent"
    if chat.quarantined:
        yield f"{chat.quarantined} held back"
    if chat.wants_proof:
        yield "wants proof"
    if chat.trouble:
        yield chat.trouble


def _status(status: str) -> str:
    label = STATUS_WORDS[NumberStatus(status)]
    return f"  {label}" if label else ""


def _named(number: str, name: str | None) -> str:
    return shown_number(number) if name is None else f"{shown_number(number)} ({name}, your contact)"
