"""The authority's judgement on reports: its numbered checks, and how it counts what has passed them."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from identity.authority import report_records, reporting
from identity.authority.store import AuthorityStore
from identity.reports import report
from identity.reports.report import EvidenceItem
from identity.verdict import Evidence, Trail, Verdict, Verification
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import Place, exchanging, instead


def authority(rule: str) -> Guard:
    """The guard that is a check of reports, by its number, or the authority's count, by a word."""
    return Guard(Keeper.AUTHORITY, rule)


def _believed(found: Any, item: EvidenceItem) -> Verification:
    """Any token proves any octets against whoever's chain it comes with."""
    token = item.passport.encode()
    evidence = Evidence(item.chain, token, item.arrived, hashlib.sha256(token + item.framed).digest(), b"")
    return Verification(Verdict.VERIFIED, found.accused, None, "", evidence, Trail(()))


def _anybody(found: Any) -> str:
    found.accused = found.evidence.items[0].number
    return "not compared"


def _new(_: Any) -> str:
    return "not compared"


def _with(number: int, passing: Any) -> Any:
    """The list of checks with another function for one of them."""

    def change(checks: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
        return (*checks[: number - 1], (checks[number - 1][0], passing), *checks[number:])

    return change


def _unknown_keys(messages: Sequence[object]) -> tuple[bytes, ...]:
    """Call every message something new."""
    return tuple(secrets.token_bytes(32) for _ in messages)


ACCUSED = exchanging(authority("7"), Place(report, "_CHECKS", _with(7, _anybody)))
MESSAGES = exchanging(authority("8"), instead(report, "_verified", _believed))
DISTINCT = exchanging(
    authority("10"),
    Place(report, "_CHECKS", _with(10, _new)),
    instead(AuthorityStore, "spend_proof", lambda *_: True),
)
KNOWN = exchanging(authority("known"), instead(reporting, "replay_keys", _unknown_keys))
INDEPENDENT = exchanging(
    authority("repeated"),
    Place(report_records, "_PAIRS", lambda query: query.replace("DISTINCT", "")),
    instead(report_records, "independent", lambda pairs, limit=0: sum(1 for _ in pairs)),
)
