"""A report that was handed to a third party: anyone with the trust list can verify it, without any network."""

from dataclasses import dataclass

import msgspec

from client.errors import ContentError
from client.formats.content import decode
from client.formats.reading import read
from client.services.answers import UNREADABLE
from client.words.wording import describe
from identity.authority.wire import ReportRequest
from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors
from identity.errors import StatementError
from identity.reports.report import ANYONE, REPORT_TYPE, ReportClaims, ReportContext, ReportVerification, verify_report
from identity.reports.statement import parse_statement


@dataclass(frozen=True, slots=True)
class ReadReport:
    """The verdict on a report, when its maker says to have signed it, and what its messages say, safe to show."""

    verification: ReportVerification
    signed_at: int
    texts: tuple[str, ...]


def read_report(file: bytes, anchors: TrustAnchors) -> ReadReport | None:
    """Verify a file that `ringtrue report --out` has written; None if it is something else.

    It is judged at the time at which its maker signed it, by their own word: that decides whether their certificate
    was valid and how old the messages were, not whether the messages were signed.
    """
    try:
        report = msgspec.json.decode(file, type=ReportRequest).report()
        signed_at = parse_statement(report.statement, REPORT_TYPE).claims(ReportClaims).iat
    except (*UNREADABLE, StatementError):
        return None
    verified = verify_report(report, ReportContext(ANYONE, signed_at), DeviceVerifier(anchors))
    texts = tuple(_text(item.framed) for item in verified.evidence.items) if verified.evidence else ()
    return ReadReport(verified, signed_at, texts if verified.accepted else ())


def _text(framed: bytes) -> str:
    try:
        return describe(read(decode(framed)))
    except ContentError as error:
        return f"({error})"
