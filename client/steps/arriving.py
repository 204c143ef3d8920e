"""What an application message does: its proof is verified, its place decided, and its row written."""

from dataclasses import dataclass, replace

import mls_rs

from client.defence.admission import Frank, Place
from client.defence.admitting import Admitting
from client.defence.continuity import Continuity
from client.defence.franking import Franking
from client.defence.lookout import Lookout
from client.events import ChatNamed, Event, MessageReceived
from client.formats.content import Content, decode
from client.formats.framing import Carried, unwrap
from client.formats.reading import Reading, Timed, Titled, read
from client.records.history import History
from client.records.message import FINDABLE, Kind, Message, NewMessage
from client.records.relations import Relations
from client.records.rows import kind_of, row_of
from client.steps.device import number_of
from client.steps.groups import Groups, Step
from client.words.wording import describe
from delivery_service.wire import Entry
from identity.binding import ReceivedMessage, Verdict, Verification, verify_message

# Verdicts with which a message may change what is there already.
_PROVED = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE, Verdict.CARRIER})


@dataclass(frozen=True, slots=True)
class Said:
    """The data of an application message, opened."""

    carried: Carried
    content: Content
    reading: Reading


def opened(data: bytes) -> Said:
    """Open the data of an application message. Raises ContentError."""
    carried = unwrap(data)
    content = decode(carried.framed)
    return Said(carried, content, read(content))


class Arrivals:
    """Deals with what members say, each message inside the step that decrypted it."""

    def __init__(
        self,
        groups: Groups,
        history: History,
        relations: Relations,
        admitting: Admitting,
        franking: Franking,
        continuity: Continuity,
        lookout: Lookout,
    ) -> None:
        self._groups = groups
        self._chats = groups.chats
        self._history = history
        self._relations = relations
        self._admitting = admitting
        self._franking = franking
        self._continuity = continuity
        self._lookout = lookout

    def arrived(self, step: Step, application: mls_rs.Application, said: Said, entry: Entry, now: int) -> list[Event]:
        """Verify a message, decide where it goes, and write it down; `now` in seconds."""
        group_id, carried, content = step.group.group_id, said.carried, said.content
        context = self._groups.context(step.group, application.sender, application.epoch, now)
        verification = verify_message(
            ReceivedMessage(carried.passport, carried.framed, content.sender_uri, content.room_uri),
            context,
            self._groups.verifier.chains,
            lambda replay_key: self._history.seen_passport(group_id, replay_key),
            self._groups.revocations.current(),
        )
        if verification.evidence is not None:
            self._history.remember_passport(group_id, verification.evidence.replay_key, now)
        told = self._lookout.told(group_id, application.sender, content, verification, entry, now)
        if verification.verdict in _PROVED and self._history.holds(
            group_id, content.message_id, number_of(application.sender)
        ):
            return told  # sent again, because the service had lost it or said so
        frank = self._franking.check(application, carried.framed, group_id, entry)
        new = NewMessage(
            message_id=content.message_id.hex(),
            group_id=group_id,
            sender=number_of(application.sender),
            text="",
            framed=carried.framed,
            arrived=now,
            seq=entry.seq,
            at_ms=entry.at_ms,
            passport=carried.passport,
            context=context,
            verification=verification,
            frank=frank,
            franked=entry.frank if frank is Frank.GOOD else None,
        )
        row = row_of(content, said.reading, new, self._groups.account.number)
        return [*self._stored(row, said.reading, verification), *told]

    def _stored(self, new: NewMessage, reading: Reading, verification: Verification) -> list[Event]:
        chat = self._chats.known(new.group_id)
        elsewhere = self._is_from_elsewhere(new, verification)
        kind = kind_of(reading, own=elsewhere)
        if kind not in FINDABLE and not self._may_change(new, kind, verification):
            kind, new = Kind.RECEIVED, replace(new, text=describe(reading), in_reply_to="", replaces="")
        assert new.context is not None, "a received message has a context"
        chain = new.context.sender_chain
        admitted = self._admitting.message(
            new.group_id, chat.consent, new.sender, chain, verification, new.frank, new.arrived, aside=kind.is_aside
        )
        if admitted.place is Place.DROP:
            return []
        if kind is Kind.SENT and admitted.place is not Place.INBOX:
            kind = Kind.RECEIVED  # a rule of the person's, which is to be seen
        message = self._history.add(kind, new, chat.name, admitted)
        self._continuity.note_message(message.id, chain)
        if elsewhere:
            self._relations.start_timer(message.id, new.arrived)
        if admitted.place is Place.ASIDE:
            self._relations.apply(message.id)
        named = None if admitted.place is Place.QUARANTINE else self.take_effect(message, reading)
        return [MessageReceived(message) if named is None else named]

    def _is_from_elsewhere(self, new: NewMessage, verification: Verification) -> bool:
        """Whether another device of this account has sent it, one that is known here."""
        if new.sender != self._groups.account.number or new.context is None or verification.verdict not in _PROVED:
            return False
        return self._continuity.goes_with_name(new.context.sender_chain)

    def take_effect(self, message: Message, reading: Reading) -> ChatNamed | None:
        """Let a message that names its chat, or sets its timer, do so."""
        chat = self._chats.known(message.group_id)
        match reading:
            case Titled(title=title) if message.kind is Kind.TITLED and message.sender is not None:
                name = chat.name if chat.own_name else self._chats.rename(message.group_id, title.text)
                return ChatNamed(message.group_id, name, message.sender)
            case Timed(seconds=seconds) if message.kind is Kind.TIMED:
                self._chats.set_timer(message.group_id, seconds)
        return None

    def _may_change(self, new: NewMessage, kind: Kind, verification: Verification) -> bool:
        """Whether a message may change another row or the chat; if not, it is a text, with its own verdict beside it.

        Without proof it may not: what it changed would go on showing the proof of what stood there before.
        """
        if verification.verdict not in _PROVED:
            return False
        admins = self._groups.admins(new.group_id)
        return kind.is_aside or admins is None or new.sender in admins
