"""The lookout: names what a service does wrong with a log, once, as a line of the chat and as an event.

Everything here happens inside the transaction that deals with the entry. `LookAgainError` undoes that transaction: the
same entries are asked for once more, and only what is still wrong then is told.
"""

import hashlib
import json

import mls_rs

from client.defence.lies import (
    CLOCK_LIMIT,
    HELD_BACK_LIMIT,
    Lie,
    answer_words,
    before_signed_words,
    clock_back_words,
    closed_up_words,
    fork_words,
    held_back_words,
    late_words,
    mislabelled_words,
    replayed_words,
    restored_words,
    withheld_commit_words,
    withheld_words,
)
from client.defence.log_record import Comparison, LogRecord
from client.defence.troubles import Trouble, Troubles
from client.defence.witness import Witness, witness_of
from client.defence.words_about_log import WordsAboutLog
from client.events import Event, Gap
from client.formats.content import Content
from client.records.chats import Chat, Chats
from client.records.history import History
from client.steps.device import number_of
from client.storage.store import Store
from delivery_service.wire import Entry, WelcomeItem
from identity.binding import Verdict, Verification
from identity.errors import IdentityError
from identity.passport import parse_passport

# Verdicts with which a member's word about the log counts.
_COUNTS = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE, Verdict.CARRIER})
SEEN_STEP = 60  # seconds: how exactly it is kept when the service last said that there was nothing new


class LookAgainError(Exception):
    """The log is to be read once more from the cursor before anything is said."""


