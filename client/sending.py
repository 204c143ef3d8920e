"""Sending: a text becomes a row of the outbox, and at sending time an attested ciphertext, in one transaction each."""

from client import content as mimi
from client import framing
from client.chats import Standing
from client.content import Content
from client.errors import ChatError
from client.events import Event, MessageAccepted, MessageFailed
from client.groups import Groups, Step
from client.history import History, Kind, Message, NewMessage
from client.outbox import Outbox, OutboxState, Outgoing
from client.reading import Titled, read
from client.wording import describe
from identity.binding import attest, group_uri, user_uri


class Sender:
    """The steps of a message on its way out."""

    def __init__(self, groups: Groups, history: History, outbox: Outbox) -> None:
        self._groups = groups
        self._history = history
        self._outbox = outbox

    def queue_text(self, group_id: bytes, body: str, now: int) -> Message:
        """Queue a text. Raises ChatError if this device is no member, ContentError if the text is too long."""
        return self.queue(group_id, mimi.text(*self._uris(group_id), body), now)

    def queue_title(self, group_id: bytes, now: int) -> None:
        """Queue the chat's name, for members who do not know it yet."""
        self.queue(group_id, mimi.title(*self._uris(group_id), self._groups.chats.known(group_id).name), now)

    def queue(self, group_id: bytes, content: Content, now: int) -> Message:
        """Queue any content; returns its row in the history."""
        chat = self._groups.chats.require_member(group_id)
        if chat.standing is not Standing.ACTIVE:
            raise ChatError("you are leaving this chat", code="leaving")
        framed = mimi.encode(content)
        reading = read(content)
        new = NewMessage(
            message_id=content.message_id.hex(),
            group_id=group_id,
            sender=self._groups.account.number,
            text=describe(reading),
            framed=framed,
            arrived=now,
        )
        with self._groups.store.transaction():
            kind = Kind.TITLED if isinstance(reading, Titled) else Kind.SENT
            message = self._history.add(kind, new, chat.name, own=True)
            self._outbox.queue(message.id, group_id)
        return message

    def prepare(self, group_id: bytes, now: int) -> Outgoing | None:
        """The oldest unanswered message, encrypted now if it was not; None if there is none.

        Proposals must be committed first (mls_rs.CommitRequiredError).
        """
        outgoing = self._outbox.next(group_id)
        if outgoing is None or outgoing.state is OutboxState.SENDING:
            return outgoing
        with self._groups.step(group_id) as step:
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
        """Note that the message will not be sent."""
        with self._groups.store.transaction():
            self._outbox.refused(outgoing.message, reason)
        return [MessageFailed(outgoing.group_id, outgoing.message, reason)]

    def refuse_all(self, group_id: bytes, reason: str) -> list[Event]:
        """Note that nothing more can be sent to a group, inside the caller's transaction."""
        queued = self._outbox.queued(group_id)  # what may have been accepted is left to the service's answer
        return [event for outgoing in queued for event in self.refused(outgoing, reason)]

    def _encrypt(self, step: Step, message: Message, now: int) -> None:
        group, account = step.group, self._groups.account
        own = group.member(group.own_index)
        uri = group_uri(account.host, group.group_id)
        passport = attest(
            account.key,
            own.credential.chain[0],  # a renewed certificate is not in this group before its commit is applied
            base_url=account.authority,
            number=account.number,
            group_uri=uri,
            peer=self._groups.peer(group),
            framed=message.framed,
            now=now,
        )
        self._history.attested(message.id, passport, self._groups.context(group, own, group.epoch, now))
        self._outbox.encrypted(message.id, group.epoch, group.encrypt(framing.wrap(passport, message.framed)))

    def _uris(self, group_id: bytes) -> tuple[str, str]:
        account = self._groups.account
        return user_uri(account.host, account.number), group_uri(account.host, group_id)
