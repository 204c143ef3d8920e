"""Chats: what this device keeps of each group beside its messages; names are local to it and unique."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from client.defence.admission import Consent
from client.errors import ChatError
from client.formats.text import safe_name
from client.storage.store import Row, Store

_SELECT = (
    "SELECT group_id, name, standing, own_name, epoch, cursor, read_at, consent, inviter, members, direct, roles, "
    "seen, pinned, archived, muted, timer, draft FROM chat"
)
# A chat with a key that the number's name does not go with is chosen only where there is no other.
_KNOWN_KEY_FIRST = "ORDER BY group_id IN (SELECT group_id FROM other_key_chat), rowid DESC"
FOREVER = 2**53  # seconds: muted until somebody ends it


class Standing(StrEnum):
    """This device's place in a group."""

    ACTIVE = "active"
    LEAVING = "leaving"  # has proposed to leave; waits until a member commits that
    LEFT = "left"
    REMOVED = "removed"
    ENDED = "ended"  # it was deleted at the service, or goes on in another chat
    LOST = "lost"  # the log no longer holds what is needed to follow it

    @property
    def is_member(self) -> bool:
        """Whether the group's state is kept and its log is read."""
        return self in (Standing.ACTIVE, Standing.LEAVING)


_LAST_LINE = "Its last line says how: ringtrue history CHAT"
_OVER = {
    Standing.LEFT: ("you have left {}", "To come back, be added by somebody who is in it."),
    Standing.REMOVED: ("this device was removed from {}", "To come back, be added by somebody who is in it."),
    Standing.ENDED: ("{} has ended", _LAST_LINE),
    Standing.LOST: ("this device can no longer read {}", _LAST_LINE),
}


@dataclass(frozen=True, slots=True)
class Chat:
    """One group as a person sees it. `own_name`: named here; `read_at`: when its log was last read to its end.

    `inviter` and `direct` are `+E164`, or empty; `seen` is a row of the history, `muted` a second, `timer` seconds.
    """

    group_id: bytes
    name: str
    standing: Standing
    own_name: bool
    epoch: int
    cursor: int
    read_at: int
    consent: Consent = Consent.INBOX
    inviter: str = ""
    members: int = 1
    direct: str = ""
    roles: bool = False
    seen: int = 0
    pinned: bool = False
    archived: bool = False
    muted: int = 0
    timer: int = 0
    draft: str = ""


