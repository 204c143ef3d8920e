"""What happens in the demo, event by event."""

from dataclasses import dataclass

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
class Attempted:
    """An attack was played; `place` counts from 1."""

    place: int
    attack: Attack
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Finished:
    """The count of it all; `seconds` is how long it took."""

    attempts: tuple[Attempted, ...]
    verified: int
    unverified: int
    seconds: float

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
        """Whether every honest message was verified, and every attack stopped by its guard."""
        return bool(self.verified and self.attempts) and not (self.unverified or self.misattributed or self.through)


Event = Opened | Enrolled | GroupMade | Spoke | AttacksBegin | Attempted | Finished
