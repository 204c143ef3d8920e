"""Reports as somebody makes them who keeps to no rule, and what the authority makes of them."""

import re

from client.credentials.enrolment import EnrolmentClient
from client.errors import ReportRefusedError
from identity.authority.reporting import KNOWN, REPEATED
from identity.authority.wire import ReportTaken
from identity.message import group_uri
from identity.reports.number_status import NumberStatus
from identity.reports.report import Evidence, EvidenceItem, Report, ReportKind, sign_report
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.mallory import Credentials, Heard
from lab.stage import Stage
from lab.world import HOST

_COUNTED_ALREADY = {KNOWN: "known", REPEATED: "repeated"}
_CHECK = re.compile(r"check (\d+) ")


def item_of(stage: Stage, chain: tuple[bytes, ...], heard: Heard) -> EvidenceItem:
    """A message of the group, ascribed to whose chain this is."""
    group = stage.mallory.groups[stage.group]
    uri = group_uri(HOST, stage.group)
    return EvidenceItem(heard.framed, heard.proof.decode(), chain, uri, group.epoch, 0, stage.now())


def report_of(stage: Stage, reporter: Credentials, *items: EvidenceItem) -> Report:
    """A report that its reporter stands by."""
    evidence = Evidence(items, ReportKind.SCAM).encode()
    return sign_report(reporter.key, reporter.chain, evidence, stage.world.authority_url, stage.now())


async def hand_in(stage: Stage, report: Report) -> ReportTaken:
    """Give a report to the authority. Raises ReportRefusedError."""
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        return await authority.report(report)


async def judged(stage: Stage, report: Report, sent: str) -> Outcome:
    """What the authority makes of a report: the check that refused it, or the accused's new status."""
    try:
        taken = await hand_in(stage, report)
    except ReportRefusedError as refusal:
        found = _CHECK.match(str(refusal))
        rule = refusal.code if found is None else found[1]
        return Outcome(Guard(Keeper.AUTHORITY, rule), f"{refusal}.", sent=sent)
    if not taken.counted:
        return Outcome(Guard(Keeper.AUTHORITY, _COUNTED_ALREADY.get(taken.why, taken.why)), taken.why, sent=sent)
    won = taken.status is not NumberStatus.CLEAR
    return Outcome(None, f"The report counts, and its number is {taken.status} now.", sent=sent, won=won)
