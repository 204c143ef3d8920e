"""Requests and held-back messages as rows: this program's words and numbers only, nothing that a stranger wrote."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from textual.content import Content

from client.defence.rule_words import hidden_by
from client.desk.people_views import RequestView
from client.desk.views import MessageView
from client.tui.screens.phrases import minute
from client.words.spelling import counted, shown_number
from client.words.wording import PROVEN, STATUS_WORDS
from identity.reports.number_status import NumberStatus

REACHES = "asks to reach you, has written nothing"
NO_REASON = "no reason is known"
Row = tuple[str | None, Content]


def request_rows(requests: Iterable[RequestView], marked: Container[str]) -> Iterator[Row]:
    """The requests, and below a heading of their own the chats that a rule held back; `marked`: their handles."""
    for held, chats in groupby(requests, lambda request: request.held):
        if held:
            yield None, Content("Held back by a rule; nobody is told of these")
        for each in chats:
            yield each.handle, request_row(each, marked=each.handle in marked)


def request_row(request: RequestView, *, marked: bool) -> Content:
    """Who asks, what waits and why it waits here."""
    kind = "direct" if request.direct else f"group of {counted(request.members, 'member')}"
    waiting = counted(request.messages, "message") + (" waits" if request.messages == 1 else " wait")
    lines = [
        Content.assemble(
            "[x] " if marked else "[ ] ",
            (request.label, f"bold {label_style(request.label)}"),
            f"  {shown_number(request.number)}",
            (status(request.status), "bold $text-warning"),
        ),
        Content(f"    {f'{kind}, {waiting}' if request.kind == 'chat' else REACHES}, since {minute(request.at)}"),
        Content(f"    here because: {hidden_by(request.why, request.rule)}"),
    ]
    if request.alike:
        whose = f"{request.alike_name}'s number" if request.alike_name else "the number of a contact"
        warning = f"    ⚠ Differs by one digit from {whose}, {shown_number(request.alike)}."
        lines.append(Content.assemble((warning, "bold $text-warning")))
    return Content("\n").join(lines)


def quarantine_rows(held: Sequence[MessageView], inbox: Mapping[str, str]) -> Iterator[Row]:
    """A heading with its count for each reason, and below it the messages; `inbox` names the chats of the inbox."""
    for reason, messages in _by_reason(held).items():
        signs = {_sign(message) for message in messages}
        sign = signs.pop() if len(signs) == 1 else "!"
        yield None, Content(f"{sign} {counted(len(messages), 'message')}: {reason}")
        for message in messages:
            yield str(message.row), _held_row(message, inbox)


def status(word: str) -> str:
    """What the authority published of a number, with two cells before it; nothing if it is clear."""
    label = STATUS_WORDS[NumberStatus(word)]
    return f"  {label}" if label else ""


def label_style(label: str) -> str:
    """The colour that goes with the sign of a label; the word says the same."""
    return {"✓": "$text-success", "✗": "$text-error"}.get(label[:1], "$text-warning")


def claim(message: MessageView) -> str:
    """The word between a verdict and a number: one that was verified is more than a claim."""
    return "from" if message.proof is not None and message.proof.verdict in PROVEN else "claims"


def _held_row(message: MessageView, inbox: Mapping[str, str]) -> Content:
    label = message.proof.label if message.proof else "? NO PROOF"
    who = shown_number(message.sender) if message.sender else "nobody"
    known = f" (your contact {message.name})" if message.name else ""
    # The name of a chat that was not agreed to is a stranger's words.
    chat = f"in {inbox[message.group]}" if message.group in inbox else "in a chat that you have not accepted"
    return Content.assemble(
        "  ",
        (label, f"bold {label_style(label)}"),
        f"  {claim(message)} {who}{known}\n    {chat}, {minute(message.arrived)}\n",
        f"    hidden because: {hidden_by(message.why or NO_REASON, message.rule)}",
    )


def _by_reason(held: Iterable[MessageView]) -> dict[str, list[MessageView]]:
    groups: dict[str, list[MessageView]] = {}
    for message in held:
        reason = (message.proof.reason if _failed(message) and message.proof else "") or message.why or NO_REASON
        groups.setdefault(reason, []).append(message)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def _sign(message: MessageView) -> str:
    """That of the verdict, if it is what keeps the message back."""
    return message.proof.label[:1] if _failed(message) and message.proof else "⊘"


def _failed(message: MessageView) -> bool:
    return message.proof is not None and message.proof.verdict == "failed"
