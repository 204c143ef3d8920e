"""What an attack is: a deed, the guard that must stop it, and what lets it through when that guard is switched off."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.attacks.outcome import Guard, Outcome
from lab.seams.seam import Seam
from lab.stage import Stage


@dataclass(frozen=True, slots=True)
class Attack:
    """`deed` says in one sentence what the attacker does; `guard` is the one that must stop it.

    `story` says in one paragraph what the attacker has and wants, and what a recipient sees when it is stopped; `has`
    and `sees` say the first and the last of it in a few words.
    `without` names what must be off for it to get through: the guard's seam, then those of the guards behind it.
    `spoils`: once it has got through, its group is of no use any more.
    """

    name: str
    title: str
    deed: str
    guard: Guard
    run: Callable[[Stage], Awaitable[Outcome]]
    story: str
    has: str
    sees: str
    without: tuple[Seam, ...]
    spoils: bool = False

    @property
    def also(self) -> tuple[Guard, ...]:
        """The guards that would stop it, one after the other, if the first one did not."""
        return tuple(seam.guard for seam in self.without[1:])

    def held(self, outcome: Outcome) -> bool:
        """Whether the attack was stopped, and by the guard that should."""
        return outcome.by == self.guard
