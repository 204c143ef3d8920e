"""Continuity: which device keys of a number a person has met, since a number proves itself and not its holder.

| a key is seen                                        | met as   | the name of the number goes with it |
|------------------------------------------------------|----------|-------------------------------------|
| in an accepted chat, the number's first one          | first    | yes                                 |
| added by a met key of the same number                | vouched  | if it goes with the key that added  |
| linked with this device by the person                | linked   | yes                                 |
| in the leaf of a met key, by its own update          | rotated  | if it went with the earlier key     |
| in a request that was accepted, or invited on purpose, beside earlier ones | accepted | no            |
| of whom the person says that it is the same person   | person   | yes                                 |
| elsewhere                                            | not met  | no                                  |

Numbers are recycled: a key that was not met, under a number of which another one was, is a new telephone or a new
holder. It inherits no conversation, and its chat is a request.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import mls_rs

from client.defence.certificate_facts import facts_of_chain
from client.errors import ChatError, NewKeyError
from client.steps.device import number_of
from client.steps.groups import Groups
from client.storage.store import Row, Store
from client.words.spelling import shown_number
from identity.number import TelephoneNumber

_SELECT = "SELECT identity, first_seen, met_at, how FROM device_key"


class How(StrEnum):
    """How a key was met."""

    FIRST = "first"
    VOUCHED = "vouched"
    ROTATED = "rotated"
    LINKED = "linked"
    ACCEPTED = "accepted"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key of a number (`DeviceIdentity.identity`); `first_seen` and `met_at` are seconds by this device's clock."""

    identity: bytes
    first_seen: int
    met_at: int | None = None
    how: How | None = None

    @property
    def met(self) -> bool:
        """Whether the person has agreed to talk to it."""
        return self.met_at is not None

    @property
    def named(self) -> bool:
        """Whether what the number is called here is what this key is called."""
        return self.met and self.how is not How.ACCEPTED

    @property
    def key(self) -> str:
        """The key's part of the identity: 32 hexadecimal digits."""
        return key_part(self.identity)


