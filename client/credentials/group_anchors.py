"""Chats and the sets of trust anchors that they name: what is said where a member's own set is another one."""

import mls_rs

from client.records.history import History
from client.records.message import Kind
from client.steps.groups import Groups
from identity.groups.group_trust import anchors_of

SHOWN = (
    8  # hexadecimal digits of a fingerprint in a line; the whole is at `ringtrue trust list` and in the members' view
)
DIFFERS = "What is verified for you may not be for others in this chat, and the other way round."


class GroupAnchors:
    """Compares each chat's set with one's own. Runs inside the caller's transaction."""

    def __init__(self, groups: Groups, history: History) -> None:
        self._groups = groups
        self._history = history

    def named(self, group_id: bytes) -> bytes | None:
        """The fingerprint that a chat names, if it names one. Raises ChatError if this device is no member."""
        return self._groups.named_anchors(group_id)

    def differing(self) -> set[bytes]:
        """The chats that name another set than one's own."""
        member = (chat.group_id for chat in self._groups.chats.all() if chat.standing.is_member)
        return {group_id for group_id in member if self.differs(group_id)}

    def differs(self, group_id: bytes) -> bool:
        """Whether a chat names another set than one's own."""
        return self.named(group_id) not in (None, self._groups.trust.fingerprint)

    def joined(self, group: mls_rs.Group, now: int, at_ms: int) -> None:
        """Note in a chat that this device has joined if it names another set than one's own."""
        named = anchors_of(group.context_extensions())
        if named is not None and named != self._groups.trust.fingerprint:
            words = f"This chat was begun with other trust anchors ({_short(named)}) than yours. {DIFFERS}"
            self._history.note(Kind.NOTICE, group.group_id, None, words, now, at_ms)

    def changed(self, before: set[bytes], now: int) -> list[bytes]:
        """Note in each chat what a change of one's own set has changed there; returns those chats."""
        after = self.differing()
        for group_id in after - before:
            words = f"Your trust anchors changed: this chat names others ({self._short(group_id)}). {DIFFERS}"
            self._history.note(Kind.NOTICE, group_id, None, words, now)
        for group_id in before - after:
            self._history.note(Kind.NOTICE, group_id, None, "Your trust anchors are now those of this chat.", now)
        return sorted(before ^ after)

    def _short(self, group_id: bytes) -> str:
        named = self.named(group_id)
        return "" if named is None else _short(named)


def sets_words(judged: bytes | None, own: bytes, named: bytes | None) -> str:
    """By which set a message was judged, and how the account's own and the chat's stand to it."""
    words = []
    if judged is not None:
        words.append(
            f"judged by the trust anchors {_short(judged)}, {'yours' if judged == own else 'which you had then'}"
        )
    if named is not None and named != own:
        words.append(f"this chat names {_short(named)}, which are not yours ({_short(own)})")
    return "; ".join(words)


def _short(fingerprint: bytes) -> str:
    return fingerprint.hex()[:SHOWN]