class Lookout:
    """`asked_twice`: whether the entries at hand were asked for once more already."""

    def __init__(self, store: Store, chats: Chats, history: History) -> None:
        self._store = store
        self._chats = chats
        self._history = history
        self.record = LogRecord(store)
        self.troubles = Troubles(store)
        self.words = WordsAboutLog(store)
        self.asked_twice = False

    def began(self, group: mls_rs.Group, seq: int, at_ms: int = 0) -> None:
        """Begin the record of a group's epoch."""
        self.record.begin(group.group_id, group.epoch, group.epoch_authenticator(), seq, at_ms)

    def joined(self, group: mls_rs.Group, cursor: int, item: WelcomeItem) -> None:
        """Begin anew where a Welcome leads; what was seen of the log's end in an earlier membership does not count."""
        self._store.execute("DELETE FROM log_seen WHERE group_id = ?", group.group_id)
        if cursor == item.seq:
            self.began(group, cursor, item.at_ms)

    def left(self, group_id: bytes) -> None:
        """Forget the log of a group that this device is not in any more; what the service was caught at stays told."""
        self.record.forget(group_id)
        self.words.forget(group_id)
        self._store.execute("DELETE FROM log_seen WHERE group_id = ?", group_id)

    def dealt_with(self, group: mls_rs.Group, epoch: int, entry: Entry) -> None:
        """Add an entry, which was dealt with in `epoch`, to the record."""
        if group.epoch == epoch:
            self.record.append(group.group_id, entry)
        else:
            self.began(group, entry.seq, entry.at_ms)

    def caught_up(self, group_id: bytes, at: int) -> None:
        """Note that the service, asked at this second, had nothing more of a group that this device is in."""
        self.all_quiet([group_id], at)

    def all_quiet(self, group_ids: list[bytes], at: int) -> None:
        """The same for many groups, in one statement however many they are."""
        self._store.execute(
            "INSERT INTO log_seen SELECT group_id, ? FROM chat "
            "WHERE group_id IN (SELECT unhex(value) FROM json_each(?)) AND standing IN ('active', 'leaving') "
            "ON CONFLICT DO UPDATE SET at = excluded.at WHERE excluded.at - log_seen.at >= ?",
            at,
            json.dumps([group_id.hex() for group_id in group_ids]),
            SEEN_STEP,
        )

    def asked_again(self, group_id: bytes, now: int) -> None:
        """Count a second reading; what it does not repair is told apart from that."""
        self.troubles.note(group_id, Lie.READ_AGAIN, now)

    def timed(self, chat: Chat, entry: Entry, now: int) -> list[Event]:
        """Judge the time that the service gives an entry by the log before it, and by when it was not there yet."""
        last = self.record.last(chat.group_id)
        back = 0 if last is None else (last.at_ms - entry.at_ms) // 1000
        if back > CLOCK_LIMIT:
            return self._once(chat.group_id, Lie.CLOCK_BACK, clock_back_words(back), now, first=entry.seq)
        row = self._store.row("SELECT at FROM log_seen WHERE group_id = ?", chat.group_id)
        # A look that lies in the future was taken by a clock that has been set back since, and says nothing.
        if row is not None and row[0] <= now and row[0] - entry.at_ms // 1000 > HELD_BACK_LIMIT:
            words = held_back_words(now - entry.at_ms // 1000)
            return self._once(chat.group_id, Lie.HELD_BACK, words, now, first=row[0], last=entry.seq)
        return []

    def gap(self, group: mls_rs.Group, cursor: int, entry: Entry, now: int) -> tuple[list[Event], bool]:
        """Name the entries that are missing before this one; whether the log can be read on behind them."""
        if not self.asked_twice:
            raise LookAgainError
        group_id, count = group.group_id, entry.seq - cursor - 1
        goes_on = _epoch_of(entry) <= group.epoch
        lie, words = Lie.WITHHELD, withheld_words(count)
        if goes_on:
            self.record.miss(group_id, entry.seq - 1)
        else:
            lie, words = Lie.WITHHELD_COMMIT, withheld_commit_words(count)
        first, last = cursor + 1, entry.seq - 1
        return self._once(group_id, lie, words, now, epoch=group.epoch, first=first, last=last), goes_on

    def restored(self, group_id: bytes, cursor: int, floor: int, now: int) -> list[Event]:
        """Name what a service lost that was restored from a backup; nothing of this epoch can be compared any more."""
        self.record.miss(group_id, floor - 1)
        return self._once(group_id, Lie.RESTORED, restored_words(), now, first=cursor + 1, last=floor - 1)

    def came(self, group_id: bytes, entry: Entry, now: int) -> list[Event]:
        """Say so if this is where a withheld change of the group was missing."""
        settled = self.troubles.settle(group_id, Lie.WITHHELD_COMMIT, first=entry.seq)
        return [self._line(group_id, Lie.LATE, late_words(1), now)] if settled else []

    def holes(self, group_id: bytes) -> list[Trouble]:
        """What was withheld in the present epoch and can be read if it comes after all."""
        last = self.record.last(group_id)
        return [hole for hole in self.troubles.open(group_id, Lie.WITHHELD) if last and hole.epoch == last.epoch]

    def filled(self, group_id: bytes, hole: Trouble, entries: list[Entry], now: int) -> list[Event]:
        """Note that all that was missing in a place has come."""
        self.record.fill(group_id, entries)
        self.troubles.settle(group_id, Lie.WITHHELD, first=hole.first)
        return [self._line(group_id, Lie.LATE, late_words(len(entries)), now)]

    def labelled(self, group_id: bytes, inspected: mls_rs.Inspected, entry: Entry, now: int) -> list[Event]:
        """Compare what the service says of an entry with what it is."""
        stated = (entry.epoch, entry.kind)
        if (inspected.epoch, inspected.content) == stated:
            return []
        words = mislabelled_words(f"{entry.kind} of epoch {entry.epoch}", f"{inspected.content} of {inspected.epoch}")
        return self._once(group_id, Lie.MISLABELLED, words, now, epoch=inspected.epoch or 0)

    def replayed(self, group_id: bytes, entry: Entry, now: int, *, own: bool) -> list[Event]:
        """Name octets that this device has read before; nothing if it has not."""
        if not self.record.has_read(group_id, entry.body):
            return []
        return self._once(group_id, Lie.REPLAYED, replayed_words(own), now, first=entry.seq)

    def heard(self, group_id: bytes, member: mls_rs.Member, now: int) -> None:
        """Note an authenticated entry of a member."""
        self.words.heard(group_id, device_of(member), now)

    def changed(self, group_id: bytes, commit: mls_rs.Commit, now: int) -> None:
        """Note who came and who went, and that the committer was heard."""
        for member in commit.removed:
            self.words.went(group_id, device_of(member))
        for member in commit.added:
            self.words.came(group_id, device_of(member), now)
        if commit.committer is not None:
            self.heard(group_id, commit.committer, now)

    def told(
        self,
        group_id: bytes,
        member: mls_rs.Member,
        content: Content,
        verification: Verification,
        entry: Entry,
        now: int,
    ) -> list[Event]:
        """Hear a member, and hold what their message says about the log beside this device's record."""
        counts = verification.verdict in _COUNTS
        witness = witness_of(content.extensions) if counts else None
        compared = Comparison.UNKNOWN if witness is None else self.record.compare(group_id, witness)
        if witness is not None and compared in (Comparison.AGREES, Comparison.DIFFERS):
            self.words.said(group_id, device_of(member), witness, now, agrees=compared is Comparison.AGREES)
        else:
            self.heard(group_id, member, now)
        events = self._signed(group_id, member, verification, entry, now) if counts else []
        if witness is None or compared in (Comparison.AGREES, Comparison.UNKNOWN):
            return events
        return [*events, *self._contradicted(group_id, member, witness, compared, now)]

    def _contradicted(
        self, group_id: bytes, member: mls_rs.Member, witness: Witness, compared: Comparison, now: int
    ) -> list[Event]:
        device, who, epoch = device_of(member), str(number_of(member)), witness.epoch
        if compared is Comparison.DIFFERS:
            words = fork_words(who, witness.seq)
            return self._once(group_id, Lie.FORKED, words, now, about=device, epoch=epoch)
        # The sender had read another entry in the place that this very message has here.
        if not self.asked_twice:
            raise LookAgainError
        last = self.record.last(group_id)
        words = closed_up_words(who, witness.seq - (0 if last is None else last.seq))
        return self._once(group_id, Lie.CLOSED_UP, words, now, about=device, epoch=epoch, last=witness.seq)

    def _signed(
        self, group_id: bytes, member: mls_rs.Member, verification: Verification, entry: Entry, now: int
    ) -> list[Event]:
        """Compare the service's time for an entry with that of its signature, where the two can lie apart."""
        at = entry.at_ms // 1000
        if verification.evidence is None or now - at <= CLOCK_LIMIT // 2:  # no signature is from the future
            return []
        try:
            early = parse_passport(verification.evidence.passport).iat - at
        except IdentityError:
            return []
        told = (each.first for each in self.troubles.of(group_id) if each.code is Lie.CLOCK_BACK and not each.about)
        if early <= CLOCK_LIMIT or entry.seq in told:
            return []
        # The time in a signature is the member's word: it is told once of each in an epoch, and with their name.
        last, words = self.record.last(group_id), before_signed_words(early, str(number_of(member)))
        epoch = 0 if last is None else last.epoch
        return self._once(group_id, Lie.CLOCK_BACK, words, now, about=device_of(member), epoch=epoch)

    def answered(self, group_id: bytes, lie: Lie, after: int, now: int) -> list[Event]:
        """Name what was wrong with an answer as a whole."""
        return self._once(group_id, lie, answer_words(lie), now, first=after)

    def lost(self, group_id: bytes, octets: bytes, what: int, now: int) -> int:
        """Note that octets were accepted and are not in the log; returns how often that has happened to `what`."""
        self.troubles.note(group_id, Lie.LOST, now, about=hashlib.sha256(octets).hexdigest(), first=what)
        # A commit that is made again can have the same octets.
        lost = (each for each in self.troubles.of(group_id) if each.code is Lie.LOST and each.first == what)
        return sum(each.count for each in lost)

    def came_late(self, group_id: bytes, octets: bytes, now: int) -> list[Event]:
        """Say so if these are own octets that were accepted and were missing in the log."""
        settled = self.troubles.settle(group_id, Lie.LOST, about=hashlib.sha256(octets).hexdigest())
        return [self._line(group_id, Lie.LATE, late_words(1), now)] if settled else []

    def say(self, group_id: bytes, lie: Lie, words: str, now: int) -> Event:
        """Leave a line in the chat."""
        return self._line(group_id, lie, words, now)

    def _once(
        self,
        group_id: bytes,
        lie: Lie,
        words: str,
        now: int,
        *,
        about: str = "",
        epoch: int = 0,
        first: int = 0,
        last: int = 0,
    ) -> list[Event]:
        count = self.troubles.note(group_id, lie, now, about=about, epoch=epoch, first=first, last=last)
        return [self._line(group_id, lie, words, now)] if count == 1 else []

    def _line(self, group_id: bytes, lie: Lie, words: str, now: int) -> Gap:
        text = words[0].upper() + words[1:]
        self._history.note_gap(group_id, None, text if text.endswith(".") else f"{text}.", now)
        chat = self._chats.known(group_id)
        return Gap(group_id, chat.name, chat.cursor, lie, words, "")


def device_of(member: mls_rs.Member) -> str:
    """A member device's name: +E164, a slash and the hash of its key."""
    return member.identity.decode("ascii", "replace")


def _epoch_of(entry: Entry) -> int:
    try:
        return mls_rs.inspect(entry.body).epoch or 0
    except mls_rs.MlsError:
        return 0