class Chats:
    """The rows of `chat`; the MLS state in them belongs to client.steps.groups."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Chat]:
        """Every chat, by name."""
        return [_chat(row) for row in self._store.rows(f"{_SELECT} ORDER BY name")]

    def get(self, group_id: bytes) -> Chat | None:
        """The chat of a group, if this device has ever been in it."""
        row = self._store.row(f"{_SELECT} WHERE group_id = ?", group_id)
        return None if row is None else _chat(row)

    def known(self, group_id: bytes) -> Chat:
        """The chat of a group. Raises ChatError."""
        chat = self.get(group_id)
        if chat is None:
            raise ChatError("this device is not in such a chat")
        return chat

    def require_member(self, group_id: bytes) -> Chat:
        """The chat of a group that this device is a member of. Raises ChatError."""
        chat = self.known(group_id)
        if not chat.standing.is_member:
            words, hint = _OVER[chat.standing]
            raise ChatError(words.format(ascii(chat.name)), code="not-a-member", hint=hint)
        return chat

    def find(self, name: str) -> Chat:
        """The chat that a person means by its name, or by the beginning of its id in hexadecimal. Raises ChatError."""
        chats = self.all()
        named = [chat for chat in chats if chat.name == name]
        named = named or [chat for chat in chats if chat.name.casefold() == name.casefold()]
        named = named or [chat for chat in chats if len(name) >= 8 and chat.group_id.hex().startswith(name.lower())]
        if len(named) != 1:
            raise ChatError(f"there is no chat named {name!a}" if not named else f"{name!a} can mean several chats")
        return named[0]

    def add(self, group_id: bytes, name: str, state: bytes, tree: bytes, epoch: int, cursor: int, now: int) -> str:
        """Add a group, or take the place of one that this device is no longer in; returns the name it got.

        `name` is this program's own until somebody's is known, and may hold what safe_name takes out of others'.
        """
        self._store.execute("DELETE FROM credential_since WHERE group_id = ?", group_id)
        free = self.free_name(group_id, name)
        self._store.execute(
            "INSERT OR REPLACE INTO chat (group_id, name, standing, epoch, state, tree, cursor, read_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            group_id,
            free,
            Standing.ACTIVE,
            epoch,
            state,
            tree,
            cursor,
            now,
        )
        return free

    def rename(self, group_id: bytes, name: str, *, own: bool = False) -> str:
        """Name a chat; the name is made safe, and one in use gets a number behind it. Returns the name."""
        free = self.free_name(group_id, safe_name(name).text or f"chat {group_id.hex()[:8]}")
        self._store.execute("UPDATE chat SET name = ?, own_name = ? WHERE group_id = ?", free, own, group_id)
        return free

    def unname(self, group_id: bytes, number: str) -> None:
        """Call a direct chat by its number again, as long as nobody has named it."""
        name = self.free_name(group_id, number)
        self._store.execute("UPDATE chat SET name = ?, own_name = 0 WHERE group_id = ?", name, group_id)

    def set_consent(self, group_id: bytes, consent: Consent, inviter: str | None = None) -> None:
        """Note whether the person wants to be in a chat, and who added them (`+E164`)."""
        self._store.execute(
            "UPDATE chat SET consent = ?, inviter = coalesce(?, inviter) WHERE group_id = ?", consent, inviter, group_id
        )

    def set_roster(self, group_id: bytes, members: int, direct: str, *, roles: bool) -> None:
        """Note how many numbers are in the group, the other number of a direct chat, and whether there are roles."""
        self._store.execute(
            "UPDATE chat SET members = ?, direct = ?, roles = ? WHERE group_id = ?", members, direct, roles, group_id
        )

    def list_members(self, group_id: bytes, numbers: Iterable[str]) -> None:
        """Note which numbers (`+E164`) are in the group."""
        now, before = set(numbers), self.listed(group_id)
        for number in before - now:
            self._store.execute("DELETE FROM roster WHERE number = ? AND group_id = ?", number, group_id)
        for number in now - before:
            self._store.execute("INSERT INTO roster VALUES (?, ?)", number, group_id)

    def listed(self, group_id: bytes) -> set[str]:
        """Which numbers (`+E164`) are in the group, or were when this device was last in it."""
        return {row[0] for row in self._store.rows("SELECT number FROM roster WHERE group_id = ?", group_id)}

    def unlisted(self) -> list[bytes]:
        """The groups whose members were never noted, which an earlier version of this program has stored."""
        rows = self._store.rows(
            "SELECT group_id FROM chat WHERE standing IN ('active', 'leaving') "
            "AND (group_id NOT IN (SELECT group_id FROM roster) OR group_id NOT IN (SELECT group_id FROM own_leaf))"
        )
        return [row[0] for row in rows]

    def shares(self, number: str, group_id: bytes) -> bool:
        """Whether a number (`+E164`) is in another chat that the person accepted and is still in."""
        row = self._store.row(
            # CROSS JOIN: SQLite begins with the few chats of a number, and not with all that were accepted.
            "SELECT 1 FROM roster r CROSS JOIN chat c ON c.group_id = r.group_id WHERE r.number = ? "
            "AND r.group_id <> ? AND c.consent = 'inbox' AND c.standing IN ('active', 'leaving') LIMIT 1",
            number,
            group_id,
        )
        return row is not None

    def want_proof(self, group_id: bytes, wanted: bool) -> None:
        """Note whether a message without a proof is held back in a chat."""
        verb = (
            "INSERT OR IGNORE INTO wants_proof VALUES (?)" if wanted else "DELETE FROM wants_proof WHERE group_id = ?"
        )
        self._store.execute(verb, group_id)

    def wants_proof(self, group_id: bytes) -> bool:
        """Whether it is."""
        return self._store.row("SELECT 1 FROM wants_proof WHERE group_id = ?", group_id) is not None

    def wanting_proof(self) -> frozenset[bytes]:
        """The chats in which it is."""
        return frozenset(row[0] for row in self._store.rows("SELECT group_id FROM wants_proof"))

    def see(self, group_id: bytes, row: int) -> None:
        """Note that a person has seen everything up to a row of the history."""
        self._store.execute("UPDATE chat SET seen = max(seen, ?) WHERE group_id = ?", row, group_id)

    def set_draft(self, group_id: bytes, text: str) -> None:
        """Keep what was typed and not sent."""
        self._store.execute("UPDATE chat SET draft = ? WHERE group_id = ?", text, group_id)

    def set_timer(self, group_id: bytes, seconds: int) -> None:
        """Note after which time messages disappear."""
        self._store.execute("UPDATE chat SET timer = ? WHERE group_id = ?", seconds, group_id)

    def mute(self, group_id: bytes, until: int) -> None:
        """No alerts until then."""
        self._store.execute("UPDATE chat SET muted = ? WHERE group_id = ?", until, group_id)

    def pin(self, group_id: bytes, pinned: bool) -> None:
        """Keep a chat on top."""
        self._store.execute("UPDATE chat SET pinned = ? WHERE group_id = ?", pinned, group_id)

    def take_over(self, old: bytes, new: bytes) -> None:
        """Give a chat what a person has chosen for the one whose place it takes."""
        self._store.execute(
            "UPDATE chat SET (pinned, archived, muted, timer, draft) = "
            "(SELECT pinned, archived, muted, timer, draft FROM chat WHERE group_id = ?) WHERE group_id = ?",
            old,
            new,
        )
        self._store.execute("UPDATE chat SET pinned = 0, draft = '' WHERE group_id = ?", old)

    def archive(self, group_id: bytes, archived: bool) -> None:
        """Put a chat away."""
        self._store.execute("UPDATE chat SET archived = ? WHERE group_id = ?", archived, group_id)

    def with_number(self, number: str) -> Chat | None:
        """The direct chat with a number (`+E164`) that this device is in."""
        rows = self._store.rows(
            f"{_SELECT} WHERE direct = ? AND standing = 'active' AND consent = 'inbox' {_KNOWN_KEY_FIRST} LIMIT 1",
            number,
        )
        return _chat(rows[0]) if rows else None

    def set_standing(self, group_id: bytes, standing: Standing) -> None:
        """Note this device's place; the group's secrets are deleted once it is no member."""
        self._store.execute("UPDATE chat SET standing = ? WHERE group_id = ?", standing, group_id)
        if not standing.is_member:
            self._store.execute("UPDATE chat SET state = x'', tree = x'' WHERE group_id = ?", group_id)

    def advance(self, group_id: bytes, cursor: int) -> None:
        """Note that the log was dealt with up to this sequence number."""
        self._store.execute("UPDATE chat SET cursor = max(cursor, ?) WHERE group_id = ?", cursor, group_id)

    def caught_up(self, group_id: bytes, now: int) -> None:
        """Note that at this second nothing more was to be read."""
        self._store.execute("UPDATE chat SET read_at = max(read_at, ?) WHERE group_id = ?", now, group_id)

    def free_name(self, group_id: bytes, wanted: str) -> str:
        """`wanted`, with a number behind it if another chat has that name, in whatever case: `find` ignores it."""
        taken = {row[0].casefold() for row in self._store.rows("SELECT name FROM chat WHERE group_id <> ?", group_id)}
        return next(free for free in _numbered(wanted) if free.casefold() not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name} {number}"


def _chat(row: Row) -> Chat:
    group_id, name, standing, own_name, epoch, cursor, read_at, consent, inviter, members, direct, roles, *rest = row
    seen, pinned, archived, muted, timer, draft = rest
    return Chat(
        group_id,
        name,
        Standing(standing),
        bool(own_name),
        epoch,
        cursor,
        read_at,
        Consent(consent),
        inviter,
        members,
        direct,
        bool(roles),
        seen,
        bool(pinned),
        bool(archived),
        muted,
        timer,
        draft,
    )
