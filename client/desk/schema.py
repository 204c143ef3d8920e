"""JSON Schema (2020-12) of everything that programs can read: calls, events, JSON lines and error codes."""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from client.desk import (
    device_views,
    lines,
    people_views,
    protocol,
    report_views,
    rule_views,
    transfer_views,
    trust_views,
    views,
)
from client.desk.codes import advice
from client.desk.daemon import CALLS_AT_ONCE, CLIENTS, EVENTS_BEHIND
from client.desk.protocol import CALLS, EVENTS
from client.desk.told import Told
from client.failures import Failure

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"

ROWS = ("message", "sent", "notice", "gap", "chat-named", "timer-set", "edit", "deletion", "reaction", "quarantined")
# The `type` of a JSON line -> what stands beside it.
LINES: dict[str, type[msgspec.Struct]] = {
    **dict.fromkeys(ROWS, views.MessageView),
    "chat": views.ChatView,
    "member": views.MemberView,
    "request": people_views.RequestView,
    "contact": people_views.ContactView,
    "rules": lines.RulesText,
    "rule": rule_views.RuleView,
    "rule-count": rule_views.CountView,
    "rule-moves": rule_views.MoveView,
    "rule-change": rule_views.ChangeView,
    "rules-saved": rule_views.RulesView,
    "check-number": views.CheckNumberView,
    "agreement": views.AgreementView,
    "franking-key": views.FrankingKeyView,
    "transfer": transfer_views.TransferView,
    "inspection": views.InspectionView,
    "report": report_views.ReportView,
    "standing": report_views.StandingView,
    "number-status": report_views.StatusOfView,
    "status-list": report_views.StatusListView,
    "finding": lines.Found,
    "enrolled": lines.Enrolled,
    "added": lines.Membership,
    "removed": lines.Membership,
    "declined": lines.Group,
    "refused": lines.Answered,
    "reachable": people_views.ModeView,
    "ask": people_views.AskView,
    "alarm": people_views.AlarmView,
    "log": people_views.WatchedLogView,
    "key": people_views.KeyView,
    "trust": trust_views.TrustView,
    "own-device": device_views.OwnDeviceView,
    "link": device_views.LinkView,
    "deleted": device_views.DeletedView,
    "anchor": trust_views.AnchorView,
    "footing": trust_views.FootingView,
    "exported": lines.Written,
    "saved": lines.Written,
    "verification": lines.Verified,
    "token-verification": lines.VerifiedToken,
    "report-verification": lines.VerifiedReport,
    "ready": lines.Ready,
    "warning": lines.Warned,
    "error": lines.Failed,
}


def schema_document() -> dict[str, object]:
    """The whole schema. `calls`, `event`, `lines` and `error` hold schemas that refer to `$defs`."""
    calls = list(CALLS.values())
    shapes = [*(call.arguments for call in calls), *(call.result for call in calls), Told, Failure]
    found, definitions = msgspec.json.schema_components([*shapes, *LINES.values()], ref_template=_REFERENCE)
    takes, rest = found[: len(calls)], found[len(calls) :]
    gives, (event, error, *shown) = rest[: len(calls)], rest[len(calls) :]
    return {
        "$schema": DIALECT,
        "title": f"Ringtrue: the daemon's socket and --json, version {lines.SCHEMA_VERSION}",
        "description": inspect.getdoc(protocol),
        "calls": {
            call.name: {"description": call.words, "with": arguments, "result": result}
            for call, arguments, result in zip(calls, takes, gives, strict=True)
        }
        | {EVENTS: {"description": "Have every event told from now on.", "with": {}, "result": {"type": "null"}}},
        "event": event,
        "error": error,
        "lines": {name: _line(name, shape) for name, shape in zip(LINES, shown, strict=True)},
        "codes": advice(),
        "limits": {
            "octets of a request": protocol.REQUEST_LIMIT,
            "calls of one program at once; further ones are read when these are answered": CALLS_AT_ONCE,
            "programs at once": CLIENTS,
            "events that may wait unread before the program is closed": EVENTS_BEHIND,
        },
        "$defs": definitions,
    }


def _line(name: str, shape: Mapping[str, Any]) -> dict[str, object]:
    constants = {"v": {"const": lines.SCHEMA_VERSION}, "type": {"const": name}}
    return {"allOf": [shape, {"type": "object", "properties": constants, "required": ["v", "type"]}]}
