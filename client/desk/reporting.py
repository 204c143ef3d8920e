"""Reports and statuses as views: what would be disclosed, what was, and what the authority says of numbers."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from client.defence.reporting import outcome
from client.desk.report_views import ReportItemView, ReportView, StandingView, StatusListView, StatusOfView
from client.desk.showing import moment
from client.desk.works import Works
from client.errors import ChatError
from client.formats.content import decode
from client.formats.reading import Attached, read
from client.formats.text import safe_text
from client.records.message import Message
from client.words.spelling import counted
from client.words.wording import PROVEN, STATUS_SENTENCES, STATUS_WORDS, describe
from identity.authority.wire import ReportRequest, Standing
from identity.number import TelephoneNumber
from identity.passport import parse_passport
from identity.reports.report import ANYONE, ITEMS_LIMIT, ReportKind

REDACTED = "Nobody else's number is sent: of who is in a chat, nothing."
SIGNS = "{} signs the report. "
NAMED = "{} signs the report, and the proof was made out to it, so it cannot be left out. "
ENDED = "ended: nothing is held against anybody until the next"
NONE_YET = "none was fetched yet"
WITH_FILE = "with the file's address and key: whoever gets the report can open the file"


def kind_of(word: str) -> ReportKind:
    """What a person calls it. Raises ChatError."""
    try:
        return ReportKind(word)
    except ValueError:
        kinds = ", ".join(ReportKind)
        raise ChatError(f"{word!a} is no kind of report", code="report-kind", hint=f"Choose: {kinds}.") from None


async def preview(works: Works, rows: Sequence[int], kind: str, note: str, by_frank: bool) -> ReportView:
    """What a report of these rows would disclose, and whether it would be accepted; nothing is sent."""
    return await works.run(_preview, works, rows, kind_of(kind), note, by_frank)


async def report(works: Works, rows: Sequence[int], kind: str, note: str, by_frank: bool, shown: str) -> ReportView:
    """Send what `preview` shows; `shown`: the SHA-256 of what it has shown."""
    sent = await works.run(_preview, works, rows, kind_of(kind), note, by_frank)
    with works.in_flight(f"reporting {sent.accused}"):
        taken = await works.session.report(rows, kind_of(kind), note, by_frank=by_frank, shown=shown or sent.sha256)
    for row in sent.rows:
        works.tell(row=row)
    words = outcome(taken, TelephoneNumber.from_digits(sent.accused[1:]))
    return msgspec.structs.replace(sent, sent=True, counted=taken.counted, words=words)


async def report_file(works: Works, rows: Sequence[int], kind: str, note: str, by_frank: bool) -> str:
    """The same evidence, signed for whoever gets the file; the authority would not count it."""
    return await works.run(_file, works, rows, kind_of(kind), note, by_frank)


def reportable(works: Works, group_id: bytes) -> list[int]:
    """The newest rows of others in a chat that prove something, oldest first; whether or not they are shown."""
    messages = works.steps.history.select(
        "WHERE m.group_id = ? AND m.kind = 'received' ORDER BY m.id DESC LIMIT ?", group_id, 10 * ITEMS_LIMIT
    )
    proven = [each for each in messages if each.verification is not None and each.verification.verdict in PROVEN]
    return sorted(each.id for each in proven if each.sender == proven[0].sender)[-ITEMS_LIMIT:]


def status_of(works: Works, number: TelephoneNumber) -> StatusOfView:
    """What the list at hand says of a number; nobody is asked."""
    statuses, now = works.steps.statuses, works.now()
    known, status = statuses.known, statuses.of(number, now)
    fresh = known is not None and now < known.expires_at
    return StatusOfView(
        number=number.e164,
        status=status.value,
        label=STATUS_WORDS[status],
        words=STATUS_SENTENCES[status] if fresh else "There is no fresh list: whether it was reported is not known.",
        known=fresh,
    )


def list_view(works: Works) -> StatusListView:
    """Which list is at hand, and whether it can still be used."""
    known, now = works.steps.statuses.known, works.now()
    if known is None:
        return StatusListView(
            serial=None, count=0, fetched=None, expires=None, fresh=False, words="none was fetched yet"
        )
    fresh = now < known.expires_at
    words = f"{counted(known.count, 'number')} with a status" if fresh else ENDED
    return StatusListView(
        serial=known.serial,
        count=known.count,
        fetched=moment(known.fetched_at),
        expires=moment(known.expires_at),
        fresh=fresh,
        words=words,
    )


def standing_view(standing: Standing) -> StandingView:
    """What counts against one's own number."""
    return StandingView(
        number=standing.number,
        status=standing.status.value,
        label=STATUS_WORDS[standing.status],
        ends=None if standing.ends_at is None else moment(standing.ends_at),
        count=standing.count,
        kinds={ReportKind(kind).value: count for kind, count in standing.kinds.items() if kind in set(ReportKind)},
        appeal=None if standing.appeal is None else safe_text(standing.appeal).text,
        words=STATUS_SENTENCES[standing.status],
    )


def _preview(works: Works, rows: Sequence[int], kind: ReportKind, note: str, by_frank: bool) -> ReportView:
    reporting, account, now = works.steps.reporting, works.session.account, works.now()
    prepared = reporting.prepare(rows, kind, note, by_frank=by_frank)
    signed = reporting.sign(prepared, account.authority, now)
    failed = reporting.verify(signed, account.authority, now).failed_check
    request = msgspec.json.format(msgspec.json.encode(ReportRequest.of(signed)), indent=2).decode()
    named = {
        f"+{digits}"
        for message in (() if by_frank else prepared.messages)
        for digits in parse_passport(message.passport or b"").dest_numbers
    }
    return ReportView(
        rows=list(prepared.chosen),
        accused=prepared.accused.e164,
        name=works.steps.groups.contacts.names().get(prepared.accused.e164),
        kind=kind.value,
        note=note,
        items=[_item(message, by_frank) for message in prepared.messages],
        numbers=list(dict.fromkeys((prepared.accused.e164, account.number.e164, *sorted(named)))),
        redacted=(NAMED if named else SIGNS).format(account.number) + REDACTED,
        authority=account.authority,
        size=len(request.encode()),
        sha256=sha256(prepared.octets).hexdigest(),
        json=request,
        proves=failed is None,
        why="" if failed is None else f"check {failed.number} ({failed.name}): {failed.compared}",
        by_frank=by_frank,
    )


def _file(works: Works, rows: Sequence[int], kind: ReportKind, note: str, by_frank: bool) -> str:
    reporting = works.steps.reporting
    signed = reporting.sign(reporting.prepare(rows, kind, note, by_frank=by_frank), ANYONE, works.now())
    return msgspec.json.format(msgspec.json.encode(ReportRequest.of(signed)), indent=2).decode() + "\n"


def _item(message: Message, by_frank: bool) -> ReportItemView:
    accepted = (message.at_ms or 0) // 1000
    return ReportItemView(
        row=message.id,
        text=_words(message),
        sent=moment(accepted if by_frank else parse_passport(message.passport or b"").iat),
        arrived=moment(message.arrived),
        size=len(message.framed),
    )


def _words(message: Message) -> str:
    """All that the disclosed octets say; `text` of a row may have been replaced by an edit."""
    reading = read(decode(message.framed))
    return describe(reading) + (f"\n({WITH_FILE})" if isinstance(reading, Attached) else "")