class Continuity:
    """The rows of `device_key`, and what follows from them. Runs inside the caller's transaction."""

    def __init__(self, store: Store, groups: Groups) -> None:
        self._store = store
        self._groups = groups
        self.own = facts_of_chain(groups.account.chain).identity

    def begin(self, now: int) -> None:
        """Meet this device, and in a store of an earlier version everybody in the chats that were accepted."""
        if self._get(self.own) is not None:
            return
        with self._store.transaction():
            self._meet(self.own, How.FIRST, now)
            for chat in self._groups.chats.all():
                if chat.standing.is_member and chat.consent == "inbox":
                    self._see(self._groups.members(chat.group_id), True, now)

    def get(self, identity: bytes) -> DeviceKey:
        """What is known of a key; of one that was never seen, nothing."""
        return self._get(identity) or DeviceKey(identity, 0)

    def keys(self, number: TelephoneNumber) -> list[DeviceKey]:
        """Every key of a number that was seen in a chat, the earliest first."""
        rows = self._store.rows(f"{_SELECT} WHERE number = ? ORDER BY first_seen, identity", number.e164)
        return [_key(row) for row in rows]

    def request_words(self, number: str) -> str:
        """Why a chat that a new key of a number (`+E164`) has begun is a request."""
        called = self._called(TelephoneNumber.from_digits(number.removeprefix("+")))
        return (
            f"The number of {called}, on a key that you have not met: a new telephone, or a new holder of the number. "
            "Compare the check number or ask by another way."
        )

    def is_new(self, identity: bytes) -> bool:
        """Whether this key was not met, and another one of its number was."""
        row = self._store.row("SELECT met_at FROM device_key WHERE identity = ?", identity)
        return (row is None or row[0] is None) and self._has_met(_number(identity))

    def joined(self, members: Sequence[mls_rs.Member], *, accepted: bool, now: int) -> list[str]:
        """Note the devices of a chat that this device has joined; returns what there is to say about them."""
        return [self._words(key) for key in self._see(members, accepted, now)]

    def committed(self, commit: mls_rs.Commit, *, accepted: bool, now: int) -> list[str]:
        """Note what a commit has added or changed; returns what there is to say about keys that were not met."""
        committer = commit.committer
        for before, after in commit.updated:
            self._follow(before.identity, after.identity, How.ROTATED, now)
        for member in commit.added:
            if committer is not None and number_of(committer) == number_of(member):
                self._follow(committer.identity, member.identity, How.VOUCHED, now)
        return [self._words(key) for key in self._see(commit.added, accepted, now)]

    def accept(self, group_id: bytes, number: TelephoneNumber, now: int) -> list[str]:
        """Meet who asked, and whoever else is first seen in the chat that is accepted; returns what to say about it."""
        members = self._members(group_id)
        beside = [each.identity for each in members if number_of(each) == number and self.is_new(each.identity)]
        for identity in beside:
            self._meet(identity, How.ACCEPTED, now)
        words = [_accepted_words(self.get(identity)) for identity in beside]
        words += [self._words(key) for key in self._see(members, True, now)]
        self.set_apart(group_id, now)
        return words

    def meet(self, number: TelephoneNumber, key: str, now: int) -> None:
        """Take a person's word that a key is the same person's; its chat is then no longer apart. Raises ChatError."""
        found = [each for each in self.keys(number) if each.key == key]
        if not found:
            raise ChatError(
                f"no such key of {number} was seen in a chat", code="unknown-key", hint=f"ringtrue keys list {number}"
            )
        with self._store.transaction():
            self._meet(found[0].identity, How.PERSON, now)
            rows = self._store.rows("SELECT group_id FROM other_key_chat WHERE identity = ?", found[0].identity)
            for (group_id,) in rows:
                self._groups.chats.unname(group_id, str(number))
            self._store.execute("DELETE FROM other_key_chat WHERE identity = ?", found[0].identity)

    def meet_own(self, spki_hash: str, now: int) -> None:
        """Take a person's word that a key of their own number is their own."""
        self._meet(identity_of_key(self._groups.account.number, spki_hash), How.PERSON, now)

    def is_own_device(self, spki_hash: str, issued_at: int) -> bool:
        """Whether a certificate of one's number is for a device that the person knows, or knew until it was removed."""
        identity = identity_of_key(self._groups.account.number, spki_hash)
        row = self._store.row("SELECT at FROM sibling WHERE identity = ? AND state = 'removed'", identity)
        return self.get(identity).met or (row is not None and issued_at <= row[0])

    def link_own(self, identity: bytes, now: int) -> None:
        """Meet a device of one's own number that the person links with this one."""
        self._meet(identity, How.LINKED, now)

    def unlink_own(self, identity: bytes) -> None:
        """Know a device of one's own number no more: its key is a stranger's."""
        self._store.execute("UPDATE device_key SET met_at = NULL, how = '' WHERE identity = ?", identity)

    def check_invited(self, key_packages: Iterable[bytes], now: int, *, new_keys: bool) -> None:
        """Raise NewKeyError if the owner of a key package is a new key; with `new_keys` they are met on purpose."""
        engine = self._groups.engine
        owners = [engine.check_key_package(key_package, now).identity for key_package in key_packages]
        unmet = [identity for identity in owners if self.is_new(identity)]
        if unmet and not new_keys:
            raise NewKeyError(self._called(_number(unmet[0])))
        with self._store.transaction():
            for identity in unmet:
                self._meet(identity, How.ACCEPTED, now)

    def apart_of(self, key_packages: Sequence[bytes], now: int) -> list[bytes]:
        """Those whose owner's key the name of its number does not go with; if there are none, all."""
        engine = self._groups.engine
        owners = {each: engine.check_key_package(each, now).identity for each in key_packages}
        apart = [each for each in key_packages if self.get(owners[each]).how is How.ACCEPTED]
        return apart or list(key_packages)

    def set_apart(self, group_id: bytes, now: int) -> None:
        """Call a direct chat by its key's date if the number's name does not go with the key of the other."""
        chat = self._groups.chats.known(group_id)
        others = [each.identity for each in self._members(group_id) if number_of(each).e164 == chat.direct]
        apart = [identity for identity in others if self.get(identity).how is How.ACCEPTED]
        if not apart or len(apart) < len(others):
            return
        called = self._groups.contacts.get(_number(apart[0])).name or str(_number(apart[0])).removeprefix("+")
        with self._store.transaction():
            self._store.execute("INSERT OR REPLACE INTO other_key_chat VALUES (?, ?)", group_id, apart[0])
            self._groups.chats.rename(group_id, f"{called}, key of {_day(now)}")

    def note_message(self, row: int, chain: tuple[bytes, ...]) -> None:
        """Keep that a message is by a key that the name of its number does not go with."""
        identity = facts_of_chain(chain).identity
        if self.is_new(identity) or self.get(identity).how is How.ACCEPTED:
            self._store.execute("INSERT INTO message_key VALUES (?, ?)", row, identity)

    def goes_with_name(self, chain: tuple[bytes, ...]) -> bool:
        """Whether what its number is called here is what the device of this chain is called."""
        return self.get(facts_of_chain(chain).identity).named

    def mark(self, row: int) -> Literal["", "new", "other"]:
        """`new` if a message is by a new key, `other` if by one that was accepted beside earlier ones."""
        found = self._store.row(
            "SELECT k.met_at, k.how FROM message_key m LEFT JOIN device_key k ON k.identity = m.identity "
            "WHERE m.message = ?",
            row,
        )
        if found is None:
            return ""
        return "new" if found[0] is None else "other" if found[1] == How.ACCEPTED else ""

    def asked(self, group_id: bytes, identity: bytes) -> None:
        """Note who has begun a chat, if the key is new."""
        if self.is_new(identity):
            self._store.execute("INSERT OR REPLACE INTO new_key_request VALUES (?, ?)", group_id, identity)

    def asks_on_new_key(self, group_id: bytes) -> bool:
        """Whether a chat was begun by a key that is still new."""
        row = self._store.row("SELECT identity FROM new_key_request WHERE group_id = ?", group_id)
        return row is not None and self.is_new(row[0])

    def _members(self, group_id: bytes) -> Sequence[mls_rs.Member]:
        chat = self._groups.chats.get(group_id)
        return self._groups.members(group_id) if chat is not None and chat.standing.is_member else ()

    def _see(self, members: Iterable[mls_rs.Member], accepted: bool, now: int) -> list[DeviceKey]:
        """Note keys, meet the first of each number in an accepted chat, and return those that are new."""
        new = []
        fresh = {number_of(each) for each in members if not self._has_met(number_of(each))} if accepted else set()
        for member in members:
            self._note(member.identity, now)
            if number_of(member) in fresh:
                self._meet(member.identity, How.FIRST, now)
            elif accepted and self.is_new(member.identity):
                new.append(self.get(member.identity))
        return new

    def _follow(self, earlier: bytes, later: bytes, how: How, now: int) -> None:
        """Let one key speak for another."""
        known = self.get(earlier)
        if known.met and not self.get(later).met:
            self._meet(later, how if known.named else How.ACCEPTED, now)

    def _has_met(self, number: TelephoneNumber) -> bool:
        row = self._store.row("SELECT 1 FROM device_key WHERE number = ? AND met_at IS NOT NULL LIMIT 1", number.e164)
        return row is not None

    def _get(self, identity: bytes) -> DeviceKey | None:
        row = self._store.row(f"{_SELECT} WHERE identity = ?", identity)
        return None if row is None else _key(row)

    def _note(self, identity: bytes, now: int) -> None:
        self._store.execute(
            "INSERT OR IGNORE INTO device_key (identity, number, first_seen) VALUES (?, ?, ?)",
            identity,
            _number(identity).e164,
            now,
        )

    def _meet(self, identity: bytes, how: How, now: int) -> None:
        self._note(identity, now)
        self._store.execute(
            "UPDATE device_key SET met_at = coalesce(met_at, ?), how = ? WHERE identity = ?", now, how, identity
        )

    def _called(self, number: TelephoneNumber) -> str:
        if number == self._groups.account.number:
            return f"yourself, {number}"
        name = self._groups.contacts.get(number).name
        return f"{name}, {number}" if name else str(number)

    def _words(self, key: DeviceKey) -> str:
        number = _number(key.identity)
        return (
            f"⚠ A device of {self._called(number)} is here on a key that you have not met: a new telephone, or a new "
            f"holder of the number. Key {key.key[:8]}, first seen {_day(key.first_seen)}."
        )


def identity_of_key(number: TelephoneNumber, spki_hash: str) -> bytes:
    """The identity of a device whose SPKI has this SHA-256, in hexadecimal."""
    return f"{number.e164}/{spki_hash[:32]}".encode()


def key_part(identity: bytes) -> str:
    """The part of an identity that names the key."""
    return identity.partition(b"/")[2].decode("ascii")


def _number(identity: bytes) -> TelephoneNumber:
    return TelephoneNumber.from_digits(identity.partition(b"/")[0].decode("ascii").removeprefix("+"))


def _accepted_words(key: DeviceKey) -> str:
    number = shown_number(_number(key.identity).e164)
    return f"This is a new device or holder of {number}, first seen {_day(key.first_seen)}. Key {key.key[:8]}."


def _day(seconds: int) -> str:
    day = datetime.fromtimestamp(seconds, UTC)
    return f"{day.day} {day:%B %Y}"


def _key(row: Row) -> DeviceKey:
    identity, first_seen, met_at, how = row
    return DeviceKey(identity, first_seen, met_at, How(how) if how else None)
