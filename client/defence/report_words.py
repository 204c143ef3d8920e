"""A report and a standing in words, for every surface: what would be disclosed comes before anything is sent."""

from collections.abc import Iterator
from datetime import datetime

from client.desk.report_views import ReportItemView, ReportView, StandingView
from client.words.spelling import counted, shown_number

KINDS = {
    "spam": "spam: unwanted messages in bulk",
    "scam": "scam: somebody is to be cheated",
    "abuse": "abuse: threats, hatred, harassment",
    "other": "something else",
}
DISCLOSED = "It holds this, and nothing else of your chats:"
PROOF = "Whoever gets it can show others that this number said exactly this."
PROOF_BY_FRANK = (
    "Whoever gets it can show it to those who believe the delivery service; to all others the number can deny it."
)
VEILED = "(its words are not shown here yet)"
NOT_TOLD = "The reported number is not told who reported it, but it can guess from what only you were sent."


def report_lines(report: ReportView, *, veiled: bool = False) -> Iterator[str]:
    """Everything about a report that is not sent yet, or was; `veiled`: all but the words of others."""
    name = f" ({report.name})" if report.name else ""
    yield f"Report {shown_number(report.accused)}{name} for {report.kind} to {report.authority}."
    yield DISCLOSED
    for place, item in enumerate(report.items, 1):
        yield item_line(place, item, veiled=veiled)
    if report.note:
        yield f"Your note: {report.note}"
    yield f"Numbers in it: {', '.join(map(shown_number, report.numbers))}. {report.redacted}"
    yield f"{PROOF_BY_FRANK if report.by_frank else PROOF} {NOT_TOLD}"
    yield f"{report.size} octets; you sign the evidence with the SHA-256 {report.sha256}."
    if not report.proves:
        yield f"✗ It would be refused: {report.why}"


def item_line(place: int, item: ReportItemView, *, veiled: bool = False) -> str:
    """One message of a report; what others wrote comes last."""
    return f"{place}. sent {_at(item.sent)}, {item.size} octets: {VEILED if veiled else item.text}"


def standing_lines(standing: StandingView) -> Iterator[str]:
    """What counts against one's own number, and what can be done about it."""
    label = standing.label or "✓ CLEAR"
    yield f"{label} {shown_number(standing.number)}. {standing.words}"
    if standing.count:
        kinds = ", ".join(f"{count} for {kind}" for kind, count in sorted(standing.kinds.items()))
        yield f"{counted(standing.count, 'independent report')} ({kinds})."
    if standing.ends is not None:
        yield f"It ends by itself at {_at(standing.ends)}."
    if standing.appeal is not None:
        yield f"Your appeal is with the operator: {standing.appeal}"
    elif standing.ends is not None:
        yield "You can appeal once: ringtrue standing --appeal TEXT"


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
