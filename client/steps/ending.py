"""How chats end: another group takes a chat's place, or it is deleted at the service (docs/binding.md §3.7).

Only the word of somebody who may change the group counts, signed with the key of their leaf. A chat moves over when
both are here: that word, and an invitation by the same device. Everything happens inside the caller's transaction.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import mls_rs
import msgspec

from client.defence.lies import Lie
from client.defence.lookout import Lookout
from client.errors import ChatError
from client.events import ChatMoved, Event
from client.records.chats import Chat, Chats, Standing
from client.records.history import History
from client.records.message import Kind
from client.steps import roles
from client.steps.committing import Committer
from client.steps.device import number_of
from client.steps.groups import Groups, Step
from delivery_service.wire import Entry
from delivery_service.wire.ending import Ending, GroupEnd
from identity.device import number_of as number_of_identity
from identity.groups.group_ending import GroupEnding
from identity.groups.member_statement import GROUP_ID_LIMIT
from identity.number import TelephoneNumber

UNPROVEN = (
    "the service says that this chat has ended, and does not show that somebody who may end it wants that: "
    "this device does not follow"
)
MOVED_WHY = "the chat was begun anew: write it in the new one"
DELETED_WHY = "the chat is being deleted"
BEFORE = "{name} (before)"


@dataclass(frozen=True, slots=True)
class Due:
    """What this device wants ended: with a `successor`, who (`+E164`) is to be in it, and the admins if it has any."""

    group_id: bytes
    successor: bytes
    announced: bool
    numbers: Sequence[str]
    admins: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class How:
    """How a chat ended: begun `anew` or deleted; `successor`: where it goes on, once this device has moved over."""

    anew: bool
    successor: bytes


class Endings:
    """The rows of `group_ending` and `ending_due`."""

    def __init__(self, groups: Groups, history: History, lookout: Lookout, committer: Committer) -> None:
        self._store = groups.store
        self._groups = groups
        self._chats: Chats = groups.chats
        self._history = history
        self._lookout = lookout
        self._committer = committer

    def ended(self, step: Step, entry: Entry, now: int) -> tuple[str | None, list[Event]]:
        """Deal with an entry that ends the group: why nothing more is sent to it, or None if it is not believed."""
        group_id = step.group.group_id
        said = _decoded(entry)
        if said is None or not _is_entitled(step.group, said):
            return None, [self._lookout.say(group_id, Lie.UNPROVEN_END, UNPROVEN, now)]
        who = self._who(said.device)
        self._store.execute(
            "INSERT OR REPLACE INTO group_ending VALUES (?, ?, ?)", group_id, said.successor, said.device
        )
        if not said.successor:
            words = f"{who} deleted this chat at the service. {_until(said.deletes_at)} What is on this device stays."
            self._history.note(Kind.NOTICE, group_id, entry.seq, words, now, entry.at_ms)
            return DELETED_WHY, []
        words = f"{who} began this chat anew; it goes on in the new one. This one ends here."
        self._history.note(Kind.NOTICE, group_id, entry.seq, words, now, entry.at_ms)
        new = self._chats.get(said.successor)
        own = step.group.member(step.group.own_index).identity
        if new is not None and said.device in (own, self._joined_by(new.group_id)) and said.device:
            return MOVED_WHY, [self._move(self._chats.known(group_id), new, said.device, now)]
        return MOVED_WHY, []

    def joined(self, group_id: bytes, device: bytes, now: int) -> list[Event] | None:
        """Note by which device this one was added to a chat; if the chat takes another's place, it moves over.

        None if it is a chat like any other.
        """
        self._store.execute("INSERT OR REPLACE INTO joined_by VALUES (?, ?)", group_id, device)
        row = self._store.row("SELECT group_id FROM group_ending WHERE successor = ? AND device = ?", group_id, device)
        old = None if row is None else self._chats.get(row[0])
        return None if old is None else [self._move(old, self._chats.known(group_id), device, now)]

    def how(self, group_id: bytes, own: bytes) -> How | None:
        """How a chat ended; None if no entry of its log has ended it. `own`: this device's identity."""
        row = self._store.row("SELECT successor, device FROM group_ending WHERE group_id = ?", group_id)
        if row is None:
            return None
        successor, device = row
        moved = bool(successor) and self._chats.get(successor) is not None
        moved = moved and device in (own, self._joined_by(successor))
        return How(bool(successor), successor if moved else b"")

    def begin_reset(self, group_id: bytes, now: int) -> bytes:
        """Make the group that is to take a chat's place, with this device alone; returns its id. Raises ChatError.

        Of a chat that this device cannot follow any more it knows the people; the service knows who may end it.
        """
        chat, own = self._chats.known(group_id), self._groups.account.number
        is_lost = chat.standing is Standing.LOST
        admins = (frozenset({own}) if chat.roles else None) if is_lost else self._groups.admins(group_id)
        if admins is not None and own not in admins:
            raise ChatError("only an admin begins this chat anew", code="not-an-admin", hint="Ask an admin.")
        numbers = sorted(self._chats.listed(group_id) - {own.e164})
        listed = None if admins is None else sorted(number.e164 for number in admins)
        with self._store.transaction():
            if (due := self.due(group_id)) is not None:
                return due.successor
            new, _ = self._committer.create(chat.name, [], now, () if admins is None else (own,), named=False)
            self._want(Due(group_id, new, False, numbers, listed))
        return new

    def begin_closing(self, group_id: bytes) -> None:
        """Want a chat deleted at the service. Raises ChatError if it is for others to want."""
        self._chats.require_member(group_id)
        own, admins = self._groups.account.number, self._groups.admins(group_id)
        alone = {number_of(member) for member in self._groups.members(group_id)} == {own}
        if not alone and (admins is None or own not in admins):
            raise ChatError(
                "only an admin, or the last who is in it, deletes a chat", code="not-an-admin", hint="Leave it instead."
            )
        with self._store.transaction():
            self._want(Due(group_id, b"", False, (), None))

    def leave(self, group_id: bytes) -> int | None:
        """Want to leave; the last one who does has the chat deleted at the service. As Committer.leave."""
        with self._store.transaction():
            published = self._committer.is_published(group_id)
            intent = self._committer.leave(group_id)
            if intent is None and published:
                self._want(Due(group_id, b"", False, (), None))
        return intent

    def due(self, group_id: bytes) -> Due | None:
        """What is wanted of a chat."""
        return next((each for each in self.all_due() if each.group_id == group_id), None)

    def all_due(self) -> list[Due]:
        """Everything that is wanted and not done."""
        rows = self._store.rows("SELECT group_id, successor, announced, numbers, admins FROM ending_due")
        return [Due(row[0], row[1], bool(row[2]), json.loads(row[3]), json.loads(row[4])) for row in rows]

    def ending_of(self, due: Due) -> Ending:
        """The signed statement."""
        signature = GroupEnding(due.group_id, due.successor).sign(self._groups.account.key)
        return Ending(signature, due.successor)

    def announced(self, group_id: bytes) -> None:
        """Note that the service has ended the group as wanted."""
        with self._store.transaction():
            self._store.execute("UPDATE ending_due SET announced = 1 WHERE group_id = ?", group_id)

    def done(self, group_id: bytes) -> None:
        """Forget what was wanted: it is done, or cannot be."""
        with self._store.transaction():
            self._store.execute("DELETE FROM ending_due WHERE group_id = ?", group_id)

    def abandon(self, due: Due) -> None:
        """Give the new group up, since another one has taken the chat's place."""
        with self._store.transaction():
            self.done(due.group_id)
            if due.successor and self._chats.known(due.successor).standing.is_member:
                self._committer.leave(due.successor)

    def absent(self, due: Due) -> list[TelephoneNumber]:
        """Who is to be in the new chat and is not yet."""
        present = {number_of(member).e164 for member in self._groups.members(due.successor)}
        return _numbers(number for number in due.numbers if number not in present)

    def _want(self, due: Due) -> None:
        self._store.execute(
            "INSERT OR IGNORE INTO ending_due VALUES (?, ?, 0, ?, ?)",
            due.group_id,
            due.successor,
            json.dumps(list(due.numbers)),
            json.dumps(due.admins),
        )

    def _move(self, old: Chat, new: Chat, device: bytes, now: int) -> Event:
        """Let a chat go on in another: its name, and what the person has decided about it."""
        own_name, name = old.own_name, old.name
        self._chats.rename(old.group_id, BEFORE.format(name=name), own=own_name)
        self._chats.rename(new.group_id, name, own=own_name)
        self._chats.take_over(old.group_id, new.group_id)
        inviter = number_of_identity(device).e164
        self._chats.set_consent(new.group_id, old.consent, new.inviter or inviter)
        who = self._who(device)
        words = f"This chat takes the place of an earlier one, which {'you' if who == 'You' else who} ended."
        strangers = sorted(self._chats.listed(new.group_id) - self._chats.listed(old.group_id))
        if strangers:
            words += f" Who was not in that one: {', '.join(map(str, _numbers(strangers)))}."
        self._history.note(Kind.NOTICE, new.group_id, None, words, now)
        return ChatMoved(old.group_id, new.group_id, name)

    def _joined_by(self, group_id: bytes) -> bytes:
        row = self._store.row("SELECT device FROM joined_by WHERE group_id = ?", group_id)
        return b"" if row is None else bytes(row[0])

    def _who(self, device: bytes) -> str:
        number = number_of_identity(device)
        return "You" if number == self._groups.account.number else str(number)


