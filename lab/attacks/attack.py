"""What an attack is: a deed, and the guard that must stop it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.attacks.outcome import Guard, Outcome
from lab.stage import Stage


@dataclass(frozen=True, slots=True)
class Attack:
    """`deed` says in one sentence what the attacker does; `guard` is the one that must stop it."""

    name: str
    title: str
    deed: str
    guard: Guard
    run: Callable[[Stage], Awaitable[Outcome]]

    def held(self, outcome: Outcome) -> bool:
        """Whether the attack was stopped, and by the guard that should."""
        return outcome.by == self.guard
