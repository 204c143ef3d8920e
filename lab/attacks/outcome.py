"""Who stops an attack, and what came of one."""

from dataclasses import dataclass
from enum import StrEnum

from client.records.message import Message
from identity.verdict import RULES, Check


class Keeper(StrEnum):
    """Who can stop an attack."""

    ADMISSION = "admission"  # a rule of the recipient's client on where a message is shown, by its name
    ALARM = "alarm"  # the owner's client tells what others do with the number, by the kind of the alarm
    AUTHORITY = "authority"  # the authority's judgement on a report, by the code of its refusal
    CERTIFICATION = "certification"  # the ACME server: checks of RFC 9448 §6 by number, or the word of its problem
    CHECK = "check"  # a numbered check of docs/binding.md, at each recipient
    DISPLAY = "display"  # the recipient's client shows the message, and shows what is wrong with it
    ENGINE = "engine"  # each recipient's engine, or what stands right before it, by the code of the error
    LINKING = "linking"  # two devices of one number while one lets the other have it, by the code of the error
    REVOCATIONS = "revocations"  # each client's judgement on lists of revocations, by the code of the error
    SERVICE = "service"  # the delivery service's rules, by the word of its problem
    WITNESS = "witness"  # the recipient's client compares what the service hands out, by the code of what it noticed


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule of one keeper: the number of a check, a verdict, an error's code or a problem's word."""

    keeper: Keeper
    rule: str

    def __str__(self) -> str:
        """`check 6 (number)`, `service: not-a-member`."""
        if self.keeper is Keeper.CHECK:
            return f"check {self.rule} ({RULES[int(self.rule)].name})"
        if self.keeper is Keeper.AUTHORITY and self.rule.isdigit():
            return f"{self.keeper}: check {self.rule} of reports"
        if self.keeper is Keeper.CERTIFICATION and self.rule.isdigit():
            return f"{self.keeper}: check {self.rule} of tokens"
        return f"{self.keeper}: {self.rule}"


def check(number: int) -> Guard:
    """The guard that is a numbered check."""
    return Guard(Keeper.CHECK, str(number))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attack: `by` is None if nothing stopped it, `won` only if the attacker's goal was seen reached.

    `badge` is what the recipients saw, empty if nothing reached their eyes; `code` is the RFC 8224 analogue; `compared`
    says what the check saw; `sent` what the attacker sent; `checks` are those of a recipient, empty if nothing was
    verified; `message` is the row that a recipient's client keeps, if there is one.
    """

    by: Guard | None
    reason: str
    badge: str = ""
    code: int | None = None
    compared: str = ""
    sent: str = ""
    checks: tuple[Check, ...] = ()
    message: Message | None = None
    won: bool = False

    @property
    def stopped(self) -> bool:
        """Whether anything stopped it."""
        return self.by is not None
