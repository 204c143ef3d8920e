"""Telling the story to programs, as JSON Lines."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TextIO, assert_never

from lab.attacks.outcome import Keeper
from lab.stage import Said
from lab.story import (
    Attacking,
    AttacksBegin,
    Attempted,
    Enrolled,
    Event,
    Finished,
    GroupMade,
    Opened,
    Reported,
    Spoke,
    Struck,
    WaveBegins,
    WaveEnds,
    WaveEvent,
)


@dataclass(frozen=True, slots=True)
class JsonNarration:
    """Prints one JSON object a line, ASCII only."""

    stream: TextIO

    def tell(self, event: Event) -> None:
        """Print one event."""
        print(json.dumps(_fields(event), ensure_ascii=True), file=self.stream, flush=True)


def _fields(event: Event) -> Mapping[str, Any]:
    match event:
        case Opened():
            return {"event": "opened", "authority": event.authority, "delivery": event.delivery}
        case Enrolled():
            number, code = event.number.e164, event.code
            return {
                "event": "enrolled",
                "name": event.name,
                "number": number,
                "code": code,
                "certificate": event.fingerprint,
            }
        case GroupMade():
            return {"event": "group", "name": event.name, "members": event.members, "epoch": event.epoch}
        case Spoke(said, prelude):
            return _said_fields(said) | {"prelude": prelude}
        case AttacksBegin():
            return {"event": "attacks", "number": event.number.e164}
        case Attacking():
            return {"event": "attacking", "name": event.attack.name, "place": event.place, "of": event.of}
        case Attempted():
            return _attempt_fields(event)
        case WaveBegins() | Struck() | Reported() | WaveEnds():
            return _wave_fields(event)
        case Finished():
            return {
                "event": "finished",
                "verified": event.verified,
                "unverified": event.unverified,
                "refused": event.refused,
                "misattributed": event.misattributed,
                "through": event.through,
                "succeeded": event.succeeded,
                "seconds": round(event.seconds, 3),
                "waves": [asdict(wave) for wave in event.waves],
            }
    assert_never(event)


def _wave_fields(event: WaveEvent) -> Mapping[str, Any]:
    match event:
        case WaveBegins(defence, spammer, people):
            return {"event": "wave", "defence": defence, "spammer": spammer.e164, "people": people}
        case Struck():
            return {"event": "struck"} | asdict(event)
        case Reported():
            return {"event": "reported"} | asdict(event)
        case WaveEnds():
            return {"event": "wave-ended"} | asdict(event)


def _said_fields(said: Said) -> dict[str, Any]:
    number, verified = said.number.e164, said.verified
    fields: dict[str, Any] = {"event": "message", "speaker": said.speaker, "number": number, "text": said.text}
    return fields | {"verdicts": said.verdicts, "verified": verified}


def _attempt_fields(event: Attempted) -> dict[str, Any]:
    attack, outcome = event.attack, event.outcome
    return {
        "event": "attack",
        "name": attack.name,
        "deed": attack.deed,
        "guard": str(attack.guard),
        "stopped": outcome.stopped,
        "by": None if outcome.by is None else str(outcome.by),
        "check": int(outcome.by.rule) if outcome.by is not None and outcome.by.keeper is Keeper.CHECK else None,
        "held": attack.held(outcome),
        "badge": outcome.badge,
        "reason": outcome.reason,
        "code": outcome.code,
        "compared": outcome.compared,
        "sent": outcome.sent,
        "checks": [{"number": each.number, "name": each.name, "outcome": each.outcome} for each in outcome.checks],
    }
