"""What is on the stage now: everything that the screen draws, and nothing about how."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.stage import Said
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
    Tally,
    WaveBegins,
    WaveEnds,
    WaveEvent,
)

WAVE_TITLES = {
    Defence.NONE: "A spammer writes to everybody, and nothing is in the way",
    Defence.ADMISSION: "The same against the rules of admission",
    Defence.REPORTS: "The same, and one of them reports what came",
}


class Act(StrEnum):
    """Which part of the story is told."""

    OPENING = "opening"
    TALK = "talk"
    ATTACK = "attack"
    WAVE = "wave"
    END = "end"


@dataclass(slots=True)
class Scene:
    """The story so far. `planned`: the story's attacks; `lit`: how many of the outcome's checks can be seen by now.

    `attempted` was played and is not counted yet.
    """

    planned: tuple[Attack, ...] = ()
    act: Act = Act.OPENING
    step: str = "Opening"
    title: str = "The services start"
    services: Opened | None = None
    people: list[Enrolled] = field(default_factory=list)
    group: GroupMade | None = None
    heard: list[Said] = field(default_factory=list)
    attack: Attack | None = None
    outcome: Outcome | None = None
    lit: int = 0
    attempted: Attempted | None = None
    attacks: int = 0
    attempts: dict[str, Attempted] = field(default_factory=dict)
    wave: WaveBegins | None = None
    struck: list[Struck | Reported] = field(default_factory=list)
    tallies: dict[Defence, Tally] = field(default_factory=dict)
    finished: Finished | None = None

    @property
    def verified(self) -> int:
        """Honest messages that everybody saw verified."""
        return sum(said.verified for said in self.heard)

    @property
    def held(self) -> int:
        """Attacks stopped by the guard that should."""
        return sum(attempt.attack.held(attempt.outcome) for attempt in self.attempts.values())

    @property
    def unheld(self) -> int:
        """Attacks that got through, or were stopped by something else."""
        return len(self.attempts) - self.held

    def take(self, event: Event) -> None:
        """Let one event happen."""
        match event:
            case Opened():
                self.services = event
            case Enrolled():
                self.people.append(event)
                self._turn(Act.OPENING, "Opening", "Everybody proves a number")
            case GroupMade():
                self.group = event
            case Spoke():
                self._spoke(event)
            case AttacksBegin():
                self._turn(Act.ATTACK, "Attacks", "From here on Mallory keeps to no rule")
            case Attacking() | Attempted():
                self._attack(event)
            case WaveBegins() | Struck() | Reported() | WaveEnds():
                self._wave(event)
            case Finished():
                self.finished = event
                self._turn(Act.END, "The end", "What came of it")
            case _:
                assert_never(event)

    def begin_alone(self, attack: Attack) -> None:
        """Somebody chose this attack; it is played on a stage of its own."""
        self._turn(Act.ATTACK, "Chosen", attack.title)
        self.attack, self.outcome, self.lit = attack, None, 0

    def end_alone(self, attack: Attack, outcome: Outcome) -> None:
        """This came of it."""
        self.attempted, self.outcome = Attempted(0, attack, outcome), outcome

    def settle(self) -> None:
        """Count the attack on the stage, now that what came of it was seen."""
        if self.attempted is not None:
            self.attempts[self.attempted.attack.name] = self.attempted
            self.attempted = None

    def _turn(self, act: Act, step: str, title: str) -> None:
        self.act, self.step, self.title = act, step, title

    def _spoke(self, event: Spoke) -> None:
        self.heard.append(event.said)
        if not event.prelude:
            self._turn(Act.TALK, "They talk", "Each message proves the number that it came from")

    def _attack(self, event: Attacking | Attempted) -> None:
        if isinstance(event, Attacking):
            self.attacks = event.of
            self.outcome, self.lit = None, 0
        else:
            self.attempted, self.outcome = event, event.outcome
        self.attack = event.attack
        self._turn(Act.ATTACK, f"Attack {event.place} of {self.attacks}", event.attack.title)

    def _wave(self, event: WaveEvent) -> None:
        if isinstance(event, WaveBegins):
            if event.defence is Defence.NONE:
                self.tallies.clear()
            self.wave = event
            self.struck.clear()
            self.tallies[event.defence] = Tally()
            place = list(Defence).index(event.defence) + 1
            self._turn(Act.WAVE, f"Spam {place} of {len(Defence)}", WAVE_TITLES[event.defence])
            return
        self.tallies[event.defence] = event.tally
        if not isinstance(event, WaveEnds):
            self.struck.append(event)
