"""Sending: a text becomes a row of the outbox, and at sending time an attested ciphertext, in one transaction each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from client.credentials.renewal import CredentialDueError, message_waits
from client.defence.franking import tagged
from client.defence.lies import LOST_LIMIT, Lie, lost_words
from client.defence.lookout import Lookout
from client.defence.witness import EXTENSION, to_plain
from client.errors import CertificateEndedError, ChatError, NoMessagesError
from client.events import Event, MessageAccepted, MessageFailed
from client.formats import content as mimi
from client.formats import framing
from client.formats.cbor import Plain
from client.formats.content import Content, Expiration
from client.formats.parts import ExternalPart
from client.formats.reading import Attached, read
from client.records.chats import Chat, Standing
from client.records.history import History
from client.records.message import FINDABLE, Kind, Message, NewMessage
from client.records.outbox import Outbox, OutboxState, Outgoing
from client.records.relations import Relations
from client.records.rows import kind_of, row_of
from client.steps.groups import Groups, Step
from identity.binding import attest_message, group_uri, user_uri
from identity.certificate_fields import load_certificate, validity


class Sender:
    """The steps of a message on its way out."""

    def __init__(
        self, groups: Groups, history: History, outbox: Outbox, relations: Relations, lookout: Lookout
    ) -> None:
        self._lookout = lookout
        self._groups = groups
        self._history = history
        self._outbox = outbox
        self._relations = relations

    def queue_text(self, group_id: bytes, body: str, now: int, reply_to: int | None = None) -> Message:
        """Queue a text, perhaps as a reply to a row.

        Raises ChatError if this device is no member, ContentError if the text is too long.
        """
        answered = None if reply_to is None else self._message_id(self._history.get(reply_to))
        return self._queue_lasting(group_id, mimi.text(*self._uris(group_id), body, in_reply_to=answered), now)

    def queue_file(self, group_id: bytes, part: ExternalPart, caption: str, now: int) -> Message:
        """Queue the offer of a file that lies at the service."""
        return self._queue_lasting(group_id, mimi.attachment(*self._uris(group_id), part, caption), now)

    def queue_edit(self, row: int, body: str, now: int) -> Message:
        """Queue other words for an own message. Raises ChatError if it is not one's own, or was taken back."""
        message = self._own(row, FINDABLE)
        content = mimi.decode(message.framed)
        if isinstance(read(content), Attached):
            raise ChatError("a file's words cannot be changed", code="not-editable", hint="Take it back and send anew.")
        return self.queue(message.group_id, mimi.edit(content, self._message_id(message), body), now)

    def queue_deletion(self, row: int, now: int) -> Message:
        """Queue that an own message or reaction is taken back. Raises ChatError if it is not one's own."""
        message = self._own(row, (*FINDABLE, Kind.REACTION))
        content = mimi.deletion(*self._uris(message.group_id), self._message_id(message))
        return self.queue(message.group_id, content, now)

    def queue_reaction(self, row: int, emoji: str, now: int) -> Message:
        """Queue a reaction; the same emoji again takes it back."""
        message = self._history.get(row)
        target = self._message_id(message)
        own = self._groups.account.number
        for given, number, reaction in self._relations.reactions(message.group_id, message.message_id):
            if (given, number) == (emoji, own):
                return self.queue_deletion(reaction, now)
        return self.queue(message.group_id, mimi.reaction(*self._uris(message.group_id), emoji, target), now)

    def queue_timer(self, group_id: bytes, seconds: int, now: int) -> Message:
        """Queue after which time messages are to disappear, and keep to it."""
        admins = self._groups.admins(group_id)
        if admins is not None and self._groups.account.number not in admins:
            raise ChatError("only an admin decides when messages disappear", code="not-an-admin", hint="Ask an admin.")
        with self._groups.store.transaction():
            self._groups.chats.set_timer(group_id, seconds)
            return self.queue(group_id, mimi.timer(*self._uris(group_id), seconds), now)

    def retry(self, row: int) -> Message:
        """Queue a message again that failed. Raises StoreError if it did not."""
        message = self._history.get(row)
        self._require_active(message.group_id)
        with self._groups.store.transaction():
            self._outbox.retried(row)
        return self._history.get(row)

    def queue_title(self, group_id: bytes, now: int) -> None:
        """Queue the chat's name, for members who do not know it yet; nothing, if they would refuse it."""
        if self._groups.account.sends_messages():
            self.queue(group_id, mimi.title(*self._uris(group_id), self._groups.chats.known(group_id).name), now)

    def queue(self, group_id: bytes, content: Content, now: int) -> Message:
        """Queue any content; returns its row in the history. Raises NoMessagesError if all would refuse it."""
        chat = self._require_active(group_id)
        if not self._groups.account.sends_messages():
            raise NoMessagesError("the certificate of this device says that its number sends no messages")
        number = self._groups.account.number
        content = replace(content, extensions=self._extensions(group_id, content))
        framed = mimi.encode(content)
        reading = read(content)
        new = NewMessage(
            message_id=content.message_id.hex(),
            group_id=group_id,
            sender=number,
            text="",
            framed=framed,
            arrived=now,
        )
        with self._groups.store.transaction():
            row = row_of(content, reading, new, number)
            message = self._history.add(kind_of(reading, own=True), row, chat.name, own=True)
            self._outbox.queue(message.id, group_id)
            if message.kind.is_aside:
                self._relations.apply(message.id)
        return self._history.get(message.id)

    def _extensions(self, group_id: bytes, content: Content) -> Mapping[int | str, Plain]:
        """With what this device has read of the log by now, whatever an edited message said about that."""
        others = {key: value for key, value in content.extensions.items() if key != EXTENSION}
        witness = self._lookout.record.witness(group_id)
        return others if witness is None else {**others, EXTENSION: to_plain(witness)}

    def _queue_lasting(self, group_id: bytes, content: Content, now: int) -> Message:
        """Queue what a person says; it disappears as the chat's timer wants it."""
        timer = self._groups.chats.known(group_id).timer
        expires = Expiration(timer, relative=True) if timer else None
        return self.queue(group_id, replace(content, expires=expires), now)

    def _require_active(self, group_id: bytes) -> Chat:
        chat = self._groups.chats.require_member(group_id)
        if chat.standing is not Standing.ACTIVE:
            raise ChatError("you are leaving this chat", code="leaving", hint="Nothing more can be sent to it.")
        return chat

    def _own(self, row: int, kinds: Sequence[Kind]) -> Message:
        message = self._history.get(row)
        if message.kind not in kinds or message.sender != self._groups.account.number or message.withdrawn:
            raise ChatError(
                "only messages of your own that stand can be changed", code="not-own", hint="Choose one of your own."
            )
        return message

    def _message_id(self, message: Message) -> bytes:
        if not message.message_id:
            raise ChatError("this row is no message", code="no-message", hint="Choose a message that somebody wrote.")
        return bytes.fromhex(message.message_id)

    def prepare(self, group_id: bytes, now: int, *, renewing: bool) -> Outgoing | None:
        """The oldest unanswered message, encrypted now if it was not; None if there is none.

        Proposals must be committed first (mls_rs.CommitRequiredError), and so must a newer certificate that waits for a
        message, where that is still to be tried (`renewing`, CredentialDueError). Raises CertificateEndedError.
        """
        outgoing = self._outbox.next(group_id)
        if outgoing is None or outgoing.state is OutboxState.SENDING:
            return outgoing
        with self._groups.step(group_id) as step:
            self._require_certificate(step, now, renewing=renewing)
            self._encrypt(step, self._history.get(outgoing.message), now)
        return self._outbox.next(group_id)

    def accepted(self, outgoing: Outgoing, seq: int) -> list[Event]:
        """Note that the service has ordered the message."""
        with self._groups.store.transaction():
            self._outbox.accepted(outgoing.message, seq)
        return [MessageAccepted(outgoing.group_id, outgoing.message, seq)]

    def stale(self, outgoing: Outgoing) -> list[Event]:
        """Note that the message must be encrypted again, in a later epoch, if this device is there to do it."""
        if not self._groups.chats.known(outgoing.group_id).standing.is_member:
            return self.refused(outgoing, "this device is no longer in the chat")
        with self._groups.store.transaction():
            self._outbox.stale(outgoing.message)
        return []

    def refused(self, outgoing: Outgoing, reason: str) -> list[Event]:
        """Note that the message will not be sent; what it was to change stays as it was."""
        with self._groups.store.transaction():
            self._outbox.refused(outgoing.message, reason)
            if self._history.get(outgoing.message).kind.is_aside:
                self._relations.apply(outgoing.message)
        return [MessageFailed(outgoing.group_id, outgoing.message, reason)]

    def lost(self, outgoing: Outgoing, now: int) -> list[Event]:
        """Deal with a message that the service accepted and does not show: it is encrypted again, a few times."""
        assert outgoing.ciphertext is not None, "the octets are kept until they were read back"
        group_id = outgoing.group_id
        with self._groups.store.transaction():
            again = self._lookout.lost(group_id, outgoing.ciphertext, outgoing.message, now) <= LOST_LIMIT
            words = lost_words(again=again)
            events: list[Event] = [self._lookout.say(group_id, Lie.LOST, words, now)]
            if again:
                self._outbox.lost(outgoing.message)
                return events
            self._outbox.refused(outgoing.message, words)
            return [*events, MessageFailed(group_id, outgoing.message, words)]

    def refuse_all(self, group_id: bytes, reason: str) -> list[Event]:
        """Note that nothing more can be sent to a group, inside the caller's transaction."""
        queued = self._outbox.queued(group_id)  # what may have been accepted is left to the service's answer
        return [event for outgoing in queued for event in self.refused(outgoing, reason)]

    def _require_certificate(self, step: Step, now: int, *, renewing: bool) -> None:
        """What is signed with a certificate that has ended would be refused by all who receive it."""
        chain = step.group.member(step.group.own_index).credential.chain
        not_before, not_after = validity(load_certificate(chain[0]))
        if renewing and chain != self._groups.account.chain and message_waits(not_before, not_after, now):
            raise CredentialDueError
        if now > not_after:
            raise CertificateEndedError("this device's certificate has ended, and what is written waits for a new one")

    def _encrypt(self, step: Step, message: Message, now: int) -> None:
        group, account = step.group, self._groups.account
        if message.passport is not None:  # readers who have seen the earlier one must not take this for its replay
            now = max(now, message.arrived + 1)
        own = group.member(group.own_index)
        uri = group_uri(account.host, group.group_id)
        passport = attest_message(
            account.key,
            own.credential.chain[0],  # a renewed certificate is not in this group before its commit is applied
            base_url=account.x5u_base,
            number=account.number,
            group_uri=uri,
            peer=self._groups.peer(group),
            framed=message.framed,
            now=now,
        )
        self._history.attested(message.id, passport, self._groups.context(group, own, group.epoch, now))
        ciphertext = group.encrypt(framing.wrap(passport, message.framed), tagged(message.framed))
        self._outbox.encrypted(message.id, group.epoch, ciphertext)
        self._groups.leaves.use(group.group_id, now)

    def _uris(self, group_id: bytes) -> tuple[str, str]:
        account = self._groups.account
        return user_uri(account.host, account.number), group_uri(account.host, group_id)
