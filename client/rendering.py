"""Rows and events as lines for people and as values for JSON."""

from datetime import UTC, datetime

from client.chats import Chat
from client.history import Kind, Message
from client.terminal import Terminal
from client.text import folded
from client.wording import VERDICT_WORDS
from identity.binding import Verdict, Verification
from identity.passport import parse_passport


def tell_message(terminal: Terminal, message: Message) -> None:
    """Show one row of the history."""
    kind = {Kind.RECEIVED: "message", Kind.SENT: "sent", Kind.TITLED: "chat-named"}.get(message.kind, message.kind)
    terminal.tell(kind, folded(_line(message), terminal.cells), **message_values(message))


def message_values(message: Message) -> dict[str, object]:
    """One row of the history for JSON; numbers are E.164, times RFC 3339."""
    return {
        "id": message.message_id,
        "chat": message.chat,
        "group": message.group_id.hex(),
        "seq": message.seq,
        "from": None if message.sender is None else message.sender.e164,
        "text": message.text,
        "arrived": moment(message.arrived),
        "state": message.state,
        "reason": message.reason or None,
        "proof": None if message.verification is None else verification_values(message.verification),
    }


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
    terminal.tell("verification", folded(words, terminal.cells), text=text, **values)


def tell_chat(terminal: Terminal, chat: Chat) -> None:
    """Show one chat."""
    standing = "" if chat.standing == "active" else f"  ({chat.standing})"
    terminal.tell(
        "chat",
        f"{chat.name}{standing}",
        chat=chat.name,
        group=chat.group_id.hex(),
        standing=chat.standing.value,
        epoch=chat.epoch,
        seq=chat.cursor,
    )


def moment(seconds: int) -> str:
    """A time for machines: RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(message: Message) -> str:
    text = message.text
    if message.sender is None:
        return f"[{message.chat}] {'✗ GAP ' if message.kind is Kind.GAP else ''}{text}"
    if message.verification is None:
        return f"[{message.chat}] you: {text}  ({message.state})"
    label = VERDICT_WORDS[message.verification.verdict]
    failed = message.verification.failed_check
    why = "" if failed is None else f"\n{message.verification.reason} (check {failed.number}, {failed.name})"
    return f"[{message.chat}] {label} {message.sender}: {text}{why}"
