"""A trial: what rules that are not in force yet would do with all that has come so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from client.defence.admission import WAITING, Admitted, Consent, Rules, Subject, admit_message, consent_of, decide
from client.defence.past import Past, PastChat, PastMessage
from identity.number import TelephoneNumber


@dataclass(frozen=True, slots=True)
class Change:
    """A chat, or a message by its row, that goes elsewhere by the rules on trial (`after`) than by those in force."""

    subject: Subject
    group_id: bytes
    row: int | None
    number: TelephoneNumber
    at: int
    before: Admitted
    after: Admitted


class Trial:
    """Compares two lists of rules over the same facts, so that what differs is due to the rules alone."""

    def __init__(self, past: Past, in_force: Rules, on_trial: Rules) -> None:
        self._past = past
        self._rules = in_force, on_trial
        self._chats = list(past.chats())
        self._waiting = {each.chat.group_id: self._consents(each) for each in self._chats if _waits(each)}

    def chats(self) -> tuple[int, list[Change]]:
        """How many chats there are, and what would change of them."""
        changes = [
            Change(Subject.CHAT, each.chat.group_id, None, each.facts.number, each.at, *decisions)
            for each in self._chats
            if _differ(decisions := self._decided(each))
        ]
        return len(self._chats), changes

    def messages(self, after: int, limit: int) -> tuple[Sequence[PastMessage], list[Change]]:
        """The messages after a row of the history, and what would change of them."""
        messages = self._past.messages(after, limit)
        changes = [
            Change(Subject.MESSAGE, each.group_id, each.row, each.facts.number, each.at, *decisions)
            for each in messages
            if _differ(decisions := self._admitted(each))
        ]
        return messages, changes

    def _decided(self, chat: PastChat) -> tuple[Admitted, Admitted]:
        before, after = self._rules
        return decide(before, chat.facts), decide(after, chat.facts)

    def _consents(self, chat: PastChat) -> tuple[Consent, Consent]:
        before, after = self._decided(chat)
        return consent_of(before), consent_of(after)

    def _admitted(self, message: PastMessage) -> tuple[Admitted, Admitted]:
        """A chat that nobody has decided about goes where the rules want it, and what is said in it follows."""
        present = self._past.consent(message.group_id)
        consents = self._waiting.get(message.group_id, (present, present))
        before, after = (
            admit_message(rules, message.facts, consent, aside=message.aside)
            for rules, consent in zip(self._rules, consents, strict=True)
        )
        return before, after


def _waits(chat: PastChat) -> bool:
    return chat.chat.consent in WAITING


def _differ(decisions: tuple[Admitted, Admitted]) -> bool:
    return decisions[0].place is not decisions[1].place
