"""Commits that are taken back: what is kept until a commit stands, what is reported, and the way back.

A device keeps the state before a commit, in the transaction that applies it, until the service says that the commit
stands. It goes back only where most devices of the epoch before have signed that they cannot apply what came after
(docs/binding.md §3.5). A device that cannot apply a commit stays where it is, reports it, and sends nothing meanwhile.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import mls_rs
import msgspec

from client.defence.lies import Lie
from client.defence.lookout import Lookout, device_of
from client.events import ChangeTakenBack, Event
from client.records.chats import Chat, Standing
from client.records.history import History
from client.records.intents import Intents, Leave
from client.records.message import Kind
from client.records.outbox import Outbox
from client.steps.device import number_of
from client.steps.groups import Groups, Step
from client.storage.store import Row
from client.words.rollback_words import (
    UNPROVEN,
    nobody_could,
    own_change,
    returned,
    this_one_could,
    who_changed,
    withdrawn,
)
from delivery_service.wire import Entry
from delivery_service.wire.rollback import ROLLBACK_WINDOW, Rejection, Reported, Rollback
from identity.device import number_of as number_of_identity
from identity.groups.rejected_commit import RejectedCommit
from identity.number import TelephoneNumber

KEPT = 3 * ROLLBACK_WINDOW  # seconds by this device's own clock, whatever the service says
_JOINED = ""  # the standing before a commit that added this device


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """By whom the commits are (the MLS identity after them), whom they removed, and the SHA-256 of each MLSMessage."""

    committer: bytes
    removed: list[bytes] = []
    commits: list[tuple[int, bytes]] = []


@dataclass(frozen=True, slots=True)
class Before:
    """A group's state before a commit is processed."""

    epoch: int
    state: bytes
    tree: bytes
    standing: Standing


@dataclass(frozen=True, slots=True)
class Earlier:
    """A row of `earlier_epoch`."""

    group_id: bytes
    seq: int
    epoch: int
    standing: str
    first_ms: int
    facts: Facts
    state: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of `rejected_commit`."""

    group_id: bytes
    seq: int
    epoch: int
    digest: bytes
    committer: str
    reported: bool

    @property
    def named(self) -> RejectedCommit:
        """What a report names."""
        return RejectedCommit(self.group_id, self.epoch, self.seq, self.digest)


class TakenBack(Enum):
    """What an entry of the kind `rollback` means for this device's place in the chat."""

    STAYS = auto()
    WITHDRAWN = auto()  # it is none: the commit that had added it is undone


