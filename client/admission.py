"""Admission: where a chat and a message are shown, by who sent them, what was proved and what is known of the number.

The decision is the first rule that applies, of an ordered list that a person may change (client.rules). Two things
are settled by the chat and not by a rule: what is said in a request that was not accepted stays behind the request,
and what only changes another row shows in that row alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from identity.binding import Verification
from identity.number import TelephoneNumber
from identity.status import NumberStatus


class Relation(StrEnum):
    """What a number is to this account."""

    SELF = "self"
    CONTACT = "contact"
    NEW_KEY = "new-key"  # a contact's number on a key that this account has not met: perhaps another person
    SHARES_GROUP = "shares-group"  # no contact, but a member of another chat that was accepted
    STRANGER = "stranger"
    BLOCKED = "blocked"


class Consent(StrEnum):
    """Whether the person wants to be in a chat."""

    INBOX = "inbox"
    REQUEST = "request"
    QUARANTINE = "quarantine"
    DECLINED = "declined"


class Place(StrEnum):
    """Where a row is shown; what is `aside` shows only in the row that it changes, what is dropped only as a count."""

    INBOX = "inbox"
    REQUEST = "request"
    QUARANTINE = "quarantine"
    ASIDE = "aside"
    DROP = "drop"


class Subject(StrEnum):
    """What a decision is about."""

    CHAT = "chat"
    MESSAGE = "message"


class Frank(StrEnum):
    """Whether the service can be shown later what a message said (docs/binding.md, Franking)."""

    GOOD = "good"
    ABSENT = "absent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule may look at.

    `verification` is None for a chat, whose inviter's certificate the engine has validated. `certificate_age`: seconds
    since the sender's certificate begins; `issuer`: the name in it; `needs_proof`: the chat's own policy.
    """

    subject: Subject
    relation: Relation
    number: TelephoneNumber
    verification: Verification | None = None
    status: NumberStatus = NumberStatus.CLEAR
    certificate_age: int = 0
    issuer: str = ""
    frank: Frank = Frank.ABSENT
    needs_proof: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it applies where every condition that it states holds; an empty one states nothing.

    `numbers` are prefixes with `+`; `younger_than` is in seconds of the certificate's age.
    """

    name: str
    place: Place
    subject: Subject | None = None
    relation: frozenset[Relation] = frozenset()
    verdict: frozenset[str] = frozenset()
    status: frozenset[NumberStatus] = frozenset()
    frank: frozenset[Frank] = frozenset()
    numbers: tuple[str, ...] = ()
    issuer: frozenset[str] = frozenset()
    younger_than: int | None = None
    needs_proof: bool | None = None

    def applies(self, facts: Facts) -> bool:
        """Whether every condition holds."""
        return (
            (self.subject is None or facts.subject is self.subject)
            and (not self.relation or facts.relation in self.relation)
            and (not self.verdict or (facts.verification is not None and facts.verification.verdict in self.verdict))
            and (not self.status or facts.status in self.status)
            and (not self.frank or facts.frank in self.frank)
            and (not self.numbers or facts.number.e164.startswith(self.numbers))
            and (not self.issuer or facts.issuer in self.issuer)
            and (self.younger_than is None or facts.certificate_age < self.younger_than)
            and (self.needs_proof is None or facts.needs_proof is self.needs_proof)
        )


class Admitted(NamedTuple):
    """A place, why in words, and the name of the rule that chose it; both empty for the inbox."""

    place: Place
    why: str
    rule: str = ""


STRANGER = "You have not accepted a request from this number."
BEHIND_REQUEST = "chat not accepted"  # where the chat decides, and not a rule


def decide(rules: Sequence[Rule], facts: Facts) -> Admitted:
    """The first rule that applies; where none does, a chat is a request and a message is shown."""
    rule = next((each for each in rules if each.applies(facts)), None)
    if rule is None:
        place = Place.REQUEST if facts.subject is Subject.CHAT else Place.INBOX
        return Admitted(place, STRANGER if place is Place.REQUEST else "", "no rule" if place is Place.REQUEST else "")
    return (
        Admitted(rule.place, "", "")
        if rule.place is Place.INBOX
        else Admitted(rule.place, _why(rule, facts), rule.name)
    )


_CONSENTS = {
    Place.INBOX: Consent.INBOX,
    Place.REQUEST: Consent.REQUEST,
    Place.QUARANTINE: Consent.QUARANTINE,
    Place.DROP: Consent.DECLINED,
}


def consent_of(admitted: Admitted) -> Consent:
    """What a decision about a chat means for it."""
    return _CONSENTS[admitted.place]


def admit_message(rules: Sequence[Rule], facts: Facts, consent: Consent, *, aside: bool) -> Admitted:
    """Where a message goes in a chat with this consent."""
    admitted = decide(rules, facts)
    if admitted.place is not Place.INBOX:
        return admitted
    match consent:
        case Consent.INBOX:
            return Admitted(Place.ASIDE if aside else Place.INBOX, "")
        case Consent.QUARANTINE:
            return Admitted(Place.QUARANTINE, "The chat that it belongs to is held back.", BEHIND_REQUEST)
        case Consent.REQUEST | Consent.DECLINED:
            return Admitted(Place.REQUEST, STRANGER, BEHIND_REQUEST)


def _why(rule: Rule, facts: Facts) -> str:
    """The rule in words: a failed proof by its check, the rest by the rule's name."""
    verification = facts.verification
    failed = None if verification is None or "failed" not in rule.verdict else verification.failed_check
    if verification is not None and failed is not None:
        return f"Its proof failed: {verification.reason} (check {failed.number}, {failed.name})"
    if rule.relation == {Relation.BLOCKED}:
        return "You blocked this number."
    return f"Your rule “{rule.name}”."
