"""Admission: where a chat and a message are shown, by who sent them, what was proved and what is known of the number.

The decision is the first rule that applies, of a list that a person may change (client.defence.rules). Three things
are settled by the chat and not by a rule: what is said in a chat that was not accepted stays behind that chat, what is
said in one that was declined is dropped, and what only changes another row shows in that row alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from identity.binding import Verdict
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus


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
    QUARANTINE = "quarantine"  # like a request, but nobody is told of it
    DECLINED = "declined"


WAITING = (Consent.REQUEST, Consent.QUARANTINE)  # what a person may still accept


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

    `verdict` is None for a chat, whose inviter's certificate the engine has validated. `certificate_age`: seconds since
    the sender's certificate begins; `issuer`: the name in it; `needs_proof`: the chat's own policy. `failure`, which no
    rule looks at, says why a proof failed.
    """

    subject: Subject
    relation: Relation
    number: TelephoneNumber
    verdict: Verdict | None = None
    status: NumberStatus = NumberStatus.CLEAR
    certificate_age: int = 0
    issuer: str = ""
    frank: Frank = Frank.ABSENT
    needs_proof: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it applies where every condition that it states holds; an empty one states nothing.

    `numbers` are prefixes with `+`; `younger_than` is in seconds of the certificate's age.
    """

    name: str
    place: Place
    subject: Subject | None = None
    relation: frozenset[Relation] = frozenset()
    verdict: frozenset[Verdict] = frozenset()
    status: frozenset[NumberStatus] = frozenset()
    frank: frozenset[Frank] = frozenset()
    numbers: tuple[str, ...] = ()
    issuer: frozenset[str] = frozenset()
    younger_than: int | None = None
    needs_proof: bool | None = None

    def applies(self, facts: Facts) -> bool:
        """Whether every condition holds."""
        return self.suits(facts) and self.knows(facts.number.e164, facts.issuer, facts.certificate_age)

    def suits(self, facts: Facts) -> bool:
        """Whether the conditions hold that allow of few values each."""
        return (
            (self.subject is None or facts.subject is self.subject)
            and (not self.relation or facts.relation in self.relation)
            and (not self.verdict or facts.verdict in self.verdict)
            and (not self.status or facts.status in self.status)
            and (not self.frank or facts.frank in self.frank)
            and (self.needs_proof is None or facts.needs_proof is self.needs_proof)
        )

    def knows(self, number: str, issuer: str, certificate_age: int) -> bool:
        """Whether the others hold, which are about one sender; `number` with `+`, the age in seconds."""
        return (
            (not self.numbers or number.startswith(self.numbers))
            and (not self.issuer or issuer in self.issuer)
            and (self.younger_than is None or certificate_age < self.younger_than)
        )


class Rules:
    """Rules in their order; which of them suit one kind of facts is worked out once for each kind."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._suiting: dict[tuple[object, ...], tuple[Rule, ...]] = {}

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def first(self, facts: Facts) -> Rule | None:
        """The first rule that applies."""
        kind = facts.subject, facts.relation, facts.verdict, facts.status, facts.frank, facts.needs_proof
        suiting = self._suiting.get(kind)
        if suiting is None:
            suiting = self._suiting[kind] = tuple(rule for rule in self._rules if rule.suits(facts))
        number, issuer, age = facts.number.e164, facts.issuer, facts.certificate_age
        for rule in suiting:
            if rule.knows(number, issuer, age):
                return rule
        return None


class Admitted(NamedTuple):
    """A place, why in words, and the name of the rule that chose it; both empty for the inbox."""

    place: Place
    why: str
    rule: str = ""


STRANGER = "You have not accepted this number, and it is not in your contacts."
# What stands in the place of a rule's name where the chat decides, or where no rule applies; no rule is called so.
BEHIND_CHAT = "chat not accepted"
DECLINED_CHAT = "chat declined"
NO_RULE = "no rule applies"