class Rollbacks:
    """The rows, and what becomes of a group; everything happens inside the caller's transaction."""

    def __init__(self, groups: Groups, history: History, outbox: Outbox, intents: Intents, lookout: Lookout) -> None:
        self._store = groups.store
        self._groups = groups
        self._history = history
        self._outbox = outbox
        self._intents = intents
        self._lookout = lookout
        self._settled: dict[bytes, int] = {}

    def settle(self, group_id: bytes, settled: int) -> None:
        """Forget the state before commits that stand, as the service says."""
        self._settled[group_id] = settled
        self._store.execute("DELETE FROM earlier_epoch WHERE group_id = ? AND seq <= ?", group_id, settled)

    def forget(self, group_id: bytes) -> None:
        """Forget a group that this device does not follow any more."""
        self._forget(group_id)
        self.goes_on(group_id)

    def expire(self, now: int) -> None:
        """Forget what is older than any commit can be that is still taken back."""
        self._store.execute("DELETE FROM earlier_epoch WHERE kept < ?", now - KEPT)

    def before(self, step: Step, entry: Entry) -> Before | None:
        """The state to go back to, where the entry is a commit that may be taken back."""
        group = step.group
        if entry.seq <= self._settled.get(group.group_id, 0):
            return None
        delta = group.delta()
        tree = delta.tree
        if tree is None:
            (tree,) = self._store.rows("SELECT tree FROM chat WHERE group_id = ?", group.group_id)[0]
        return Before(delta.epoch, delta.state, tree, step.standing)

    def applied(self, group_id: bytes, before: Before | None, commit: mls_rs.Commit, entry: Entry, now: int) -> None:
        """Keep the state before a commit; of several by one device in a row, that before the first."""
        earlier = self.earlier(group_id)
        if before is None or commit.committer is None:
            self._forget(group_id)
            return
        gone = [member.identity for member in commit.removed]
        gone += [old.identity for old, new in commit.updated if old.identity != new.identity]
        named = (entry.seq, hashlib.sha256(entry.body).digest())
        committer = commit.committer.identity
        maker = {old.identity: new.identity for old, new in commit.updated}.get(committer, committer)
        if earlier is not None and earlier.facts.committer == committer and _goes_on(earlier, entry):
            facts = Facts(maker, [*earlier.facts.removed, *gone], [*earlier.facts.commits, named])
            packed = msgspec.msgpack.encode(facts)
            self._store.execute("UPDATE earlier_epoch SET facts = ? WHERE group_id = ?", packed, group_id)
            return
        facts = Facts(maker, gone, [named])
        self._keep(group_id, entry, facts, now, before)

    def joined(self, group_id: bytes, seq: int, at_ms: int, committer: bytes, now: int) -> None:
        """Note by which commit this device was added."""
        self._forget(group_id)
        self._store.execute(
            "INSERT INTO earlier_epoch VALUES (?, ?, 0, ?, ?, ?, ?, x'', x'')",
            group_id,
            seq,
            _JOINED,
            at_ms,
            now,
            msgspec.msgpack.encode(Facts(committer)),
        )

    def went_on(self, group_id: bytes, device: bytes) -> None:
        """Let commits stand from which another device (an MLS identity) than their maker goes on, whoever says more."""
        earlier = self.earlier(group_id)
        if earlier is not None and earlier.facts.committer != device:
            self._forget(group_id)

    def heard(self, group_id: bytes, device: bytes) -> None:
        """Note what a device (an MLS identity) has sent in this device's epoch: the group goes on there."""
        self.goes_on(group_id)
        self.went_on(group_id, device)

    def reject(self, group: mls_rs.Group, entry: Entry) -> bool:
        """Note a commit of the present epoch that this device cannot apply, to be reported; whether it is one."""
        try:
            inspected = mls_rs.inspect(entry.body)
        except mls_rs.MlsError:
            return False
        if (inspected.content, inspected.sender, inspected.epoch) != ("commit", "member", group.epoch):
            return False
        members = {member.index: member for member in group.members()}
        maker = members.get(inspected.sender_index or 0)
        self.went_on(group.group_id, b"" if maker is None else maker.identity)
        self._store.execute(
            "INSERT OR IGNORE INTO rejected_commit (group_id, seq, epoch, digest, committer) VALUES (?, ?, ?, ?, ?)",
            group.group_id,
            entry.seq,
            group.epoch,
            hashlib.sha256(entry.body).digest(),
            "" if maker is None else number_of(maker).e164,
        )
        return True

    def is_behind(self, group: mls_rs.Group, entry: Entry) -> bool:
        """Whether an entry is of an epoch that this device has not entered, since it reported the commit before."""
        if self.rejected(group.group_id) is None:
            return False
        try:
            inspected = mls_rs.inspect(entry.body)
        except mls_rs.MlsError:
            return False
        if inspected.epoch is None or inspected.epoch <= group.epoch:
            return False
        if inspected.sender_index is not None:  # not of a message: who sends one is encrypted
            makers = [member.identity for member in group.members() if member.index == inspected.sender_index]
            self.went_on(group.group_id, makers[0] if makers else b"")
        return True

    def goes_on(self, group_id: bytes) -> None:
        """Note that the group goes on in this device's epoch: the commit that it could not apply was none."""
        self._store.execute("DELETE FROM rejected_commit WHERE group_id = ?", group_id)

    def may_go_back(self, group_id: bytes) -> bool:
        """Whether the present epoch may have been taken back since the log was last read."""
        return self._store.row("SELECT 1 FROM earlier_epoch WHERE group_id = ?", group_id) is not None

    def is_waiting(self, group_id: bytes) -> bool:
        """Whether nothing can be sent to a group, because a commit is to be taken back first."""
        return self.rejected(group_id) is not None

    def waiting(self) -> list[bytes]:
        """The groups with commits that are to be reported."""
        return [row[0] for row in self._store.rows("SELECT group_id FROM rejected_commit WHERE reported = 0")]

    def due(self, group_id: bytes) -> Rejection | None:
        """The report to post."""
        rejected = self.rejected(group_id)
        if rejected is None or rejected.reported:
            return None
        signature = rejected.named.sign(self._groups.account.key)
        return Rejection(rejected.seq, rejected.digest, signature)

    def reported(self, group_id: bytes) -> None:
        """Note that the service has dealt with the report, and the others have to decide."""
        with self._store.transaction():
            self._store.execute("UPDATE rejected_commit SET reported = 1 WHERE group_id = ?", group_id)

    def unknown(self, group_id: bytes) -> None:
        """Note that the service does not have what it showed: the group goes on without it."""
        with self._store.transaction():
            self.goes_on(group_id)

    def stands(self, group_id: bytes) -> bool:
        """Whether a commit that this device cannot apply stands, as the service says."""
        rejected = self.rejected(group_id)
        return rejected is not None and rejected.seq <= self._settled.get(group_id, 0)

    def earlier(self, group_id: bytes) -> Earlier | None:
        """What is kept of a group."""
        row = self._store.row(
            "SELECT group_id, seq, epoch, standing, first_ms, facts, state, tree FROM earlier_epoch WHERE group_id = ?",
            group_id,
        )
        return None if row is None else _earlier(row)

    def rejected(self, group_id: bytes) -> Rejected | None:
        """The commit of a group that this device cannot apply."""
        row = self._store.row(
            "SELECT group_id, seq, epoch, digest, committer, reported FROM rejected_commit WHERE group_id = ?", group_id
        )
        if row is None:
            return None
        group, seq, epoch, digest, committer, reported = row
        return Rejected(group, seq, epoch, digest, committer, bool(reported))

    def follows(self, chat: Chat) -> bool:
        """Whether the chat's log is read: as a member, or as one whose removal may be taken back."""
        if chat.standing.is_member:
            return True
        earlier = self.earlier(chat.group_id)
        return chat.standing is not Standing.LOST and earlier is not None and earlier.standing != _JOINED

    def revive(self, chat: Chat, entries: Sequence[Entry], now: int) -> int | None:
        """Be a member again if an entry takes back the removal of this device; returns that entry's number."""
        earlier = self.earlier(chat.group_id)
        if earlier is None or earlier.standing == _JOINED:
            return None
        for entry in entries:
            said = _decoded(entry) if entry.kind == "rollback" and entry.seq > chat.cursor else None
            if said is not None and said.seq == earlier.seq and self._proof(earlier, said):
                self._store.execute(
                    "UPDATE chat SET standing = ?, epoch = ?, state = ?, tree = ? WHERE group_id = ?",
                    earlier.standing,
                    earlier.epoch,
                    earlier.state,
                    earlier.tree,
                    chat.group_id,
                )
                if earlier.standing == Standing.LEAVING:
                    self._intents.add_once(chat.group_id, Leave())
                return entry.seq
        return None

    def taken_back(self, step: Step, entry: Entry, now: int, *, revived: bool) -> tuple[TakenBack, list[Event]]:
        """Deal with an entry that takes commits back. `revived`: this device was no member a moment ago."""
        group_id = step.group.group_id
        said, earlier, rejected = _decoded(entry), self.earlier(group_id), self.rejected(group_id)
        if said is None:
            return TakenBack.STAYS, [self._lookout.say(group_id, Lie.UNPROVEN_ROLLBACK, UNPROVEN, now)]
        if earlier is not None and earlier.standing == _JOINED and said.seq <= earlier.seq:
            if proof := self._withdrawal(step.group, earlier, said, entry):
                event = self._tell(step, entry, None, withdrawn(*proof), now)
                self.forget(group_id)
                return TakenBack.WITHDRAWN, [event]
        elif earlier is not None and earlier.seq == said.seq and (proof := self._proof(earlier, said)):
            return TakenBack.STAYS, [self._go_back(step, entry, earlier, proof, now, revived=revived)]
        elif rejected is not None and (proof := self._others(step.group, rejected, said)):
            number = _number(rejected.committer)
            who = who_changed(number, self._groups.account.number)
            self._restart(step, said.seq, entry)
            self.goes_on(group_id)
            return TakenBack.STAYS, [self._tell(step, entry, number, nobody_could(who, *proof), now)]
        return TakenBack.STAYS, [self._lookout.say(group_id, Lie.UNPROVEN_ROLLBACK, UNPROVEN, now)]

    def _go_back(
        self, step: Step, entry: Entry, earlier: Earlier, proof: tuple[int, int], now: int, *, revived: bool
    ) -> Event:
        group_id, own = earlier.group_id, self._groups.account.number
        is_own = earlier.facts.committer == step.group.member(step.group.own_index).identity
        could = self.rejected(group_id) is None
        before = {member.identity: device_of(member) for member in step.group.members()}
        self._groups.go_back(step, earlier.state, earlier.tree)
        step.standing = Standing(earlier.standing)
        after = {member.identity: device_of(member) for member in step.group.members()}
        for identity in before.keys() - after.keys():
            self._lookout.words.went(group_id, before[identity])
        for identity in after.keys() - before.keys():
            self._lookout.words.came(group_id, after[identity], now)
        self._outbox.taken_back(group_id, earlier.epoch)
        self._want_again(step, earlier.epoch)
        self._restart(step, earlier.seq, entry)
        self._forget(group_id)
        self._store.execute("DELETE FROM rejected_commit WHERE group_id = ?", group_id)
        number = number_of_identity(earlier.facts.committer)
        who = who_changed(number, own)
        words = returned if revived else this_one_could if could else nobody_could
        return self._tell(step, entry, number, own_change(*proof) if is_own else words(who, *proof), now)

    def _withdrawal(
        self, group: mls_rs.Group, earlier: Earlier, said: Rollback, entry: Entry
    ) -> tuple[int, int] | None:
        """How many of how many devices, by the service's count, have reported the invitation's commit or a later one.

        Who was there before, this device does not know; whom it knows to be no reporter does not count. A report of an
        earlier commit does not either: it may be of one that was taken back long before this device came.
        """
        apart = {earlier.facts.committer, group.member(group.own_index).identity}
        keys = {each.identity: each.signature_key for each in group.members() if each.identity not in apart}
        reports = [each for each in said.reports if earlier.seq <= each.seq < entry.seq]
        signed = _signed(group.group_id, keys, reports, None)
        return (len(signed), said.of) if 2 * len(signed) > said.of > 0 else None

    def _others(self, group: mls_rs.Group, rejected: Rejected, said: Rollback) -> tuple[int, int] | None:
        """The same for commits of which this device could not apply the first: whom they removed, it does not know."""
        if (said.seq, said.epoch) != (rejected.seq, rejected.epoch):
            return None
        keys = {each.identity: each.signature_key for each in group.members()}
        commits = self._commits(group.group_id, rejected.seq, [(rejected.seq, rejected.digest)])
        signed = _signed(group.group_id, keys, said.reports, commits)
        return (len(signed), said.of) if 2 * len(signed) > said.of > 0 else None

    def _commits(self, group_id: bytes, seq: int, known: Sequence[tuple[int, bytes]]) -> dict[int, bytes]:
        """The digests of the commits from a place on, as far as the log was read."""
        query = "SELECT seq, body FROM log_entry WHERE group_id = ? AND kind = 'commit' AND seq > ?"
        return dict([*self._store.rows(query, group_id, seq), *known])

    def _want_again(self, step: Step, epoch: int) -> None:
        """Carry out anew what was requested after an epoch to which the group went back."""
        own = step.group.own_index
        proposed = any(each.removed is not None and each.removed.index == own for each in step.group.proposals())
        for intent in self._intents.of(step.group.group_id):
            undone = intent.request is not None and intent.request.epoch > epoch
            if undone or (intent.is_proposed and not proposed):
                self._intents.lost(intent)
            if isinstance(intent.body, Leave):
                step.standing = Standing.LEAVING

    def _proof(self, earlier: Earlier, said: Rollback) -> tuple[int, int] | None:
        """How many of how many devices have signed, if they are more than half of those that could."""
        group = self._groups.engine.load(earlier.state, earlier.tree)
        apart = {earlier.facts.committer, *earlier.facts.removed}
        keys = {each.identity: each.signature_key for each in group.members() if each.identity not in apart}
        commits = self._commits(earlier.group_id, earlier.seq, earlier.facts.commits)
        signed = _signed(earlier.group_id, keys, said.reports, commits)
        return (len(signed), len(keys)) if 2 * len(signed) > len(keys) else None

    def _restart(self, step: Step, first: int, entry: Entry) -> None:
        """Begin the record of the epoch anew, as every member does at this place."""
        group = step.group
        self._lookout.record.cut(group.group_id, first)
        self._lookout.began(group, entry.seq, entry.at_ms)

    def _tell(self, step: Step, entry: Entry, who: TelephoneNumber | None, words: str, now: int) -> Event:
        group_id = step.group.group_id
        self._history.note(Kind.NOTICE, group_id, entry.seq, words, now, entry.at_ms)
        return ChangeTakenBack(group_id, self._groups.chats.known(group_id).name, who, words)

    def _keep(self, group_id: bytes, entry: Entry, facts: Facts, now: int, before: Before) -> None:
        self._store.execute(
            "INSERT OR REPLACE INTO earlier_epoch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            group_id,
            entry.seq,
            before.epoch,
            before.standing,
            entry.at_ms,
            now,
            msgspec.msgpack.encode(facts),
            before.state,
            before.tree,
        )

    def _forget(self, group_id: bytes) -> None:
        self._store.execute("DELETE FROM earlier_epoch WHERE group_id = ?", group_id)


def _goes_on(earlier: Earlier, entry: Entry) -> bool:
    return entry.at_ms <= earlier.first_ms + ROLLBACK_WINDOW * 1000


def _signed(
    group_id: bytes, keys: Mapping[bytes, bytes], reports: Sequence[Reported], commits: Mapping[int, bytes] | None
) -> set[bytes]:
    """The devices whose reports are signed by their keys, and name one of the `commits` if these are known."""
    signed = set()
    for report in reports:
        named = RejectedCommit(group_id, report.epoch, report.seq, report.commit)
        known = commits is None or commits.get(report.seq) == report.commit
        if known and report.device in keys and named.is_signed(report.signature, keys[report.device]):
            signed.add(report.device)
    return signed


def _decoded(entry: Entry) -> Rollback | None:
    try:
        return msgspec.msgpack.decode(entry.body, type=Rollback)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _earlier(row: Row) -> Earlier:
    group_id, seq, epoch, standing, first_ms, facts, state, tree = row
    return Earlier(group_id, seq, epoch, standing, first_ms, msgspec.msgpack.decode(facts, type=Facts), state, tree)


def _number(e164: str) -> TelephoneNumber | None:
    return TelephoneNumber.from_digits(e164[1:]) if e164 else None
