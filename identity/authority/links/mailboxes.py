"""Mailboxes: each slot is written once and read once, and nothing is kept for longer than a person needs.

| a slot | put             | take               | close  |
|--------|-----------------|--------------------|--------|
| empty  | full            | (nothing yet)      | closed |
| full   | link-slot-taken | taken, and the box | closed |
| taken  | link-slot-taken | link-closed        | closed |
| closed | link-slot-taken | link-closed        | closed |

Whoever puts the same box again, because the answer was lost, gets the first answer.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from identity.authority import rates
from identity.authority.errors import RefusedError
from identity.authority.links.wire import BOX_LIMIT, MAILBOX_DIGITS, MAILBOX_LIFETIME, SLOTS
from identity.authority.store import AuthorityStore

BOXES_LIMIT = 2_000  # of all mailboxes together, so that nobody fills the disk
RETRY_AFTER = 60  # seconds, told where there is no room


class _Slot(NamedTuple):
    digest: bytes | None
    box: bytes | None


class Mailboxes:
    """The rows of `link_box`; every method may raise RefusedError. `address` names who is counted."""

    def __init__(self, store: AuthorityStore) -> None:
        self._store = store
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def put(self, mailbox: str, slot: str, box: bytes, address: str, now: int) -> None:
        """Keep a box until it is taken, or the mailbox ends."""
        _check_names(mailbox, slot)
        if not 1 <= len(box) <= BOX_LIMIT:
            words = f"a box has 1 to {BOX_LIMIT} octets (BOX_LIMIT)"
            raise RefusedError("too-large", words, limit=BOX_LIMIT, limit_name="BOX_LIMIT")
        with self._store.transaction():
            rates.admit(self._store, ((rates.LINK_BOXES_PER_ADDRESS, address),), now)
            self._prune(now)
            found, digest = self._state(mailbox, slot), hashlib.sha256(box).digest()
            if found is None:
                self._check_room()
                self._write(mailbox, slot, digest, box, self._end(mailbox, now))
            elif found.digest != digest:  # the same again: the first answer was lost
                raise RefusedError("link-slot-taken", "this code is used already, or was cancelled")

    def take(self, mailbox: str, slot: str, now: int) -> bytes | None:
        """The box, which is forgotten; None if there is none yet."""
        _check_names(mailbox, slot)
        with self._store.transaction():
            self._prune(now)
            found = self._state(mailbox, slot)
            if found is None:
                return None
            if found.box is None:
                raise RefusedError("link-closed", "the box was taken already, or the other device has ended this")
            self._store.execute("UPDATE link_box SET box = NULL WHERE mailbox = ? AND slot = ?", mailbox, slot)
            return found.box

    def close(self, mailbox: str, address: str, now: int) -> None:
        """Forget what is in a mailbox, and take nothing more into it; that counts as a box, for it takes the room."""
        _check_names(mailbox, SLOTS[0])
        with self._store.transaction():
            rates.admit(self._store, ((rates.LINK_BOXES_PER_ADDRESS, address),), now)
            self._prune(now)
            end = self._end(mailbox, now)
            if all(self._state(mailbox, slot) is None for slot in SLOTS):
                self._check_room()  # but what is there can always be ended
            for slot in SLOTS:
                self._write(mailbox, slot, None, None, end)

    def count_asking(self, address: str, now: int) -> None:
        """Count one request that asks for a box."""
        with self._store.transaction():
            rates.admit(self._store, ((rates.LINK_QUESTIONS_PER_ADDRESS, address),), now)

    def changed(self, mailbox: str) -> None:
        """Wake whoever waits for a box of a mailbox; on the event loop's thread."""
        for event in self._waiting.get(mailbox, ()):
            event.set()

    @contextmanager
    def watched(self, mailbox: str) -> Iterator[asyncio.Event]:
        """An event that is set when a mailbox changes."""
        event = asyncio.Event()
        self._waiting[mailbox].add(event)
        try:
            yield event
        finally:
            self._waiting[mailbox].discard(event)
            if not self._waiting[mailbox]:
                del self._waiting[mailbox]

    def _state(self, mailbox: str, slot: str) -> _Slot | None:
        rows = self._store.rows("SELECT digest, box FROM link_box WHERE mailbox = ? AND slot = ?", mailbox, slot)
        return _Slot(*rows[0]) if rows else None

    def _end(self, mailbox: str, now: int) -> int:
        rows = self._store.rows("SELECT ends_at FROM link_box WHERE mailbox = ?", mailbox)
        return int(rows[0][0]) if rows else now + MAILBOX_LIFETIME

    def _write(self, mailbox: str, slot: str, digest: bytes | None, box: bytes | None, end: int) -> None:
        self._store.execute("INSERT OR REPLACE INTO link_box VALUES (?, ?, ?, ?, ?)", mailbox, slot, digest, box, end)

    def _prune(self, now: int) -> None:
        self._store.execute("DELETE FROM link_box WHERE ends_at <= ?", now)

    def _check_room(self) -> None:
        ((count,),) = self._store.rows("SELECT count(*) FROM link_box")
        if count >= BOXES_LIMIT:
            words = f"{BOXES_LIMIT} boxes are waiting (BOXES_LIMIT)"
            raise RefusedError(
                "rate-limited", words, limit=BOXES_LIMIT, limit_name="BOXES_LIMIT", retry_after=RETRY_AFTER
            )


def _check_names(mailbox: str, slot: str) -> None:
    if len(mailbox) != MAILBOX_DIGITS or not set(mailbox) <= set("0123456789abcdef") or slot not in SLOTS:
        raise RefusedError("not-found", f"a mailbox is named by {MAILBOX_DIGITS} hexadecimal digits in lower case")
