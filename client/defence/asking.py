"""Asking before writing: whom this account has asked, who asks it, and what the service is to be told of either.

While anybody may reach this number the service is told nothing about its contacts. Otherwise it holds a grant for each
contact and a block for each blocked number, so that it can tell whom to hand key packages to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from client.defence.admission import Consent
from client.defence.admitting import Admitting
from client.defence.contact_proof import ProvenRequest, prove, request_digest
from client.defence.continuity import Continuity
from client.errors import ChatError, ContactProofError
from client.events import ContactAsked, ContactGranted, Event, Trouble
from client.steps.groups import Groups
from client.storage.store import Row, Store
from delivery_service.wire import CONTACT_REQUEST_LIFETIME, AskedContact, ContactRequests, Decision, Mode
from identity.number import TelephoneNumber

_FORGET_WHY = """
DELETE FROM chat_admitted WHERE group_id = ?1 AND NOT EXISTS (SELECT 1 FROM contact_request WHERE digest = ?1)
"""
KEPT = 2 * CONTACT_REQUEST_LIFETIME  # seconds that an answered request is remembered: it must not come again
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Asked:
    """A number that was asked; seconds. The request lapses at `expires_at` unless it was granted."""

    number: TelephoneNumber
    at: int
    expires_at: int
    granted: bool


@dataclass(frozen=True, slots=True)
class Asks:
    """A proven number that asks to reach this account, since when, and the rule that keeps it waiting, in words."""

    number: TelephoneNumber
    at: int
    why: str
    rule: str


class Asking:
    """The rows of contact requests, in both directions."""

    def __init__(self, store: Store, groups: Groups, admitting: Admitting, continuity: Continuity) -> None:
        self._store = store
        self._groups = groups
        self._admitting = admitting
        self._continuity = continuity

    @property
    def mode(self) -> Mode:
        """How this number may be reached, as far as this device knows."""
        row = self._store.row("SELECT mode FROM reachable")
        return row[0] if row is not None and row[0] in MODES else "open"

    @property
    def head(self) -> int:
        """Up to where the service's news about contacts was read."""
        row = self._store.row("SELECT head FROM reachable")
        return 0 if row is None else int(row[0])

    # --- whom this account has asked

    def asked(self) -> list[Asked]:
        """Everybody who was asked, the last one first."""
        rows = self._store.rows("SELECT number, at, expires_at, granted FROM asked ORDER BY at DESC, number")
        return [_asked(row) for row in rows]

    def asked_of(self, number: TelephoneNumber) -> Asked | None:
        """The request to one number."""
        row = self._store.row("SELECT number, at, expires_at, granted FROM asked WHERE number = ?", number.e164)
        return None if row is None else _asked(row)

    def note_asked(self, number: TelephoneNumber, at: int, expires_at: int, *, granted: bool) -> None:
        """Remember a request; whoever is asked is no stranger, and may answer by writing."""
        with self._store.transaction():
            self._groups.contacts.accept(number)
            self._store.execute(
                "INSERT OR REPLACE INTO asked (number, at, expires_at, granted) VALUES (?, ?, ?, ?)",
                number.e164,
                at,
                expires_at,
                granted,
            )

    # --- who asks

    def asking(self, consent: Consent) -> list[Asks]:
        """Who asks and waits here, or is held back, the newest first."""
        rows = self._store.rows(
            "SELECT number, min(at), digest FROM contact_request WHERE consent = ? GROUP BY number ORDER BY 2 DESC, 1",
            consent,
        )
        return [
            Asks(TelephoneNumber.from_digits(number[1:]), at, *self._admitting.why_chat(digest))
            for number, at, digest in rows
        ]

    def grant(self, number: TelephoneNumber) -> None:
        """Let a number that asked reach this account, as a contact. Raises ChatError if it did not ask."""
        with self._store.transaction():
            self._answer(number, "grant")
            self._groups.contacts.accept(number)

    def refuse(self, number: TelephoneNumber) -> None:
        """Answer a number that asked with no. Raises ChatError if it did not ask."""
        with self._store.transaction():
            self._answer(number, "refuse")

    def put_away(self, number: TelephoneNumber) -> None:
        """Ask about a number no more: it was accepted or blocked without regard to its request."""
        self._store.execute("UPDATE contact_request SET consent = 'declined' WHERE number = ?", number.e164)

    def _answer(self, number: TelephoneNumber, decision: Decision) -> None:
        waiting = [each.number for each in (*self.asking(Consent.REQUEST), *self.asking(Consent.QUARANTINE))]
        if number not in waiting:
            raise ChatError(
                f"no request to reach you is waiting from {number}",
                code="unknown-request",
                hint="See who asks: ringtrue requests",
            )
        self._settle_requests(number, decision)

    def _settle_requests(self, number: TelephoneNumber, decision: Decision) -> None:
        self.put_away(number)
        self._store.execute("INSERT OR REPLACE INTO consent_due VALUES (?, ?)", number.e164, decision)

    # --- what the service says

    def take(self, news: ContactRequests, mode: Mode, now: int) -> list[Event]:
        """Believe of the service's news what is proven, and let the person's rules place it."""
        with self._store.transaction():
            events = self._granted(news.granted)
            known = {digest for (digest,) in self._store.rows("SELECT digest FROM contact_request")}
            came = {request_digest(asked): asked for asked in news.asked}
            for digest in came.keys() - known:
                events += self._take(digest, came[digest], now)
            for digest in known - came.keys():
                self._store.execute("DELETE FROM contact_request WHERE digest = ? AND consent <> 'declined'", digest)
            self._store.execute("DELETE FROM contact_request WHERE at < ?", now - KEPT)
            for digest in known:
                self._store.execute(_FORGET_WHY, digest)
            self.hold(mode, news.head)
        return events

    def _granted(self, numbers: Iterable[str]) -> list[Event]:
        waiting = [each for each in self.asked() if not each.granted and each.number.e164 in set(numbers)]
        for each in waiting:
            self._store.execute("UPDATE asked SET granted = 1 WHERE number = ?", each.number.e164)
        return [ContactGranted(each.number) for each in waiting]

    def _take(self, digest: bytes, asked: AskedContact, now: int) -> list[Event]:
        account = self._groups.account
        try:
            proven = prove(asked, self._groups.verifier, account.number, now)
        except ContactProofError as error:
            self._keep(digest, "", now, Consent.DECLINED)
            words = f"A contact request was dropped: {error}"
            return [Trouble(None, error, error.code, words)]
        return self._place(digest, proven, now)

    def _place(self, digest: bytes, proven: ProvenRequest, now: int) -> list[Event]:
        number = proven.number
        consent = self._admitting.chat(digest, number, proven.chain, now)  # which keeps why, under the digest
        if consent is Consent.INBOX and self._continuity.is_new(proven.identity):
            consent = Consent.REQUEST  # a number is recycled: a contact's number on a new key is asked about
        self._keep(digest, number.e164, proven.at, consent)
        match consent:
            case Consent.REQUEST:
                return [ContactAsked(number)]
            case Consent.INBOX:
                self._settle_requests(number, "grant")
            case Consent.DECLINED:
                self._groups.contacts.drop(number)
                self._settle_requests(number, "refuse")
        return []

    def _keep(self, digest: bytes, number: str, at: int, consent: Consent) -> None:
        self._store.execute("INSERT INTO contact_request VALUES (?, ?, ?, ?)", digest, number, at, consent)

    # --- what the service is told

    def hold(self, mode: Mode, head: int) -> None:
        """Note the mode in force; while it is open the service keeps nothing, and neither is anything due."""
        with self._store.transaction():
            self._store.execute("INSERT OR REPLACE INTO reachable VALUES (1, ?, ?)", mode, head)
            if mode == "open":
                self._store.execute("DELETE FROM consent_told")
                self._store.execute("DELETE FROM consent_due")

    def to_grant(self) -> list[str]:
        """The numbers that are not to be locked out: every contact."""
        return [each.number.e164 for each in self._groups.contacts.all() if each.accepted and not each.blocked]

    def due(self) -> list[tuple[str, Decision]]:
        """What the service is to be told, each once."""
        if self.mode == "open":
            return []
        told: dict[str, str] = dict(self._store.rows("SELECT number, decision FROM consent_told"))
        wanted: dict[str, Decision] = dict.fromkeys(self.to_grant(), "grant")
        wanted |= dict.fromkeys(self._groups.contacts.blocked(), "block")
        revoked: dict[str, Decision] = dict.fromkeys(told.keys() - wanted.keys(), "revoke")
        answers: dict[str, Decision] = dict(self._store.rows("SELECT number, decision FROM consent_due"))
        changed = {number: decision for number, decision in wanted.items() if told.get(number) != decision}
        return sorted((answers | revoked | changed).items())

    def told(self, decisions: Mapping[str, Decision]) -> None:
        """Note what the service was told."""
        with self._store.transaction():
            for number, decision in decisions.items():
                answered = self._store.row("SELECT 1 FROM consent_due WHERE number = ?", number) is not None
                self._store.execute("DELETE FROM consent_due WHERE number = ?", number)
                if decision in ("refuse", "revoke"):
                    self._store.execute("DELETE FROM consent_told WHERE number = ?", number)
                elif not answered or number in {*self.to_grant(), *self._groups.contacts.blocked()}:
                    self._store.execute("INSERT OR REPLACE INTO consent_told VALUES (?, ?)", number, decision)


def _asked(row: Row) -> Asked:
    number, at, expires_at, granted = row
    return Asked(TelephoneNumber.from_digits(number[1:]), at, expires_at, bool(granted))