def decide(rules: Rules, facts: Facts) -> Admitted:
    """The first rule that applies; where none does, a chat is a request and a message is shown."""
    rule = rules.first(facts)
    if rule is not None:
        hidden = rule.place is not Place.INBOX
        return Admitted(rule.place, _because(rule, facts), rule.name) if hidden else Admitted(rule.place, "")
    if facts.subject is Subject.CHAT:
        return Admitted(Place.REQUEST, STRANGER, NO_RULE)
    return Admitted(Place.INBOX, "")


_CONSENTS = {
    Place.INBOX: Consent.INBOX,
    Place.REQUEST: Consent.REQUEST,
    Place.QUARANTINE: Consent.QUARANTINE,
    Place.DROP: Consent.DECLINED,
}


def consent_of(admitted: Admitted) -> Consent:
    """What a decision about a chat means for it."""
    return _CONSENTS[admitted.place]


def admit_message(rules: Rules, facts: Facts, consent: Consent, *, aside: bool) -> Admitted:
    """Where a message goes in a chat with this consent."""
    if consent is Consent.DECLINED:
        return Admitted(Place.DROP, "You declined this chat.", DECLINED_CHAT)
    admitted = decide(rules, facts)
    if admitted.place is not Place.INBOX:
        return admitted
    match consent:
        case Consent.INBOX:
            return Admitted(Place.ASIDE if aside else Place.INBOX, "")
        case Consent.QUARANTINE:
            return Admitted(Place.QUARANTINE, "Its chat is held back.", BEHIND_CHAT)
        case Consent.REQUEST:
            return Admitted(Place.REQUEST, "You have not accepted its chat.", BEHIND_CHAT)


_RELATION_WORDS = {
    Relation.SELF: "It comes from another device of yours.",
    Relation.CONTACT: "It comes from a contact.",
    Relation.NEW_KEY: "It comes from a contact's number, but on a key that this device has not met.",
    Relation.SHARES_GROUP: "You share a chat with this number, and have not accepted it.",
    Relation.STRANGER: STRANGER,
    Relation.BLOCKED: "You blocked this number.",
}
_STATUS_WORDS = {
    NumberStatus.CLEAR: "Nothing is published about this number.",
    NumberStatus.REPORTED: "This number was reported.",
    NumberStatus.WITHDRAWN: "This number is withdrawn for a while, after many reports.",
}
_FRANK_WORDS = {
    Frank.GOOD: "The service can confirm what it says.",
    Frank.ABSENT: "The service has put no mark on it.",
    Frank.WRONG: "The mark of the service on it does not fit.",
}


def _because(rule: Rule, facts: Facts) -> str:
    """What the rule states, as far as it is news, in words; a failed proof by its check."""
    reasons = []
    if rule.verdict and facts.verdict is not None:
        reasons.append(_proof_words(facts.verdict, facts.failure))
    if rule.needs_proof:
        reasons.append("You want a proof for every message in this chat.")
    if rule.status:
        reasons.append(_STATUS_WORDS[facts.status])
    if rule.frank:
        reasons.append(_FRANK_WORDS[facts.frank])
    if rule.numbers:
        prefix = next(each for each in rule.numbers if facts.number.e164.startswith(each))
        reasons.append(f"Its number begins with {prefix}.")
    if rule.issuer:
        reasons.append("Its certificate is by an issuer whom you named.")
    if rule.younger_than is not None:
        reasons.append("Its certificate is very new.")
    if not reasons and (rule.relation or facts.subject is Subject.CHAT):
        reasons.append(_RELATION_WORDS[facts.relation])
    return " ".join(reasons) or "The rule is for every message."


def _proof_words(verdict: Verdict, failure: str) -> str:
    match verdict:
        case Verdict.FAILED:
            return f"Its proof failed: {failure}"
        case Verdict.UNSIGNED:
            return "It came without a proof."
        case Verdict.UNDECIDED:
            return "Its proof cannot be checked."
    return f"Its proof is {verdict.value}."
