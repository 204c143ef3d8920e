"""Admission rules in words, one line each, for people who do not read TOML."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from client.defence.admission import Frank, Place, Relation, Rule, Subject
from client.desk.rule_views import ChangeView, CountView, MoveView, RulesView, RuleView, TrialView
from client.words.spelling import counted, shown_number
from client.words.wording import duration

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
    Frank.WRONG: "with a mark of the service that does not fit",
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


def move_words(move: MoveView) -> str:
    """How much would go from where to where: "12 messages: from inbox to quarantine, by “new numbers”"."""
    return f"{counted(move.count, move.subject)}: {_way(move.before, move.after, move.rule)}"


def change_words(change: ChangeView) -> str:
    """One thing that would go elsewhere, by its number and time; nothing that anybody wrote."""
    who = f"{shown_number(change.number)} ({change.name})" if change.name else shown_number(change.number)
    return f"{change.subject} of {who}, {_minute(change.at)}: {_way(change.before, change.after, change.rule)}"


def tried_words(trial: TrialView) -> str:
    """What rules were tried on, and how much of it they would put elsewhere."""
    tried = f"{counted(trial.chats, 'chat')} and {counted(trial.messages, 'message')}"
    moved = sum(move.count for move in trial.moves)
    return f"Tried on {tried} of others: {moved or 'nothing'} would have gone elsewhere. Nothing is changed."


def count_words(count: CountView) -> str:
    """What a rule has hidden so far."""
    where = "dropped" if count.place == "drop" else f"to {PLACE_WORDS[Place(count.place)]}"
    return f"{count.rule}: {count.count} {where}, last {_minute(count.last)}"


def listed_words(rule: RuleView) -> str:
    """One rule of the list: its name, what it does, whose it is and what it has hidden."""
    marks = [*(["your own"] if rule.own else []), *([f"{rule.count} so far"] if rule.count else [])]
    shown = f" ({', '.join(marks)})" if marks else ""
    return f"{rule.name}{shown}: {rule.words}"


def in_force_words(rules: RulesView) -> str:
    """Whose rules decide, and since when."""
    if rules.trouble:
        return f"Your own rules cannot be used ({rules.trouble}). Those that this program comes with decide."
    if rules.saved is None:
        return "These rules come with this program."
    return f"These rules are yours; they decide about what has come since {_minute(rules.saved)}."


def hidden_by(why: str, rule: str) -> str:
    """Why something is hidden, and the rule that hid it."""
    return f"{why} Rule: {rule}" if rule else why


SAVED = "Saved. These rules decide about what comes from now on; what has come stays where it is."
RESET = "The rules that this program comes with decide about what comes from now on."


def _way(before: str, after: str, rule: str) -> str:
    by = f", by “{rule}”" if rule else ""
    return f"from {PLACE_WORDS[Place(before)]} to {PLACE_WORDS[Place(after)]}{by}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
