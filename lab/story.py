"""What happens in the demo, event by event."""

from dataclasses import dataclass
from enum import StrEnum

from identity.number import TelephoneNumber
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.stage import Said


@dataclass(frozen=True, slots=True)
class Opened:
    """Both services are running at these addresses."""

    authority: str
    delivery: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A number was proven with a code; `fingerprint` (hexadecimal) names the certificate that it got."""

    name: str
    number: TelephoneNumber
    code: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class GroupMade:
    """A group is in this epoch with these members."""

    name: str
    members: tuple[str, ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class Spoke:
    """Somebody wrote by the rules; `prelude` if only to prepare an attack."""

    said: Said
    prelude: bool = False


@dataclass(frozen=True, slots=True)
class AttacksBegin:
    """From here on Mallory keeps to no rule."""

    number: TelephoneNumber


@dataclass(frozen=True, slots=True)
class Attacking:
    """An attack begins, the one at `place` (counted from 1) of so many."""

    place: int
    of: int
    attack: Attack


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attack was played; `place` counts from 1."""

    place: int
    attack: Attack
    outcome: Outcome


class Defence(StrEnum):
    """What the recipients of a wave of spam have against it."""

    NONE = "none"  # rules that put everything into the inbox
    ADMISSION = "admission"  # the rules that the client comes with
    REPORTS = "reports"  # the same, and one of them reports what came


@dataclass(frozen=True, slots=True)
class Tally:
    """What a wave has come to so far, counted in the recipients' own stores.

    `inbox`, `requests`, `quarantined`: people in whose client it stands there now; `refreshed`: clients whose list of
    statuses names the spammer; `saw`: after each attempt, how many people had come across the spammer at all.
    """

    attempted: int = 0
    inbox: int = 0
    requests: int = 0
    quarantined: int = 0
    reports: int = 0
    refreshed: int = 0
    saw: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WaveBegins:
    """A spammer with this certified number begins to write to so many people who did not ask."""

    defence: Defence
    spammer: TelephoneNumber
    people: int


@dataclass(frozen=True, slots=True)
class Struck:
    """One of them was written to. `place`: where their client put it; `shown`: what it shows of the spammer."""

    defence: Defence
    victim: str
    place: str
    shown: str
    why: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Reported:
    """One of them reported what came; `answer` is what the authority made of it."""

    defence: Defence
    victim: str
    answer: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class WaveEnds:
    """Everybody was written to. `held`: whether the defence did what it is there for."""

    defence: Defence
    tally: Tally
    held: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The count of it all; `seconds` is how long it took."""

    attempts: tuple[Attempted, ...]
    verified: int
    unverified: int
    seconds: float
    waves: tuple[WaveEnds, ...] = ()

    @property
    def refused(self) -> int:
        """Attacks stopped by the guard that should."""
        return sum(attempt.attack.held(attempt.outcome) for attempt in self.attempts)

    @property
    def misattributed(self) -> int:
        """Attacks stopped by something else than what should."""
        return sum(attempt.outcome.stopped for attempt in self.attempts) - self.refused

    @property
    def through(self) -> int:
        """Attacks that nothing stopped."""
        return sum(not attempt.outcome.stopped for attempt in self.attempts)

    @property
    def succeeded(self) -> bool:
        """Whether every honest message was verified, and all attacks and waves were stopped by what should."""
        return (
            bool(self.verified and (self.attempts or self.waves))
            and not (self.unverified or self.misattributed or self.through)
            and all(wave.held for wave in self.waves)
        )


WaveEvent = WaveBegins | Struck | Reported | WaveEnds
Event = Opened | Enrolled | GroupMade | Spoke | AttacksBegin | Attacking | Attempted | WaveEvent | Finished
