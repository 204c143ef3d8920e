"""Admitting: the facts that rules look at, gathered from the store, and the count of what they hid."""

from client.account import Account
from client.admission import (
    Admitted,
    Consent,
    Facts,
    Frank,
    Place,
    Relation,
    Rule,
    Subject,
    admit_message,
    consent_of,
    decide,
)
from client.certificate_facts import facts_of_chain
from client.contacts import Contacts
from client.rules import default_rules, parse_rules
from client.store import Store
from identity.binding import Verification
from identity.number import TelephoneNumber


class Admitting:
    """Decides, with the person's rules, where chats and messages go; runs inside the caller's transaction."""

    def __init__(self, store: Store, account: Account, contacts: Contacts) -> None:
        self._store = store
        self._account = account
        self._contacts = contacts
        self._rules: tuple[Rule, ...] | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        if self._rules is None:
            row = self._store.row("SELECT toml FROM admission_rules")
            self._rules = default_rules() if row is None else parse_rules(row[0])
        return self._rules

    def chat(self, group_id: bytes, inviter: TelephoneNumber, chain: tuple[bytes, ...], now: int) -> Consent:
        """Where a chat goes to which somebody has added this device."""
        admitted = decide(self.rules, self._facts(Subject.CHAT, group_id, inviter, chain, now))
        self._count(admitted, now)
        return consent_of(admitted)

    def message(
        self,
        group_id: bytes,
        consent: Consent,
        sender: TelephoneNumber,
        chain: tuple[bytes, ...],
        verification: Verification,
        frank: Frank,
        now: int,
        *,
        aside: bool,
    ) -> Admitted:
        """Where a message goes."""
        facts = self._facts(Subject.MESSAGE, group_id, sender, chain, now, verification, frank)
        admitted = admit_message(self.rules, facts, consent, aside=aside)
        self._count(admitted, now)
        return admitted

    def _facts(
        self,
        subject: Subject,
        group_id: bytes,
        number: TelephoneNumber,
        chain: tuple[bytes, ...],
        now: int,
        verification: Verification | None = None,
        frank: Frank = Frank.ABSENT,
    ) -> Facts:
        begins, issuer = facts_of_chain(chain)
        return Facts(
            subject=subject,
            relation=self._relation(group_id, number),
            number=number,
            verification=verification,
            certificate_age=max(now - begins, 0),
            issuer=issuer,
            frank=frank,
            needs_proof=self._store.row("SELECT 1 FROM wants_proof WHERE group_id = ?", group_id) is not None,
        )

    def _relation(self, group_id: bytes, number: TelephoneNumber) -> Relation:
        return self._contacts.relation(number)

    def _count(self, admitted: Admitted, now: int) -> None:
        if admitted.rule and admitted.place in (Place.REQUEST, Place.QUARANTINE, Place.DROP):
            self._store.execute(
                "INSERT INTO admission_count VALUES (?, ?, 1, ?) "
                "ON CONFLICT (rule, place) DO UPDATE SET count = count + 1, last = excluded.last",
                admitted.rule,
                admitted.place,
                now,
            )
