"""What an attack is: a deed, the guard that must stop it, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from identity.verdict import RULES

if TYPE_CHECKING:
    from lab.stage import Stage


class Keeper(StrEnum):
    """Who can stop an attack."""

    CHECK = "check"  # a numbered check of docs/binding.md, at each recipient
    DISPLAY = "display"  # the recipient's client shows the message, and shows that nothing proves it
    ENGINE = "engine"  # each recipient's engine
    SERVICE = "service"  # the delivery service's rules, by the word of its problem


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule of one keeper: the number of a check, a verdict, an error's code or a problem's word."""

    keeper: Keeper
    rule: str

    def __str__(self) -> str:
        """`check 6 (number)`, `service: not-a-member`."""
        if self.keeper is Keeper.CHECK:
            return f"check {self.rule} ({RULES[int(self.rule)].name})"
        return f"{self.keeper}: {self.rule}"


def check(number: int) -> Guard:
    """The guard that is a numbered check."""
    return Guard(Keeper.CHECK, str(number))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attack: `by` is None if it got through.

    `badge` is what the recipients saw, empty if nothing reached their eyes; `code` is the RFC 8224 analogue; `compared`
    says what the check saw; `sent` what the attacker sent.
    """

    by: Guard | None
    reason: str
    badge: str = ""
    code: int | None = None
    compared: str = ""
    sent: str = ""

    @property
    def stopped(self) -> bool:
        """Whether anything stopped it."""
        return self.by is not None


@dataclass(frozen=True, slots=True)
class Attack:
    """`deed` says in one sentence what the attacker does; `guard` is the one that must stop it."""

    name: str
    title: str
    deed: str
    guard: Guard
    run: Callable[["Stage"], Awaitable[Outcome]]

    def held(self, outcome: Outcome) -> bool:
        """Whether the attack was stopped, and by the guard that should."""
        return outcome.by == self.guard
