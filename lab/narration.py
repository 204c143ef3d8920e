"""Telling the story: for people, in 80 columns or more, or for programs, as JSON Lines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, TextIO, assert_never

from client.wording import VERDICT_WORDS
from lab.attacks.outcome import Keeper
from lab.paint import Ink, Paint, badge_ink
from lab.stage import Said
from lab.story import AttacksBegin, Attempted, Enrolled, Event, Finished, GroupMade, Opened, Spoke

INDENT = " " * 6
REFUSED = "✗ REFUSED"
STOPPED_BY = {
    Keeper.CHECK: "",
    Keeper.DISPLAY: "the ",
    Keeper.ENGINE: "each client's MLS ",
    Keeper.SERVICE: "the delivery ",
}


@dataclass(slots=True)
class Narration:
    """Prints the story in `width` columns, of which it needs 80."""

    stream: TextIO
    paint: Paint
    width: int = 88
    chapter: str = ""

    def tell(self, event: Event) -> None:
        """Print one event."""
        match event:
            case Opened():
                self._opened(event)
            case Enrolled():
                self._begin("1  Everybody proves a number")
                text = f"   {event.name:<8} {event.number!s:<16} code {event.code} received"
                self._line(text, f"certificate {event.fingerprint[:8]}")
            case GroupMade():
                self._begin("2  They talk")
                members = ", ".join(event.members[:-1]) + " and " + event.members[-1]
                self._line(f"   {event.name}: {members}", f"epoch {event.epoch}")
            case Spoke():
                self._spoke(event)
            case AttacksBegin():
                self._attacks_begin(event)
            case Attempted():
                self._attempted(event)
            case Finished():
                self._finished(event)
            case _:
                assert_never(event)

    def _opened(self, event: Opened) -> None:
        self._print(self.paint(Ink.HEADING, "Ringtrue") + "  every message proves the telephone number it came from")
        self._print("")
        self._line(f"   authority         {event.authority}", "proves numbers, issues certificates")
        self._line(f"   delivery service  {event.delivery}", "carries ciphertext, in one order")

    def _spoke(self, event: Spoke) -> None:
        if event.prelude:
            return
        if self.chapter.startswith("3"):
            self._begin("4  The others go on")
        said = event.said
        for verdict in sorted(set(said.verdicts.values()), key=str):
            badge = "✗ NOT SHOWN" if verdict is None else VERDICT_WORDS[verdict]
            text = f"   {said.speaker:<8} {said.text}"
            room = self.width - len(badge) - len(str(said.number)) - 2
            self._print(f"{text:<{room}}{self.paint(badge_ink(badge), badge)}  {said.number}")

    def _attacks_begin(self, event: AttacksBegin) -> None:
        self._begin("3  Mallory attacks")
        self._paragraph(
            f"Mallory is a member like the others: {event.number} is her own, proven number. From here on she follows "
            "no rule. Each attempt is made with real octets, through the real service, at real clients.",
            "   ",
        )

    def _attempted(self, event: Attempted) -> None:
        attack, outcome = event.attack, event.outcome
        badge = outcome.badge or REFUSED
        self._print("")
        self._print(f"  {event.place:>2}  {self.paint(Ink.HEADING, attack.title)}")
        self._paragraph(attack.deed, INDENT)
        if outcome.by is None:
            self._print(f"{INDENT}{self.paint(Ink.BAD, 'GOT THROUGH')}  {outcome.badge}  {outcome.reason}")
            return
        self._paragraph(f"sent: {outcome.sent}", INDENT, Ink.FAINT)
        self._print(f"{INDENT}{self.paint(badge_ink(badge), badge)}  {outcome.reason}")
        analogue = f" · SIP {outcome.code}" if outcome.code else ""
        by = f"stopped by {STOPPED_BY[outcome.by.keeper]}{outcome.by}"
        self._print(INDENT + by + self.paint(Ink.FAINT, analogue))
        if not attack.held(outcome):
            self._print(INDENT + self.paint(Ink.BAD, f"should have been stopped by {attack.guard}"))

    def _finished(self, event: Finished) -> None:
        self._begin("5  What came of it")
        for attempt in event.attempts:
            held = attempt.attack.held(attempt.outcome)
            badge = (attempt.outcome.badge or REFUSED) if held else "✗ NOT AS NAMED"
            by = "nothing" if attempt.outcome.by is None else str(attempt.outcome.by)
            left = f"  {attempt.place:>2}  {attempt.attack.title:<31}"
            self._print(f"{left}{self.paint(badge_ink(badge), f'{badge:<15}')}{by}")
        closing = f"{event.verified} honest messages verified · {event.refused} attacks refused"
        closing += f" · {event.through} got through"
        if event.unverified:
            closing += f" · {event.unverified} honest messages not verified"
        if event.misattributed:
            closing += f" · {event.misattributed} stopped by another guard"
        self._print("")
        self._print(self.paint(Ink.GOOD if event.succeeded else Ink.BAD, closing) + f"   {event.seconds:.1f} s")

    def _begin(self, chapter: str) -> None:
        if chapter != self.chapter:
            self.chapter = chapter
            self._print("")
            self._print(self.paint(Ink.HEADING, chapter))

    def _line(self, left: str, right: str) -> None:
        self._print(f"{left:<{self.width - len(right)}}{self.paint(Ink.FAINT, right)}")

    def _paragraph(self, text: str, indent: str, ink: Ink | None = None) -> None:
        for line in wrap(text, self.width - len(indent)):
            self._print(indent + (line if ink is None else self.paint(ink, line)))

    def _print(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


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
        case Attempted():
            return _attempt_fields(event)
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
            }
    assert_never(event)


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
    }
