"""What is simulated: how many people and spammers, how they behave, and which defences are on."""

from dataclasses import dataclass, field
from enum import StrEnum


class Defence(StrEnum):
    """What may be switched on or off."""

    ADMISSION = "admission"  # the default rules; off: everything that decrypts is shown
    QUOTAS = "quotas"  # the delivery service counts first contacts per number, issuer and target
    CONSENT = "consent"  # a part of the people lets others ask first
    REPORTS = "reports"  # people report, the authority publishes, clients fetch


ALL = frozenset(Defence)
NONE: frozenset[Defence] = frozenset()


def named(text: str) -> frozenset[Defence]:
    """Read `all`, `none`, names joined by `+`, or `all-NAME`. Raises ValueError."""
    if text.startswith("all"):
        return ALL - {Defence(name) for name in text.removeprefix("all").split("-")[1:]}
    return NONE if text == "none" else frozenset(map(Defence, text.split("+")))


def name_of(defences: frozenset[Defence]) -> str:
    """The shortest text that `named` reads as these."""
    missing = ALL - defences
    if not missing or (len(missing) == 1 and len(ALL) > 2):
        return "-".join(["all", *missing])
    return "+".join(each for each in Defence if each in defences) or "none"


class Strategy(StrEnum):
    """How a spammer goes about it."""

    VOLUME = "volume"  # one number, as many people as it can reach
    ROTATION = "rotation"  # a new number after every few people
    SLOW_DRIP = "slow-drip"  # one number, a few people a day
    GROUP_INVITE = "group-invite"  # several people at once, in a group that they are added to


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do, as probabilities of each occasion; judgements, not measurements of real people.

    `looks`: that a person looks at the requests in a step. `accepts_spam`, `accepts_stranger`: that they accept a
    spammer's, an honest stranger's request when they see it. `reports`: that they report a spammer who they see.
    `misreports`: that they report an honest stranger. `asks_first`: that they chose to be asked (Defence.CONSENT).
    """

    looks: float = 0.6
    accepts_spam: float = 0.02
    accepts_stranger: float = 0.9
    reports: float = 0.25
    misreports: float = 0.0005
    asks_first: float = 0.3
    grants_spam: float = 0.02


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. Times are simulated: `step` seconds pass between two turns of everybody.

    `per_day`: first contacts that a spammer attempts in a day by strategy; `rotate_after`: people per number.
    `first_contacts`: that an honest person writes to a stranger in a step; `to_contacts`: that they write to somebody
    who knows them.
    """

    seed: int
    users: int = 500
    spammers: int = 20
    days: int = 3
    step: int = 2 * 3600
    defences: frozenset[Defence] = ALL
    habits: Habits = Habits()
    per_day: dict[Strategy, int] = field(
        default_factory=lambda: {
            Strategy.VOLUME: 96,
            Strategy.ROTATION: 16,
            Strategy.SLOW_DRIP: 4,
            Strategy.GROUP_INVITE: 24,
        }
    )
    rotate_after: int = 8
    first_contacts: float = 0.15
    to_contacts: float = 0.05

    @property
    def steps(self) -> int:
        """How many turns there are."""
        return self.days * 86_400 // self.step

    def has(self, defence: Defence) -> bool:
        """Whether a defence is on."""
        return defence in self.defences
