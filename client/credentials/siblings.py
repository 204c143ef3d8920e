"""The other devices of this account's number: which were linked, into which chats they are to come, and which are gone.

| state   | what it means                                                            | becomes         |
|---------|--------------------------------------------------------------------------|-----------------|
| granted | it was allowed to have the number, and has not said yet that it is ready | linked, removed |
| linked  | it is added to every chat that it is to be in                            | removed         |
| removed | it is taken out of every chat; what it gets certified from now on alarms | granted         |

A device that was linked elsewhere is known by its key alone (client.defence.continuity). What is to be done to a chat
is a row until the chat's members show that it was done, so that a crash in between leaves nothing out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import mls_rs

from client.defence.admission import Consent
from client.defence.continuity import Continuity, DeviceKey, identity_of_key
from client.records.chats import Chat, Standing
from client.records.intents import AddMembers, Intents, RemoveDevice
from client.steps.device import number_of
from client.steps.groups import Groups
from client.storage.store import Store
from identity.authority.links.wire import MAILBOX_LIFETIME

AGAIN = 86_400  # seconds until a chat that did not take a device is tried again


class SiblingState(StrEnum):
    """How far a device is one of the account's."""

    GRANTED = "granted"
    LINKED = "linked"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Sibling:
    """A device that was linked here, or removed; `at`: when it came into this state.

    `revoking`: the reason (RFC 5280 §5.3.1) for which the authority is still to revoke its certificates.
    """

    identity: bytes
    name: str
    state: SiblingState
    at: int
    revoking: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A chat that a device is to come into; `why` it did not when that was last tried."""

    identity: bytes
    group_id: bytes
    why: str


class Siblings:
    """The rows of `sibling` and `sibling_chat`. Runs inside the caller's transaction where one is needed."""

    def __init__(self, store: Store, groups: Groups, intents: Intents, continuity: Continuity) -> None:
        self._store = store
        self._groups = groups
        self._intents = intents
        self._continuity = continuity

    def all(self) -> list[Sibling]:
        """Every device that was linked here or removed, in the order in which that happened."""
        rows = self._store.rows("SELECT identity, name, state, at, revoking FROM sibling ORDER BY at, identity")
        return [Sibling(identity, name, SiblingState(state), at, reason) for identity, name, state, at, reason in rows]

    def get(self, identity: bytes) -> Sibling | None:
        """One of them."""
        return next((each for each in self.all() if each.identity == identity), None)

    def known(self) -> list[DeviceKey]:
        """The other keys of this number that are the person's own."""
        keys = self._continuity.keys(self._groups.account.number)
        return [key for key in keys if key.named and key.identity != self._continuity.own]

    def grant(self, spki_hash: str, name: str, now: int) -> bytes:
        """Let a device have the number, because the person has said so; returns its identity."""
        identity = identity_of_key(self._groups.account.number, spki_hash)
        with self._store.transaction():
            self._put(identity, name, SiblingState.GRANTED, now)
            self._continuity.link_own(identity, now)
        return identity

    def ready(self, identity: bytes, now: int) -> None:
        """A granted device can be added to chats: it is to come into every one that the person talks in.

        `now`: when it was, or for a device that is not waited for any more, when it was granted.
        """
        granted = self.get(identity)
        with self._store.transaction():
            self._put(identity, "" if granted is None else granted.name, SiblingState.LINKED, now)
            for chat in self.open_chats():
                self._want(identity, chat.group_id)

    def is_being_linked(self, identity: bytes, now: int) -> bool:
        """Whether a device was ready just now, so that it learns by its linking what chats are called."""
        found = self.get(identity)
        return found is not None and found.state is SiblingState.LINKED and now - found.at < MAILBOX_LIFETIME

    def want_in(self, group_id: bytes) -> None:
        """Every own device is to come into a chat that was begun here."""
        with self._store.transaction():
            for key in self.known():
                self._want(key.identity, group_id)

    def remove(self, identity: bytes, reason: int, now: int) -> list[bytes]:
        """Take a device out of every chat, and know it no more; returns the groups that are to be changed.

        `reason`: for which its certificates are to be revoked.
        """
        with self._store.transaction():
            self._take_out(identity, now, reason)
            groups = [chat.group_id for chat in self.chats_of(identity)]
            for group_id in groups:
                self._intents.add_once(group_id, RemoveDevice(identity))
        return groups

    def committed(self, commit: mls_rs.Commit, now: int) -> None:
        """Follow what another own device has done: one that it took out of the last chat here was removed by it.

        One that it added is no removed one any more.
        """
        own, mine = self._continuity.own, self._groups.account.number
        by = commit.committer
        if by is None or commit.removed_self or number_of(by) != mine or not self._continuity.get(by.identity).named:
            return
        for member in commit.added:
            removed = self.get(member.identity)
            if removed is not None and removed.state is SiblingState.REMOVED and removed.revoking is None:
                self._forget(member.identity)
        gone = {member.identity for member in commit.removed} & {key.identity for key in self.known()}
        for identity in gone - {own, by.identity}:
            if not self.chats_of(identity):
                self._take_out(identity, now, None)

    def open_chats(self) -> list[Chat]:
        """The chats that a device of one's own is to be in."""
        return [chat for chat in self._groups.chats.all() if _is_open(chat)]

    def chats_of(self, identity: bytes) -> list[Chat]:
        """The chats in which a device is a member beside this one."""
        chats = [chat for chat in self._groups.chats.all() if chat.standing.is_member]
        return [chat for chat in chats if self.is_in(identity, chat.group_id)]

    def own_in(self, group_id: bytes) -> list[bytes]:
        """The person's other devices in a chat. Raises ChatError if this device is not a member."""
        known = {key.identity for key in self.known()}
        return [member.identity for member in self._groups.members(group_id) if member.identity in known]

    def is_in(self, identity: bytes, group_id: bytes) -> bool:
        """Whether a device is a member of a chat. Raises ChatError if this one is not."""
        return any(member.identity == identity for member in self._groups.members(group_id))

    def missing(self) -> list[Missing]:
        """Every chat that a device is still to come into."""
        rows = self._store.rows("SELECT identity, group_id, why FROM sibling_chat ORDER BY identity, group_id")
        return [Missing(*row) for row in rows]

    def due(self, now: int) -> list[Missing]:
        """Of these, what can be tried now; what is done or has become pointless is settled on the way."""
        due = []
        with self._store.transaction():
            for each in self.missing():
                if self._is_settled(each):
                    self._settle(each)
                elif self._tried_at(each) + AGAIN <= now:
                    due.append(each)
        return due

    def is_under_way(self, each: Missing, now: int) -> bool:
        """Whether a commit that adds it to the chat is wanted already."""
        bodies = (intent.body for intent in self._intents.of(each.group_id))
        engine = self._groups.engine
        packages = (package for body in bodies if isinstance(body, AddMembers) for package in body.key_packages)
        return any(engine.check_key_package(package, now).identity == each.identity for package in packages)

    def refused(self, each: Missing, why: str, now: int) -> None:
        """Keep why a chat does not take a device; it is tried again later."""
        self._store.execute(
            "UPDATE sibling_chat SET why = ?, tried_at = ? WHERE identity = ? AND group_id = ?",
            why,
            now,
            each.identity,
            each.group_id,
        )

    def to_revoke(self) -> list[Sibling]:
        """The removed devices whose certificates are still to be revoked."""
        return [each for each in self.all() if each.revoking is not None]

    def revoked(self, identity: bytes) -> None:
        """Note that the authority has revoked what a removed device had."""
        self._store.execute("UPDATE sibling SET revoking = NULL WHERE identity = ?", identity)

    def granted(self, since: int = 0) -> Sequence[Sibling]:
        """The devices that were granted the number since then, and have not said yet that they are ready."""
        return [each for each in self.all() if each.state is SiblingState.GRANTED and each.at >= since]

    def _is_settled(self, each: Missing) -> bool:
        chat = self._groups.chats.get(each.group_id)
        return chat is None or not _is_open(chat) or self.is_in(each.identity, each.group_id)

    def _settle(self, each: Missing) -> None:
        self._store.execute(
            "DELETE FROM sibling_chat WHERE identity = ? AND group_id = ?", each.identity, each.group_id
        )

    def _tried_at(self, each: Missing) -> int:
        row = self._store.row(
            "SELECT tried_at FROM sibling_chat WHERE identity = ? AND group_id = ?", each.identity, each.group_id
        )
        return 0 if row is None else int(row[0])

    def _want(self, identity: bytes, group_id: bytes) -> None:
        self._store.execute("INSERT OR IGNORE INTO sibling_chat VALUES (?, ?, '', 0)", identity, group_id)

    def _put(self, identity: bytes, name: str, state: SiblingState, at: int, revoking: int | None = None) -> None:
        row = identity, name, state, at, revoking
        self._store.execute("INSERT OR REPLACE INTO sibling VALUES (?, ?, ?, ?, ?)", *row)

    def _take_out(self, identity: bytes, now: int, reason: int | None) -> None:
        removed = self.get(identity)
        self._forget(identity)
        self._put(identity, "" if removed is None else removed.name, SiblingState.REMOVED, now, reason)
        self._continuity.unlink_own(identity)

    def _forget(self, identity: bytes) -> None:
        self._store.execute("DELETE FROM sibling WHERE identity = ?", identity)
        self._store.execute("DELETE FROM sibling_chat WHERE identity = ?", identity)


def _is_open(chat: Chat) -> bool:
    return chat.standing is Standing.ACTIVE and chat.consent is Consent.INBOX
