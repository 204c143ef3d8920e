"""Admitting: the facts that rules look at, gathered from the store, the rules in force, and what each has hidden."""

from dataclasses import dataclass

from client.defence.admission import (
    Admitted,
    Consent,
    Facts,
    Frank,
    Place,
    Relation,
    Rules,
    Subject,
    admit_message,
    consent_of,
    decide,
)
from client.defence.certificate_facts import CertificateFacts, facts_of_chain
from client.defence.continuity import Continuity
from client.defence.rules import check_own_devices, default_rules, default_toml, parse_rules
from client.defence.statuses import Statuses
from client.errors import RulesError
from client.steps.groups import Groups
from client.storage.store import Store
from identity.binding import Verdict, Verification
from identity.number import TelephoneNumber

_HIDDEN = (Place.REQUEST, Place.QUARANTINE, Place.DROP)


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules that decide now. `saved_at`: None if they came with this program; `trouble`: why a person's do not."""

    rules: Rules
    toml: str
    saved_at: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How often a rule has put something there, and when it did last."""

    rule: str
    place: Place
    count: int
    last: int


class Admitting:
    """Decides, with the person's rules, where chats and messages go; runs inside the caller's transaction."""

    def __init__(self, store: Store, groups: Groups, continuity: Continuity, statuses: Statuses) -> None:
        self._store = store
        self._groups = groups
        self._continuity = continuity
        self._statuses = statuses
        self._in_force: InForce | None = None

    @property
    def in_force(self) -> InForce:
        """The person's rules; those that this program comes with where there are none that it can read."""
        if self._in_force is None:
            self._in_force = self._read()
        return self._in_force

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.in_force.rules

    def candidate(self, toml: str) -> Rules:
        """Read rules that a person might use. Raises RulesError also if they would hide the person's own devices."""
        rules = parse_rules(toml)
        account = self._groups.account
        check_own_devices(rules, account.number, facts_of_chain(account.chain).issuer)
        return rules

    def use(self, toml: str, now: int) -> None:
        """Decide with these rules what comes from now on. Raises RulesError."""
        self.candidate(toml)
        self._store.execute("INSERT OR REPLACE INTO admission_rules VALUES (1, ?, ?)", toml, now)
        self._in_force = None

    def reset(self) -> None:
        """Decide with the rules that this program comes with."""
        self._store.execute("DELETE FROM admission_rules")
        self._in_force = None

    def counts(self) -> list[Count]:
        """What each rule has hidden or dropped since this account exists, most first."""
        rows = self._store.rows("SELECT rule, place, count, last FROM admission_count ORDER BY count DESC, rule")
        return [Count(rule, Place(place), count, last) for rule, place, count, last in rows]

    def chat(self, group_id: bytes, inviter: TelephoneNumber, chain: tuple[bytes, ...], now: int) -> Consent:
        """Where a chat goes to which somebody has added this device; kept with the facts that a certificate told."""
        certificate = facts_of_chain(chain)
        facts = self.facts(Subject.CHAT, group_id, inviter, certificate, now)
        admitted = decide(self.rules, facts)
        self._store.execute(
            "INSERT OR REPLACE INTO chat_admitted VALUES (?, ?, ?, ?, ?, ?, ?)",
            group_id,
            now,
            *certificate,
            admitted.why,
            admitted.rule,
        )
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
        facts = self.facts(
            Subject.MESSAGE,
            group_id,
            sender,
            facts_of_chain(chain),
            now,
            verification.verdict,
            frank,
            _failure(verification),
        )
        admitted = admit_message(self.rules, facts, consent, aside=aside)
        self._count(admitted, now)
        return admitted

    def why_chat(self, group_id: bytes) -> tuple[str, str]:
        """Why a chat is where it is, in words, and the rule's name; empty where that was not kept."""
        return self._store.row("SELECT why, rule FROM chat_admitted WHERE group_id = ?", group_id) or ("", "")

    def facts(
        self,
        subject: Subject,
        group_id: bytes,
        number: TelephoneNumber,
        certificate: CertificateFacts,
        at: int,
        verdict: Verdict | None = None,
        frank: Frank = Frank.ABSENT,
        failure: str = "",
    ) -> Facts:
        """What was seen at this second, with what is known of the number, its key and the chat now."""
        return Facts(
            subject=subject,
            relation=self._relation(group_id, number, certificate.identity),
            number=number,
            verdict=verdict,
            status=self._statuses.of(number, at),
            certificate_age=certificate.age(at),
            issuer=certificate.issuer,
            frank=frank,
            needs_proof=self._groups.chats.wants_proof(group_id),
            failure=failure,
        )

    def _relation(self, group_id: bytes, number: TelephoneNumber, identity: bytes) -> Relation:
        relation = self._groups.contacts.relation(number)
        if relation in (Relation.CONTACT, Relation.SELF) and self._continuity.is_new(identity):
            return Relation.NEW_KEY
        if relation is Relation.STRANGER and self._groups.chats.shares(number.e164, group_id):
            return Relation.SHARES_GROUP
        return relation

    def _read(self) -> InForce:
        row = self._store.row("SELECT toml, saved_at FROM admission_rules")
        if row is None:
            return InForce(default_rules(), default_toml())
        toml, saved_at = row
        try:
            return InForce(parse_rules(toml), toml, saved_at)
        except RulesError as error:  # saved by another version of this program: nothing may stop on that
            return InForce(default_rules(), toml, saved_at, str(error))

    def _count(self, admitted: Admitted, now: int) -> None:
        if admitted.rule and admitted.place in _HIDDEN:
            self._store.execute(
                "INSERT INTO admission_count VALUES (?, ?, 1, ?) "
                "ON CONFLICT (rule, place) DO UPDATE SET count = count + 1, last = excluded.last",
                admitted.rule,
                admitted.place,
                now,
            )


def _failure(verification: Verification) -> str:
    """Why a proof failed, by its check; formatting the checks costs, so only then."""
    failed = verification.failed_check if verification.verdict is Verdict.FAILED else None
    return "" if failed is None else f"{verification.reason} (check {failed.number}, {failed.name})"
