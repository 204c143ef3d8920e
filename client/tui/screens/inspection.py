"""An inspection drawn: its top, its fifteen checks, its facts, the octets; and all of it as plain text."""

from collections.abc import Iterator

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.defence.admission import Frank
from client.desk.views import CertificateView, CheckView, InspectionView
from client.tui.screens.phrases import day, day_and_time, person
from client.tui.screens.reader import Fact, heading
from client.words.wording import FRANK_QUESTION, FRANK_WORDS, REVOKED_SINCE

OCTETS_PER_ROW = 8  # with their characters beside them they fit into 60 columns

OUTCOMES = {
    "passed": ("✓ passed", "$text-success"),
    "failed": ("✗ FAILED", "bold $text-error"),
    "undecided": ("? cannot check", "$text-warning"),
    "skipped": ("- not run", "$text-muted"),
}
QUESTIONS = {
    "context": "The conversation is known",
    "bounds": "The proof is well formed",
    "header": "It is a proof for messages",
    "claims": "It says all it must say",
    "signer": "Signed by this group member",
    "chain": "Certificates reach a root",
    "number": "Certificate covers the number",
    "constraints": "The certificate allows it",
    "signature": "The signature is right",
    "content": "It is about these very words",
    "audience": "It is meant for this chat",
    "time": "Its time is possible",
    "replay": "It was not seen before",
    "status": "Certificate not withdrawn",
    "result": "What may be said",
}
CLOSED = "The content stays closed here until you agree to see the message."


def top(inspection: InspectionView) -> Content:
    """The verdict with the number, and the sentence for everybody."""
    message = inspection.message
    label = message.proof.label if message.proof else "Your own message"
    who = person(message.sender, message.name) if message.sender else ""
    held = "" if message.place == "inbox" else f"\nNot shown in the conversation. {message.why}".rstrip()
    return Content.assemble((label, f"bold {_colour(label)}"), f"  {who}\n{inspection.sentence}{held}")


def checks_heading(inspection: InspectionView) -> str:
    """How many checks came out how."""
    outcomes = [check.outcome for check in inspection.checks]
    named = [("passed", "passed"), ("failed", "failed"), ("undecided", "cannot be checked now"), ("skipped", "not run")]
    counts = [f"{outcomes.count(outcome)} {words}" for outcome, words in named if outcome in outcomes]
    return f"Checks: {', '.join(counts)}"


class CheckRow(Horizontal):
    """One numbered check: its outcome, what it asks, and what it compared; side by side where there is room."""

    DEFAULT_CSS = """
    CheckRow {
        height: auto;
    }
    CheckRow > .asked {
        width: 50;
    }
    CheckRow > .compared {
        width: 1fr;
        color: $text-muted;
    }
    CheckRow.-failed {
        background: $error 20%;
    }
    CheckRow.-failed > .compared {
        color: $text;
    }
    """

    def __init__(self, check: CheckView) -> None:
        words, style = OUTCOMES[check.outcome]
        asked = Content.assemble(
            (f"{words:<14}", style), f"  {check.number:>2} {QUESTIONS.get(check.name, check.name)}"
        )
        compared = [Static(Content(check.compared), classes="compared")] if check.compared else []
        super().__init__(Static(asked, classes="asked"), *compared, classes=f"-{check.outcome}")


def facts(inspection: InspectionView) -> Iterator[Widget]:
    """Everything below the checks."""
    for title, pairs in _sections(inspection):
        yield heading(title)
        for name, value in pairs:
            yield Fact(name, value)


def octets(inspection: InspectionView) -> str:
    """The PASSporT as it came, and what it signs in hexadecimal; nothing of a message that is not shown."""
    passport = inspection.passport or "There is none."
    content = _hex(bytes.fromhex(inspection.content)) if inspection.message.place == "inbox" else CLOSED
    return f"PASSporT (RFC 8225)\n\n{passport}\n\nContent, over which it was computed\n\n{content}"


def as_text(inspection: InspectionView) -> str:
    """The inspection for the clipboard."""
    lines = [top(inspection).plain, "", checks_heading(inspection)]
    for check in inspection.checks:
        question = QUESTIONS.get(check.name, check.name)
        lines.append(f"{OUTCOMES[check.outcome][0]:<14}  {check.number:>2} {question}: {check.compared}")
    for title, pairs in _sections(inspection):
        lines += ["", title, *(f"  {name}: {value}" for name, value in pairs)]
    return "\n".join([*lines, "", inspection.caution])


def _sections(inspection: InspectionView) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "PASSporT header", list(inspection.header.items()) or [("", "There is no PASSporT.")]
    if inspection.claims:
        yield "PASSporT claims", list(inspection.claims.items())
    for depth, certificate in enumerate(inspection.chain):
        kind = "the signer's" if depth == len(inspection.chain) - 1 else "the root" if depth == 0 else "the issuer's"
        yield f"Certificate {depth + 1} of {len(inspection.chain)}, {kind}", _certificate(certificate)
    if inspection.confirmable is not None:
        yield FRANK_QUESTION, [("", FRANK_WORDS[Frank(inspection.confirmable)])]
    if inspection.revoked_since:
        known = [("known then", inspection.status_then), ("known now", inspection.status_now)]
        yield REVOKED_SINCE, known
    yield "Conversation and time", list(_times(inspection))


def _certificate(certificate: CertificateView) -> list[tuple[str, str]]:
    return [
        ("subject", certificate.subject),
        ("issuer", certificate.issuer),
        ("numbers", certificate.numbers),
        ("valid", f"{day(certificate.not_before)} to {day(certificate.not_after)}"),
        ("fingerprint", certificate.fingerprint),
    ]


def _times(inspection: InspectionView) -> Iterator[tuple[str, str]]:
    yield "group", inspection.message.group
    if inspection.epoch is not None:
        yield "epoch", str(inspection.epoch)
    if inspection.leaf is not None:
        yield "leaf", str(inspection.leaf)
    if inspection.signed is not None:
        yield "signed", day_and_time(inspection.signed)
    yield "arrived", day_and_time(inspection.arrived)
    if inspection.age:
        yield "age", inspection.age
    yield "message id", inspection.message.id


def _hex(data: bytes) -> str:
    rows = []
    for start in range(0, len(data), OCTETS_PER_ROW):
        part = data[start : start + OCTETS_PER_ROW]
        drawn = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in part)
        rows.append(f"{start:06x}  {part.hex(' '):<{OCTETS_PER_ROW * 3}} {drawn}")
    return "\n".join(rows) or "There is none."


def _colour(label: str) -> str:
    return {"✓": "$text-success", "✗": "$text-error"}.get(label[:1], "$text-warning")
