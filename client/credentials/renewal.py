"""When a certificate is renewed, and when each group gets the new one: both rules (docs/binding.md §3.3).

A renewal concerns the authority alone. In a group it costs a commit that every member processes, so it gets there only
when somebody would miss it. An expired member stays a member (RFC 9420 §5.3), can read, and keeps nobody out for
`identity.device.MEMBER_GRACE`. With a new certificate at hand, its leaf in a group is replaced

| when                                                             | what it costs to have it so                       |
|------------------------------------------------------------------|---------------------------------------------------|
| with any own commit, whatever that is for                        | a path in a commit that might have had none       |
| before an own message, in the last quarter of the old one's life | a commit, and a wait for its answer               |
| in the last quarter, at a drawn moment, where this device has    | a commit in each life of a certificate; without   |
| sent something during the old one's life                         | it, who writes now and then would show as expired |
| a week after its end, where others have written since: each day  | a commit about every three weeks; until then a    |
| by one device in DAILY_SHARE, as drawn                           | reader shows as expired                           |
| three weeks after its end, where nobody has: likewise            | a commit in five weeks; without it nobody could   |
|                                                                  | join a group that has been quiet for long         |

Draws are by hash of the device's key, so that they need no memory and differ from device to device: many that were
enrolled, or that wake up, in the same minute do nothing else in the same minute.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from client.records.intents import IntentState, RotateCredential
from client.storage.store import Store

LATEST_SHARE = 3  # renewal begins at the latest with the last part in so many of a certificate's life
SPREAD_SHARE = 6  # and earlier by up to one part in so many: of 7 days 28 hours
LAST_PART = 4  # the part of the old certificate's life in which groups in use get the new one
MARGIN_PART = 24  # the last part of it is left for trouble
READERS_REST = 7 * 86_400  # seconds from the end in a group until a device that only reads puts the new one in
QUIET_REST = 21 * 86_400  # the same where nobody writes; both stay well below identity.device.MEMBER_GRACE
DAILY_SHARE = 4  # of the devices that rest no longer, one in so many each day
FIRST_PAUSE = 3_600  # seconds after a first refusal of the authority
DAY = 86_400

_ROTATE = msgspec.msgpack.encode(RotateCredential())


def renewal_at(not_before: int, not_after: int, point: bytes) -> int:
    """When a certificate of the device with this key is renewed: drawn evenly from half to two thirds of its life."""
    life = not_after - not_before
    return not_after - life // LATEST_SHARE - int(life // SPREAD_SHARE * drawn(point, b"renewal", not_after))


def pause(failures: int, left: int) -> int:
    """Seconds until an authority that has refused so often is asked again: doubled, but at least 8 times until the end.

    `left`: seconds of the certificate's life.
    """
    return min(FIRST_PAUSE << min(failures - 1, 10), max(left // 8, FIRST_PAUSE))


class CredentialDueError(Exception):
    """The account's certificate is to be put into the group before anything is sent there."""


def message_waits(not_before: int, not_after: int, now: int) -> bool:
    """Whether an own message waits until a newer certificate than this one is in the group."""
    return not_after - now < (not_after - not_before) // LAST_PART


class OwnLeaf(NamedTuple):
    """This device's certificate in a group; when it last sent something there, and when anything was last heard."""

    group_id: bytes
    not_before: int
    not_after: int
    used: int
    heard: int

    def is_due(self, point: bytes, now: int) -> bool:
        """Whether a newer certificate is to be put in now, without any other reason."""
        if now <= self.not_after:
            return self.used >= self.not_before and now >= self._latest(point)
        rest = READERS_REST if self.heard > self.not_after else QUIET_REST
        return now - self.not_after >= rest and drawn(point, self.group_id, now // DAY) * DAILY_SHARE < 1

    def _latest(self, point: bytes) -> int:
        life = self.not_after - self.not_before
        span = life // LAST_PART - life // MARGIN_PART
        return self.not_after - life // MARGIN_PART - int(span * drawn(point, self.group_id, self.not_after))


def drawn(point: bytes, about: bytes, number: int) -> float:
    """A number from 0 up to 1 that is this device's own, and the same whenever it is asked for."""
    digest = hashlib.sha256(b"ringtrue draw\0" + hashlib.sha256(point).digest() + about + number.to_bytes(8)).digest()
    return int.from_bytes(digest[:6]) / 2**48


class Leaves:
    """The rows of `own_leaf`: which certificate stands for this device in each group."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, group_id: bytes, certificate: bytes, not_before: int, not_after: int) -> None:
        """Keep which certificate (DER) is in a group; what was sent there before stays known."""
        self._store.execute(
            "INSERT INTO own_leaf VALUES (?, ?, ?, ?, 0) ON CONFLICT (group_id) DO UPDATE SET "
            "fingerprint = excluded.fingerprint, not_before = excluded.not_before, not_after = excluded.not_after",
            group_id,
            hashlib.sha256(certificate).digest(),
            not_before,
            not_after,
        )

    def use(self, group_id: bytes, now: int) -> None:
        """Keep that this device sends something to a group."""
        self._store.execute("UPDATE own_leaf SET used = ? WHERE group_id = ?", now, group_id)

    def want_due(self, certificate: bytes, point: bytes, now: int) -> None:
        """Want the account's certificate in every group where that is due: two statements, however many groups."""
        due = [leaf.group_id.hex().upper() for leaf in self._others(certificate) if leaf.is_due(point, now)]
        if due:
            self._store.execute(
                "INSERT INTO intent (group_id, body, state) SELECT group_id, ?1, ?2 FROM own_leaf "
                "WHERE hex(group_id) IN (SELECT value FROM json_each(?3)) AND NOT EXISTS "
                "(SELECT 1 FROM intent i WHERE i.group_id = own_leaf.group_id AND i.body = ?1)",
                _ROTATE,
                IntentState.WAITING,
                msgspec.json.encode(due).decode(),
            )

    def _others(self, certificate: bytes) -> Iterable[OwnLeaf]:
        """The accepted groups with another certificate than the account's: a commit tells strangers who is there."""
        rows = self._store.rows(
            "SELECT l.group_id, l.not_before, l.not_after, l.used, coalesce((SELECT arrived FROM message WHERE "
            "group_id = l.group_id AND seq IS NOT NULL AND kind <> 'notice' ORDER BY seq DESC LIMIT 1), 0) "
            "FROM own_leaf l JOIN chat c ON c.group_id = l.group_id "
            "WHERE l.fingerprint <> ? AND c.standing = 'active' AND c.consent = 'inbox'",
            hashlib.sha256(certificate).digest(),
        )
        return (OwnLeaf(*row) for row in rows)


class Refusals:
    """The row of `renewal_refusal`: how often the authority has refused in a row, and when it is asked again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def is_over(self, now: int) -> bool:
        """Whether the authority may be asked."""
        row = self._store.row("SELECT due_at FROM renewal_refusal")
        return row is None or now >= row[0]

    def note(self, left: int, now: int, at_least: int = 0) -> None:
        """Keep one more, with `left` seconds of the certificate's life; `at_least`: the pause that was asked for."""
        row = self._store.row("SELECT failures FROM renewal_refusal")
        failures = 1 if row is None else row[0] + 1
        due_at = now + max(pause(failures, left), at_least)
        self._store.execute("INSERT OR REPLACE INTO renewal_refusal VALUES (1, ?, ?)", failures, due_at)

    def forget(self) -> None:
        """Begin anew, after a renewal."""
        self._store.execute("DELETE FROM renewal_refusal")