def _numbers(texts: Iterable[str]) -> list[TelephoneNumber]:
    return [TelephoneNumber.from_digits(each[1:]) for each in texts]


def _is_entitled(group: mls_rs.Group, said: GroupEnd) -> bool:
    """Whether a member has signed it who may end the group, as this device knows the group."""
    signer = next((member for member in group.members() if member.identity == said.device), None)
    statement = GroupEnding(group.group_id, said.successor)
    if signer is None or not statement.is_signed(said.signature, signer.signature_key):
        return False
    admins, numbers = roles.admins(group), {number_of(member) for member in group.members()}
    if not said.successor and numbers == {number_of(signer)}:
        return True
    return number_of(signer) in admins if admins is not None else bool(said.successor)


def _decoded(entry: Entry) -> GroupEnd | None:
    try:
        said = msgspec.msgpack.decode(entry.body, type=GroupEnd)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fits = bool(said.successor) == (entry.kind == "successor") and len(said.successor) <= GROUP_ID_LIMIT
    return said if fits else None


def _until(seconds: int) -> str:
    try:
        last = datetime.fromtimestamp(seconds, UTC)
        day = f"{last.day} {last:%b %Y}"
    except (ValueError, OverflowError, OSError):
        return "What it keeps is deleted."
    return f"What it keeps is deleted on {day}."
