"""Telling the story line by line, in 80 columns or more: for screen readers, logs and simple terminals."""

from dataclasses import dataclass
from textwrap import wrap
from typing import TextIO, assert_never

from client.words.spelling import counted
from client.words.wording import VERDICT_WORDS
from lab.attacks.outcome import Keeper
from lab.paint import Ink, Paint, badge_ink
from lab.sparks import sparks
from lab.story import (
    Attacking,
    AttacksBegin,
    Attempted,
    Defence,
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

INDENT = " " * 6
REFUSED = "✗ REFUSED"
STOPPED_BY = {
    Keeper.ADMISSION: "each client's ",
    Keeper.ALARM: "the owner's ",
    Keeper.AUTHORITY: "the ",
    Keeper.CERTIFICATION: "the ",
    Keeper.CHECK: "",
    Keeper.DISPLAY: "the ",
    Keeper.ENGINE: "each client's MLS ",
    Keeper.LINKING: "the owner's ",
    Keeper.REVOCATIONS: "each client's ",
    Keeper.SERVICE: "the delivery ",
    Keeper.WITNESS: "each client's ",
}
DEFENCE_WORDS = {
    Defence.NONE: "no defence",
    Defence.ADMISSION: "admission",
    Defence.REPORTS: "admission and reports",
}
PLACE_WORDS = {
    "inbox": "✗ INBOX",
    "request": "~ REQUEST",
    "quarantine": "✓ HELD BACK",
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
            case Attacking():
                pass  # the attempt tells it all, once it is made
            case Attempted():
                self._attempted(event)
            case WaveBegins() | Struck() | Reported() | WaveEnds():
                self._wave(event)
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
        first, *rest = wrap(outcome.reason, self.width - len(INDENT) - len(badge) - 2)
        self._print(f"{INDENT}{self.paint(badge_ink(badge), badge)}  {first}")
        self._paragraph(" ".join(rest), INDENT)
        analogue = f" · SIP {outcome.code}" if outcome.code else ""
        by = f"stopped by {STOPPED_BY[outcome.by.keeper]}{outcome.by}"
        self._print(INDENT + by + self.paint(Ink.FAINT, analogue))
        if not attack.held(outcome):
            self._print(INDENT + self.paint(Ink.BAD, f"should have been stopped by {attack.guard}"))

    def _wave(self, event: WaveEvent) -> None:
        match event:
            case WaveBegins():
                self._wave_begins(event)
            case Struck():
                self._struck(event)
            case Reported():
                self._print(f"{INDENT}{event.victim:<8} {self.paint(Ink.WARNING, '⚑ REPORTED')}")
                self._paragraph(f"The authority: {event.answer}", INDENT * 2)
            case WaveEnds():
                self._wave_ends(event)

    def _wave_begins(self, event: WaveBegins) -> None:
        self._begin("5  A spammer writes to everybody")
        if event.defence is Defence.NONE:
            self._paragraph(
                "The number is genuine and certified; what it has to say, nobody asked for. It writes to "
                f"{event.people} people, three times over, each time from a number that nobody has heard of.",
                "   ",
            )
        self._print("")
        self._line(f"   {self.paint(Ink.HEADING, DEFENCE_WORDS[event.defence])}", str(event.spammer))

    def _struck(self, event: Struck) -> None:
        badge = PLACE_WORDS.get(event.place, f"? {event.place.upper()}")
        self._print(
            f"      {event.victim:<8} {self.paint(badge_ink(badge), f'{badge:<12}')} {event.shown or event.why}"
        )

    def _wave_ends(self, event: WaveEnds) -> None:
        tally = event.tally
        counts = (
            (tally.attempted, "attempted"),
            (tally.inbox, "in an inbox"),
            (tally.requests, "requests"),
            (tally.quarantined, "held back"),
            (tally.reports, "reported"),
            (tally.refreshed, "refreshed"),
        )
        self._paragraph(", ".join(f"{count} {words}" for count, words in counts), INDENT)
        self._print(f"{INDENT}people who came across it  {sparks(tally.saw, tally.attempted)}  {tally.saw[-1]}")
        if not event.held:
            self._print(INDENT + self.paint(Ink.BAD, "NOT AS IT SHOULD BE"))

    def _finished(self, event: Finished) -> None:
        self._begin("6  What came of it")
        for attempt in event.attempts:
            held = attempt.attack.held(attempt.outcome)
            sign = self.paint(Ink.GOOD, "✓") if held else self.paint(Ink.BAD, "✗")
            by = "nothing" if attempt.outcome.by is None else str(attempt.outcome.by)
            self._print(f"  {sign} {attempt.place:>2}  {attempt.attack.title:<32}{by}")
        for wave in event.waves:
            sign = self.paint(Ink.GOOD, "✓") if wave.held else self.paint(Ink.BAD, "✗")
            words = f"Spam, {DEFENCE_WORDS[wave.defence]}"
            self._print(f"  {sign}     {words:<32}{wave.tally.saw[-1]} of {wave.tally.attempted} people came across it")
        self._print("")
        self._closing(event)

    def _closing(self, event: Finished) -> None:
        self._print(
            self.paint(Ink.GOOD if event.succeeded else Ink.BAD, closing_words(event)) + f"   {event.seconds:.1f} s"
        )

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


def closing_words(event: Finished) -> str:
    """The whole demo in one line."""
    verified, refused = counted(event.verified, "honest message"), counted(event.refused, "attack")
    words = f"{verified} verified · {refused} refused · {event.through} got through"
    if event.unverified:
        words += f" · {counted(event.unverified, 'honest message')} not verified"
    if event.misattributed:
        words += f" · {event.misattributed} stopped by another guard"
    if not all(wave.held for wave in event.waves):
        words += " · the spam went elsewhere than it should"
    return words
