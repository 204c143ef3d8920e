"""What others have sent so far, as the facts that admission rules look at."""

from collections.abc import Iterator
from dataclasses import dataclass

from client.defence.admission import Consent, Facts, Frank, Place, Subject, admit_message, decide
from client.defence.admitting import Admitting
from client.defence.certificate_facts import CertificateFacts, facts_of_chain
from client.records.chats import Chat, Chats
from client.records.history import History
from client.records.message import Kind
from client.storage.store import Row, Store
from identity.binding import Verdict
from identity.number import TelephoneNumber

_ROWS = (
    "SELECT m.id, m.group_id, m.kind, m.sender, m.arrived, m.verdict, m.frank, p.context "
    "FROM message m JOIN proof p ON p.message = m.id WHERE p.verification IS NOT NULL AND p.context IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class PastChat:
    """A chat that somebody has added this device to at second `at`."""

    chat: Chat
    facts: Facts
    at: int


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A row that others have sent, which arrived at second `at`."""

    row: int
    group_id: bytes
    facts: Facts
    at: int
    aside: bool


class Past:
    """Proofs, certificates and times as they were; what a number is to this account, and its status, as they are now.

    Of what was dropped, taken back or has disappeared nothing is left; chats that came before version 3 of the store
    have no facts.
    """

    def __init__(self, store: Store, history: History, chats: Chats, admitting: Admitting) -> None:
        self._store = store
        self._history = history
        self._chats = chats
        self._admitting = admitting

    def chats(self) -> Iterator[PastChat]:
        """Every chat that others added this device to, but for those that were declined."""
        rows = self._store.rows("SELECT group_id, at, begins, issuer, identity FROM chat_admitted")
        for group_id, at, *certificate in rows:
            chat = self._chats.get(group_id)
            if chat is not None and chat.consent is not Consent.DECLINED:
                inviter = TelephoneNumber.from_digits(chat.inviter.removeprefix("+"))
                facts = self._admitting.facts(Subject.CHAT, group_id, inviter, CertificateFacts(*certificate), at)
                yield PastChat(chat, facts, at)

    def consent(self, group_id: bytes) -> Consent:
        """Whether the person wants to be in a chat now."""
        chat = self._chats.get(group_id)
        return Consent.DECLINED if chat is None else chat.consent

    def lets_in(self, group_id: bytes) -> bool:
        """Whether a chat would go to the inbox if its inviter added this device now."""
        rules = self._admitting.rules
        found = (each for each in self.chats() if each.chat.group_id == group_id)
        return any(decide(rules, each.facts).place is Place.INBOX for each in found)

    def messages(self, after: int, limit: int) -> list[PastMessage]:
        """The messages after a row, oldest first."""
        return [
            self._message(row) for row in self._store.rows(f"{_ROWS} AND m.id > ? ORDER BY m.id LIMIT ?", after, limit)
        ]

    def let_go(self, group_id: bytes) -> list[int]:
        """The rows of a chat that are held back, and would not be if they came now into a chat that is accepted."""
        held = self._store.rows(f"{_ROWS} AND m.place = 'quarantine' AND m.group_id = ? ORDER BY m.id", group_id)
        return [each.row for each in map(self._message, held) if self._is_admitted(each)]

    def _is_admitted(self, message: PastMessage) -> bool:
        rules = self._admitting.rules
        return admit_message(rules, message.facts, Consent.INBOX, aside=False).place is Place.INBOX

    def _message(self, row: Row) -> PastMessage:
        id_, group_id, kind, sender, arrived, verdict, frank, context = row
        facts = self._admitting.facts(
            Subject.MESSAGE,
            group_id,
            TelephoneNumber.from_digits(sender.removeprefix("+")),
            facts_of_chain(self._history.sender_chain(context)),
            arrived,
            Verdict(verdict),
            Frank(frank),
        )
        return PastMessage(id_, group_id, facts, arrived, Kind(kind).is_aside)
