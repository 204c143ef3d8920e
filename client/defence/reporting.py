"""Reporting: evidence from the history, exactly as it will be signed and sent, and what became of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from client.credentials.account import Account
from client.defence.franking import Franking, franked_item
from client.errors import ChatError
from client.formats.text import safe_text
from client.records.history import History
from client.records.message import Message
from client.records.relations import Relations
from client.steps.groups import Groups
from client.storage.store import Store
from client.words.wording import PROVEN
from identity.authority.wire import ReportTaken
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import (
    EVIDENCE_LIMIT,
    ITEMS_LIMIT,
    NOTE_LIMIT,
    Evidence,
    EvidenceItem,
    Report,
    ReportContext,
    ReportKind,
    ReportVerification,
    sign_report,
    verify_report,
)

NOT_PROVED = "Only what its number has signed can be reported: without a proof, anybody could have made it up."
WHY_LIMIT = 200  # characters of what an authority says


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be disclosed: the messages behind the rows that were chosen, and the octets that would be signed.

    An edited message is two messages, as it was and as it is. `chosen` are the rows to be marked as reported.
    """

    accused: TelephoneNumber
    chosen: tuple[int, ...]
    messages: tuple[Message, ...]
    octets: bytes

    def check_shown(self, digest: str) -> None:
        """Check that this is what was shown: its SHA-256 in hex, empty for anything. Raises ChatError."""
        if digest and digest != hashlib.sha256(self.octets).hexdigest():
            raise ChatError(
                "a message was edited since the report was shown: nothing was sent",
                code="report-changed",
                hint="Look at what would be sent now, and report it again.",
            )


class Reporting:
    """Makes reports from rows, whether of a request, held back or in the inbox, and remembers which were made."""

    def __init__(
        self, store: Store, groups: Groups, history: History, relations: Relations, franking: Franking
    ) -> None:
        self._franking = franking
        self._store = store
        self._groups = groups
        self._history = history
        self._relations = relations

    def prepare(self, rows: Sequence[int], kind: ReportKind, note: str, *, by_frank: bool = False) -> Prepared:
        """Gather the evidence for these rows: the same rows give the same octets. Raises ChatError.

        `by_frank`: show what the delivery service confirms in the place of the PASSporTs (docs/binding.md §6.1).
        """
        check_words(note, NOTE_LIMIT)
        chosen = [self._history.get(row) for row in dict.fromkeys(rows)]
        messages = [each for message in chosen for each in self._versions(message)]
        if not 1 <= len(messages) <= ITEMS_LIMIT:
            raise ChatError(
                f"a report shows 1 to {ITEMS_LIMIT} messages, not {len(messages)}",
                code="report-size",
                hint="Choose fewer messages: one is enough.",
            )
        accused = self._accused(messages)
        item = self._franked if by_frank else self._item
        evidence = Evidence(tuple(map(item, messages)), kind, note)
        octets = evidence.encode()
        if len(octets) > EVIDENCE_LIMIT:
            raise ChatError(
                f"the report has {len(octets)} octets; at most {EVIDENCE_LIMIT} can be sent",
                code="report-size",
                hint="Choose fewer messages: one is enough.",
            )
        return Prepared(accused, tuple(message.id for message in chosen), tuple(messages), octets)

    def sign(self, prepared: Prepared, audience: str, now: int) -> Report:
        """Stand by it with this device's key, towards one authority."""
        account = self._account
        return sign_report(account.key, account.chain, prepared.octets, audience, now)

    def verify(self, report: Report, audience: str, now: int) -> ReportVerification:
        """Check a report as its recipient will."""
        return verify_report(report, ReportContext(audience, now, hub_keys=self._franking.keys), self._groups.verifier)

    def made(self, prepared: Prepared, taken: ReportTaken, now: int) -> None:
        """Note that these rows were reported; one that has disappeared meanwhile needs no note."""
        with self._store.transaction():
            for row in prepared.chosen:
                self._store.execute(
                    "INSERT OR REPLACE INTO reported SELECT id, ?, ? FROM message WHERE id = ?", now, taken.counted, row
                )

    def reported_at(self, row: int) -> int | None:
        """When a row was reported, if it was."""
        found = self._store.row("SELECT at FROM reported WHERE message = ?", row)
        return None if found is None else int(found[0])

    @property
    def _account(self) -> Account:
        return self._groups.account

    def _versions(self, message: Message) -> list[Message]:
        edit = self._relations.standing_edit(message)
        return [message] if edit is None else [message, edit]

    def _accused(self, messages: Sequence[Message]) -> TelephoneNumber:
        senders = {message.sender for message in messages}
        accused = senders.pop()
        if accused == self._account.number:
            raise ChatError("this is your own message", code="own-message", hint="Choose a message of somebody else.")
        if accused is None:
            raise ChatError("nobody has said this", code="no-proof", hint=NOT_PROVED)
        if senders:
            raise ChatError(
                "a report is about the messages of one number",
                code="several-senders",
                hint="Report each number by itself.",
            )
        return accused

    def _franked(self, message: Message) -> EvidenceItem:
        return franked_item(message, self._account.host)

    def _item(self, message: Message) -> EvidenceItem:
        verification = message.verification
        if message.passport is None or verification is None or verification.verdict not in PROVEN:
            raise ChatError("this message proves nothing against its number", code="no-proof", hint=NOT_PROVED)
        context = self._history.context(message)
        return EvidenceItem(
            framed=message.framed,
            passport=message.passport.decode("ascii"),
            chain=context.sender_chain,
            group=context.group_uri,
            epoch=context.epoch,
            leaf=context.sender_leaf,
            arrived=context.arrived,
        )


def check_words(words: str, limit: int) -> None:
    """Check words to the authority's operator, a note or an appeal. Raises ChatError."""
    if len(words) > limit:
        raise ChatError(f"a note or an appeal has at most {limit} characters", code="note-too-long", hint="Shorten it.")
    try:
        words.encode()
    except UnicodeEncodeError as error:
        hint = "Write it again; what a terminal passes on is to be UTF-8."
        raise ChatError("text with a lone surrogate cannot be sent", code="not-text", hint=hint) from error


def outcome(taken: ReportTaken, accused: TelephoneNumber) -> str:
    """What the authority made of a report, in words."""
    said = f"{accused} counts as {taken.status} now." if taken.status is not NumberStatus.CLEAR else ""
    why = " ".join(safe_text(taken.why[:WHY_LIMIT]).text.split())
    heard = "The report was verified and counts." if taken.counted else f"The report was verified. {why}"
    return f"{heard} {said}".strip()
