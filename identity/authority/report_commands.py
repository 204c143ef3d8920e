"""The operator's commands about reports: `authority reports list`, `show` and `clear`, beside a running authority."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from identity.authority.errors import AuthorityError
from identity.authority.folder import open_store
from identity.authority.report_policy import DAY, ReportPolicy
from identity.authority.report_records import NumberRecord, ReportRecords
from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import parse_evidence

WORD_LENGTH = 4  # characters: shorter runs in a message are structure, not words


@contextmanager
def _records(data_dir: Path, now: int) -> Iterator[ReportRecords]:
    """The records in one transaction, which a running authority sees at its next step."""
    try:
        store = open_store(data_dir)
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error
    try:
        records = ReportRecords(store, ReportPolicy())
        with store.transaction():
            records.end(now)
            yield records
    finally:
        store.close()


def list_reports(data_dir: Path) -> None:
    """Print every number with a status, appeals first."""
    with _records(data_dir, int(time.time())) as records:
        found = [records.record(number) for number in records.statuses()]
    for record in sorted(found, key=lambda each: (each.appeal is None, each.number)):
        click.echo(_line(record))
    if not found:
        click.echo("No number has a status.")


def show_reports(data_dir: Path, number: str) -> None:
    """Print what was reported of a number, with the words of each message and the appeal."""
    wanted = _number(number)
    with _records(data_dir, int(time.time())) as records:
        record, disclosed = records.record(wanted), records.evidence(wanted)
    click.echo(_line(record))
    for at, octets in disclosed:
        evidence = parse_evidence(octets)
        click.echo(f"{_at(at)}  {evidence.kind}{f'  note: {_printable(evidence.note)}' if evidence.note else ''}")
        for item in evidence.items:
            click.echo(f"  to {_printable(item.group)}: {' | '.join(words(item.framed)) or 'no words'}")
    if record.appeal is not None:
        click.echo(f"Appeal: {_printable(record.appeal)}")


def clear_reports(data_dir: Path, number: str) -> None:
    """End a number's status, and let whoever reported it count for nothing for a while."""
    wanted, now = _number(number), int(time.time())
    with _records(data_dir, now) as records:
        if records.status(wanted)[0] is NumberStatus.CLEAR:
            raise click.ClickException(f"{wanted} has no status; see: ringtrue authority reports list")
        struck = records.clear(wanted, now)
    whose, days = "1 number" if struck == 1 else f"{struck} numbers", ReportPolicy().struck_for // DAY
    click.echo(f"{wanted} is clear. What {whose} reported of it, and what they report for {days} days, does not count.")


def words(framed: bytes) -> list[str]:
    """The readable runs in a message's octets; what a terminal could obey is no part of them."""
    text = framed.decode("utf-8", "replace").replace("\ufffd", "\0")
    shown = "".join(character if character.isprintable() else "\0" for character in text)
    return [run for run in shown.split("\0") if len(run) >= WORD_LENGTH]


def _number(text: str) -> TelephoneNumber:
    try:
        return TelephoneNumber.parse(text)
    except NumberError as error:
        raise click.UsageError(str(error)) from error


def _line(record: NumberRecord) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(record.kinds.items()))
    ends = "" if record.ends_at is None else f" until {_at(record.ends_at)}"
    appealed = "  APPEALED" if record.appeal is not None else ""
    return f"{record.number}  {record.status}{ends}  {record.count} independent ({kinds or 'none'}){appealed}"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
