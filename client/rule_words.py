"""Admission rules in words, one line each, for people who do not read TOML."""

from collections.abc import Iterable, Iterator

from client.admission import Frank, Place, Relation, Rule, Subject
from client.wording import duration

_SUBJECTS = {Subject.CHAT: "A chat", Subject.MESSAGE: "A message", None: "Anything"}
_SENDERS = {
    Relation.SELF: "your own devices",
    Relation.CONTACT: "a contact",
    Relation.NEW_KEY: "a contact's number on a new key",
    Relation.SHARES_GROUP: "somebody who shares a chat with you",
    Relation.STRANGER: "a stranger",
    Relation.BLOCKED: "a number that you blocked",
}
_FRANKS = {
    Frank.GOOD: "that the service can confirm",
    Frank.ABSENT: "without the service's mark",
    Frank.WRONG: "whose mark of the service does not fit",
}
PLACE_WORDS = {
    Place.INBOX: "inbox",
    Place.REQUEST: "request",
    Place.QUARANTINE: "quarantine",
    Place.DROP: "dropped and counted",
    Place.ASIDE: "shown in what it changes",
}


def rule_words(rule: Rule) -> str:
    """What a rule does: "A message from a stranger, proof unsigned: quarantine"."""
    senders = f" from {_either(_SENDERS[each] for each in Relation if each in rule.relation)}" if rule.relation else ""
    return f"{', '.join([f'{_SUBJECTS[rule.subject]}{senders}', *_conditions(rule)])}: {PLACE_WORDS[rule.place]}"


def _conditions(rule: Rule) -> Iterator[str]:
    if rule.verdict:
        yield f"proof {_either(sorted(rule.verdict))}"
    if rule.needs_proof is not None:
        yield f"in a chat that {'wants' if rule.needs_proof else 'does not want'} a proof for every message"
    if rule.status:
        yield f"number {_either(sorted(rule.status))}"
    if rule.frank:
        yield _either(_FRANKS[each] for each in Frank if each in rule.frank)
    if rule.numbers:
        yield f"number beginning with {_either(rule.numbers)}"
    if rule.issuer:
        yield f"certificate by {_either(ascii(each) for each in sorted(rule.issuer))}"
    if rule.younger_than is not None:
        yield f"certificate younger than {duration(rule.younger_than)}"


def _either(words: Iterable[str]) -> str:
    *first, last = map(str, words)
    return f"{', '.join(first)} or {last}" if first else last
