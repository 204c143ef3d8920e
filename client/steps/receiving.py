"""Reading a group's log: what each entry does to the group, the history and the outbox, in one transaction."""

from collections.abc import Sequence
from dataclasses import replace

import mls_rs

from client.credentials.siblings import Siblings
from client.defence.admission import Consent, Frank, Place
from client.defence.admitting import Admitting
from client.defence.continuity import Continuity
from client.defence.evictions import Evictions
from client.defence.franking import Franking
from client.defence.lookout import Lookout
from client.defence.troubles import Trouble
from client.defence.watch import Watch
from client.errors import ContentError, GroupRefusedError
from client.events import (
    ChatNamed,
    Event,
    Gap,
    IntentSettled,
    MembersChanged,
    MessageDelivered,
    MessageReceived,
    Outcome,
    ProposalReceived,
)
from client.formats.content import decode
from client.formats.framing import unwrap
from client.formats.reading import Reading, Timed, Titled, read
from client.records.chats import Chat, Standing
from client.records.history import History
from client.records.intents import CommitProposals, Intents, RefreshKeys
from client.records.message import FINDABLE, Kind, Message, NewMessage
from client.records.outbox import Outbox
from client.records.relations import Relations
from client.records.rows import kind_of, row_of
from client.steps import roles
from client.steps.device import number_of
from client.steps.ending import Endings
from client.steps.groups import Groups, Step
from client.steps.rollback import Rollbacks, TakenBack
from client.steps.sending import Sender
from client.words.notices import notice
from client.words.rollback_words import STANDS
from client.words.wording import describe
from delivery_service.wire import Entry
from identity.binding import ReceivedMessage, Verdict, Verification, verify_message
from identity.checks import CLOCK_TOLERANCE
from identity.errors import IdentityError
from identity.groups.roles import Admins
from identity.number import TelephoneNumber

# Verdicts with which a message may change what is there already.
_PROVED = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE, Verdict.CARRIER})
LOST_HINT = "Ask a member to remove this device and to add it again."
READ_AT_STEP = 60  # seconds: how exactly it is kept when a log was last read to its end
_REFUSED_PROPOSALS = frozenset({"reinit", "external_init"})


class Receiver:
    """Deals with entries of logs, in order; every entry leaves a trace, and the cursor moves with it."""

    def __init__(
        self,
        groups: Groups,
        history: History,
        relations: Relations,
        outbox: Outbox,
        intents: Intents,
        sender: Sender,
        admitting: Admitting,
        franking: Franking,
        continuity: Continuity,
        watch: Watch,
        lookout: Lookout,
        siblings: Siblings,
        rollbacks: Rollbacks,
        evictions: Evictions,
        endings: Endings,
    ) -> None:
        self._endings = endings
        self._evictions = evictions
        self._rollbacks = rollbacks
        self._siblings = siblings
        self._lookout = lookout
        self._admitting = admitting
        self._continuity = continuity
        self._watch = watch
        self._franking = franking
        self._groups = groups
        self._chats = groups.chats
        self._history = history
        self._relations = relations
        self._outbox = outbox
        self._intents = intents
        self._sender = sender
        self._leavers: set[tuple[bytes, int, bytes]] = set()  # group, epoch, identity of who proposed to leave

    def receive(
        self,
        group_id: bytes,
        entries: Sequence[Entry],
        now: int,
        end: int | None = None,
        *,
        asked_twice: bool = False,
        settled: int = 0,
    ) -> list[Event]:
        """Deal with a batch in one transaction; if one entry is refused, with each entry in a transaction of its own.

        `end`: when the batch was asked for, if it reaches to the log's end. `settled`: every commit up to there stands,
        says the service. Raises LookAgainError where the batch is to be asked for once more, unless it was
        `asked_twice`.
        """
        self._lookout.asked_twice = asked_twice
        self._rollbacks.settle(group_id, settled)
        try:
            events = self._together(group_id, entries, now) if entries else []
        except (mls_rs.MlsError, GroupRefusedError):
            events = [event for entry in entries for event in self._alone(group_id, entry, now)]
        if end is not None and self._rollbacks.stands(group_id):  # the log may end with a successor
            events += self.lose(group_id, STANDS, now)
        if end is not None and end - self._chats.known(group_id).read_at >= READ_AT_STEP:
            self._chats.caught_up(group_id, end)
        if end is not None:
            self._lookout.caught_up(group_id, end)
        return events

    def late(self, group_id: bytes, hole: Trouble, entries: Sequence[Entry], now: int) -> list[Event]:
        """Deal with what the service had left out and shows after all; nothing of it if a part cannot be read."""
        late = [entry for entry in entries if hole.first <= entry.seq <= hole.last and entry.kind != "commit"]
        if len(late) <= hole.last - hole.first or any(entry.seq != seq for seq, entry in enumerate(late, hole.first)):
            return []
        try:
            with self._groups.step(group_id) as step:
                events = [event for entry in late for event in self._entry(step, entry, now, now)]
                return [*events, *self._lookout.filled(group_id, hole, late, now)]
        except (mls_rs.MlsError, GroupRefusedError):
            return []

    def restored(self, group_id: bytes, floor: int, now: int) -> list[Event]:
        """Go on at the floor of a service that was restored from a backup, in the epoch in which it stands."""
        with self._groups.store.transaction():
            events = self._lookout.restored(group_id, self._chats.known(group_id).cursor, floor, now)
            self._chats.advance(group_id, floor - 1)
        return events

    def lose(self, group_id: bytes, reason: str, now: int) -> list[Event]:
        """Note that the group cannot be followed any more."""
        chat = self._chats.known(group_id)
        words = f"This chat cannot be followed any more: {reason}. {LOST_HINT}"
        with self._groups.step(group_id) as step:
            self._history.note(Kind.GAP, group_id, None, words, now)
            step.standing = Standing.LOST
            self._lookout.left(group_id)
            self._rollbacks.forget(group_id)
            ended = self._sender.refuse_all(group_id, words)
        return [Gap(group_id, chat.name, chat.cursor, "gone", reason, ""), *ended]

    def _alone(self, group_id: bytes, entry: Entry, now: int) -> list[Event]:
        try:
            return self._together(group_id, [entry], now)
        except (mls_rs.MlsError, GroupRefusedError) as error:
            cause = "" if error.__cause__ is None else str(error.__cause__)
            with self._groups.store.transaction():
                cursor = self._chats.known(group_id).cursor
                group = self._groups.copy(group_id)
                missing = self._lookout.gap(group, cursor, entry, now)[0] if entry.seq > cursor + 1 else []
                own = isinstance(error, mls_rs.OwnMessageError)
                events = self._lookout.came_late(group_id, entry.body, now) if own else []
                events = events or self._lookout.replayed(group_id, entry, now, own=own)
                if events or self._rollbacks.is_behind(group, entry):
                    self._chats.advance(group_id, entry.seq)
                else:
                    events = self._gap(group_id, entry, error.code, str(error), cause, now)
                    if not own:
                        self._rollbacks.reject(group, entry)
                    else:
                        # This device sent what its store does not know: the store is an old copy, its keys were used.
                        self._intents.add_once(group_id, RefreshKeys())
                        if self._lookout.record.is_whole(group_id):  # or a member may have posted it again
                            self._watch.own_message(group_id, entry.seq, entry.at_ms, now)
                self._lookout.record.append(group_id, entry)
                return [*missing, *events]

    def _together(self, group_id: bytes, entries: Sequence[Entry], now: int) -> list[Event]:
        with self._groups.store.transaction():
            chat = self._chats.known(group_id)
            if chat.standing.is_member:
                return self._read_on(chat, entries, now)
            revived = self._rollbacks.revive(chat, entries, now)
            if revived is None:
                return []
            self._chats.advance(group_id, revived - 1)
            return self._read_on(self._chats.known(group_id), entries, now, revived=revived)

    def _read_on(self, chat: Chat, entries: Sequence[Entry], now: int, revived: int = 0) -> list[Event]:
        """`revived`: the number of the entry that makes this device a member again."""
        events: list[Event] = []
        group_id, cursor = chat.group_id, chat.cursor
        with self._groups.step(group_id) as step:
            for entry in entries:
                if entry.seq <= cursor or not step.standing.is_member:
                    continue
                if entry.seq > cursor + 1:
                    missing, goes_on = self._lookout.gap(step.group, cursor, entry, now)
                    events += missing
                    if not goes_on:
                        break
                events += self._lookout.came(group_id, entry, now)
                events += self._lookout.timed(chat, entry, now)
                epoch = step.group.epoch
                # Certificates live for days and a device may be offline for longer: each entry is judged at the time
                # that the service gives it, but never before this device last knew the log's end, nor in the future.
                at = min(max(entry.at_ms // 1000, chat.read_at), now)
                if entry.kind == "rollback":
                    events += self._taken_back(step, entry, now, revived=entry.seq == revived)
                elif entry.kind in ("successor", "closing"):
                    events += self._group_ended(step, entry, now)
                else:
                    events += self._entry(step, entry, at, now)
                    if step.standing.is_member:
                        self._lookout.dealt_with(step.group, epoch, entry)
                cursor = entry.seq
            self._chats.advance(group_id, cursor)
        return events

    def _gap(self, group_id: bytes, entry: Entry, code: str, reason: str, cause: str, now: int) -> list[Event]:
        words = f"An entry of this chat could not be read: {reason}" + (f" ({cause})" if cause else "")
        self._history.note_gap(group_id, entry.seq, words, now, entry.at_ms)
        self._chats.advance(group_id, entry.seq)
        return [Gap(group_id, self._chats.known(group_id).name, entry.seq, code, reason, cause)]

    def _entry(self, step: Step, entry: Entry, at: int, now: int) -> list[Event]:
        group_id = step.group.group_id
        own, device = self._outbox.own_entry(group_id, entry.body), step.group.member(step.group.own_index)
        if own is not None:
            self._rollbacks.went_on(group_id, device.identity)
            self._outbox.read_back(own.message, entry.seq)
            self._history.ordered(own.message, entry.seq, entry.at_ms)
            self._relations.settle(own.message)
            self._relations.start_timer(own.message, now)
            return [MessageDelivered(group_id, own.message, entry.seq)]
        intent = self._intents.own_entry(group_id, entry.body)
        if intent is not None and intent.request is not None:
            if intent.request.secrets is None:
                self._rollbacks.went_on(group_id, device.identity)
                self._intents.proposed(intent)
                self._note_leaver(step, device)
                return []  # the commit that carries the proposal to leave out will follow
            admins, before = roles.admins(step.group), self._rollbacks.before(step, entry)
            commit = step.group.apply(intent.request.secrets)  # judged when it was made
            self._intents.settle(intent.id)
            self._rollbacks.applied(group_id, before, commit, entry, now)
            done = IntentSettled(group_id, intent.id, "done", "")
            return [*self._committed(step, commit, admins, entry, now, own=True), done]
        return self._foreign(step, entry, at, now)

    def _taken_back(self, step: Step, entry: Entry, now: int, *, revived: bool) -> list[Event]:
        place, events = self._rollbacks.taken_back(step, entry, now, revived=revived)
        return [*events, *self._ended(step)] if place is TakenBack.WITHDRAWN else events

    def _group_ended(self, step: Step, entry: Entry, now: int) -> list[Event]:
        why, events = self._endings.ended(step, entry, now)
        if why is None:
            return events
        step.standing = Standing.ENDED
        self._rollbacks.forget(step.group.group_id)
        return [*events, *self._close(step.group.group_id, "moot", why)]

    def _foreign(self, step: Step, entry: Entry, at: int, now: int) -> list[Event]:
        inspected = mls_rs.inspect(entry.body)
        _check_admissible(inspected)
        events = self._lookout.labelled(step.group.group_id, inspected, entry, now)
        if inspected.content == "application":
            application = step.group.process(entry.body, at)
            assert isinstance(application, mls_rs.Application), "an envelope tells what kind of content is in it"
            self._rollbacks.heard(step.group.group_id, application.sender.identity)
            return [*events, *self._application(step, application, entry, now)]
        return [*events, *self._handshake(step, inspected, entry, at, now)]

    def _handshake(self, step: Step, inspected: mls_rs.Inspected, entry: Entry, at: int, now: int) -> list[Event]:
        admins = roles.admins(step.group)
        before = self._rollbacks.before(step, entry) if inspected.content == "commit" else None
        leaving = any(intent.is_proposed for intent in self._intents.of(step.group.group_id))
        match roles.process(step.group, entry.body, at, leaving=leaving):
            case mls_rs.Proposal() as proposal:
                if proposal.type in _REFUSED_PROPOSALS:
                    raise GroupRefusedError(f"proposals of the kind {proposal.type} are refused", code="proposal")
                if proposal.sender is None:
                    return self._evictions.proposed(step.group, proposal, entry.seq, at, now)
                self._intents.add_once(step.group.group_id, CommitProposals())
                self._rollbacks.heard(step.group.group_id, proposal.sender.identity)
                self._lookout.heard(step.group.group_id, proposal.sender, now)
                if inspected.removed == (proposal.sender.index,):
                    self._note_leaver(step, proposal.sender)
                return [ProposalReceived(step.group.group_id, proposal.type, number_of(proposal.sender))]
            case mls_rs.Commit() as commit:
                self._require_current(commit, at)
                self._evictions.check_commit(commit, admins)
                self._rollbacks.applied(step.group.group_id, before, commit, entry, now)
                self._rollbacks.goes_on(step.group.group_id)
                return self._committed(step, commit, admins, entry, now)

    def _require_current(self, commit: mls_rs.Commit, at: int) -> None:
        """An expired member may put a valid certificate into its leaf, and change nothing without one."""
        try:
            self._groups.verifier.check_committer(commit, at - CLOCK_TOLERANCE)
        except IdentityError as error:
            raise GroupRefusedError(
                f"its sender has no valid certificate: {error}", code="committer-expired"
            ) from error

    def _application(self, step: Step, application: mls_rs.Application, entry: Entry, now: int) -> list[Event]:
        group_id = step.group.group_id
        try:
            carried = unwrap(application.data)
            content = decode(carried.framed)
            reading = read(content)
        except ContentError as error:
            return self._gap(group_id, entry, error.code, str(error), "", now)
        context = self._groups.context(step.group, application.sender, application.epoch, now)
        verification = verify_message(
            ReceivedMessage(carried.passport, carried.framed, content.sender_uri, content.room_uri),
            context,
            self._groups.verifier.chains,
            lambda replay_key: self._history.seen_passport(group_id, replay_key),
            self._groups.revocations.current(),
        )
        if verification.evidence is not None:
            self._history.remember_passport(group_id, verification.evidence.replay_key, now)
        told = self._lookout.told(group_id, application.sender, content, verification, entry, now)
        if verification.verdict in _PROVED and self._history.holds(
            group_id, content.message_id, number_of(application.sender)
        ):
            return told  # sent again, because the service had lost it or said so
        frank = self._franking.check(application, carried.framed, group_id, entry)
        new = NewMessage(
            message_id=content.message_id.hex(),
            group_id=group_id,
            sender=number_of(application.sender),
            text="",
            framed=carried.framed,
            arrived=now,
            seq=entry.seq,
            at_ms=entry.at_ms,
            passport=carried.passport,
            context=context,
            verification=verification,
            frank=frank,
            franked=entry.frank if frank is Frank.GOOD else None,
        )
        row = row_of(content, reading, new, self._groups.account.number)
        return [*self._stored(row, reading, verification), *told]

    def _stored(self, new: NewMessage, reading: Reading, verification: Verification) -> list[Event]:
        chat = self._chats.known(new.group_id)
        elsewhere = self._is_from_elsewhere(new, verification)
        kind = kind_of(reading, own=elsewhere)
        if kind not in FINDABLE and not self._may_change(new, kind, verification):
            kind, new = Kind.RECEIVED, replace(new, text=describe(reading), in_reply_to="", replaces="")
        assert new.context is not None, "a received message has a context"
        chain = new.context.sender_chain
        admitted = self._admitting.message(
            new.group_id, chat.consent, new.sender, chain, verification, new.frank, new.arrived, aside=kind.is_aside
        )
        if admitted.place is Place.DROP:
            return []
        if kind is Kind.SENT and admitted.place is not Place.INBOX:
            kind = Kind.RECEIVED  # a rule of the person's, which is to be seen
        message = self._history.add(kind, new, chat.name, admitted)
        self._continuity.note_message(message.id, chain)
        if elsewhere:
            self._relations.start_timer(message.id, new.arrived)
        if admitted.place is Place.ASIDE:
            self._relations.apply(message.id)
        named = None if admitted.place is Place.QUARANTINE else self.take_effect(message, reading)
        return [MessageReceived(message) if named is None else named]

    def _is_from_elsewhere(self, new: NewMessage, verification: Verification) -> bool:
        """Whether another device of this account has sent it, one that is known here."""
        if new.sender != self._groups.account.number or new.context is None or verification.verdict not in _PROVED:
            return False
        return self._continuity.goes_with_name(new.context.sender_chain)

    def take_effect(self, message: Message, reading: Reading) -> ChatNamed | None:
        """Let a message that names its chat, or sets its timer, do so."""
        chat = self._chats.known(message.group_id)
        match reading:
            case Titled(title=title) if message.kind is Kind.TITLED and message.sender is not None:
                name = chat.name if chat.own_name else self._chats.rename(message.group_id, title.text)
                return ChatNamed(message.group_id, name, message.sender)
            case Timed(seconds=seconds) if message.kind is Kind.TIMED:
                self._chats.set_timer(message.group_id, seconds)
        return None

    def _may_change(self, new: NewMessage, kind: Kind, verification: Verification) -> bool:
        """Whether a message may change another row or the chat; if not, it is a text, with its own verdict beside it.

        Without proof it may not: what it changed would go on showing the proof of what stood there before.
        """
        if verification.verdict not in _PROVED:
            return False
        admins = self._groups.admins(new.group_id)
        return kind.is_aside or admins is None or new.sender in admins

    def _committed(
        self, step: Step, commit: mls_rs.Commit, admins: Admins, entry: Entry, now: int, *, own: bool = False
    ) -> list[Event]:
        group_id = step.group.group_id
        self._lookout.changed(group_id, commit, now)
        promoted, demoted = roles.shifts(admins, commit, step.group)
        chat = self._chats.known(group_id)
        for member in (*commit.added, *(after for _, after in commit.updated)):
            self._groups.note_credential(group_id, member, chat.read_at)
        changed = MembersChanged(
            group_id=group_id,
            name=chat.name,
            epoch=commit.epoch,
            committer=None if commit.committer is None else number_of(commit.committer),
            added=tuple(map(number_of, commit.added)),
            removed=tuple(map(number_of, commit.removed)),
            renewed=tuple(number_of(after) for _, after in commit.updated),
            left=self._left(step, commit),
            removed_self=commit.removed_self,
            promoted=promoted,
            demoted=demoted,
            staying=_staying(step.group, commit),
        )
        keys = self._continuity.committed(commit, accepted=chat.consent is Consent.INBOX, now=now)
        self._siblings.committed(commit, now)
        said = (notice(changed, self._groups.account.number), *self._evictions.words(commit), *keys)
        for words in filter(None, said):
            self._history.note(Kind.NOTICE, group_id, entry.seq, words, now, entry.at_ms)
        if commit.removed_self or (step.standing is Standing.LEAVING and len(step.group.members()) == 1):
            return [changed, *self._ended(step)]
        ignorant = [member for member in commit.added if not self._siblings.is_being_linked(member.identity, now)]
        if own and ignorant and chat.own_name and step.standing is Standing.ACTIVE:
            self._sender.queue_title(group_id, now)
        for intent in self._intents.of(group_id):
            if intent.is_proposed or (intent.request is not None and intent.request.epoch < commit.epoch):
                self._intents.lost(intent)
        return [changed]

    def _note_leaver(self, step: Step, member: mls_rs.Member) -> None:
        group = step.group
        self._leavers = {each for each in self._leavers if each[0] != group.group_id or each[1] == group.epoch}
        self._leavers.add((group.group_id, group.epoch, member.identity))

    def _left(self, step: Step, commit: mls_rs.Commit) -> tuple[TelephoneNumber, ...]:
        """Who of those removed had proposed it themselves; a restart between proposal and commit forgets that."""
        group_id, epoch = step.group.group_id, commit.epoch - 1
        return tuple(
            number_of(member) for member in commit.removed if (group_id, epoch, member.identity) in self._leavers
        )

    def _ended(self, step: Step) -> list[Event]:
        group_id = step.group.group_id
        left = step.standing is Standing.LEAVING
        step.standing = Standing.LEFT if left else Standing.REMOVED
        why = "this device has left the chat" if left else "this device was removed from the chat"
        return self._close(group_id, "done" if left else "moot", why)

    def _close(self, group_id: bytes, outcome: Outcome, why: str) -> list[Event]:
        self._lookout.left(group_id)
        events: list[Event] = [
            IntentSettled(group_id, intent.id, outcome, why) for intent in self._intents.forget_group(group_id)
        ]
        return events + self._sender.refuse_all(group_id, why)


def _staying(group: mls_rs.Group, commit: mls_rs.Commit) -> frozenset[TelephoneNumber]:
    """The numbers with a device that was there before a commit and one that is there after it."""
    if not commit.added and not commit.removed:
        return frozenset()
    gone = {member.identity for member in commit.removed} if commit.removed_self else set()  # the group is as it was
    after = {number_of(member) for member in group.members() if member.identity not in gone}
    came = {member.identity for member in commit.added}
    before = {number_of(member) for member in group.members() if member.identity not in came}
    return frozenset(after & (before | set(map(number_of, commit.removed))))


def _check_admissible(inspected: mls_rs.Inspected) -> None:
    """Refuse what no member sent: an external commit needs no member's consent, and a resync shows no continuity.

    Refuse also what this profile does not use, before the group is touched.
    """
    if inspected.kind == "private_message" and inspected.content != "application":
        # What an encrypted commit proposes can be judged by nobody before it is applied (docs/binding.md §3).
        raise GroupRefusedError("handshakes are not encrypted in this profile", code="encrypted-handshake")
    if inspected.sender not in (None, "member") and (inspected.sender, inspected.content) != ("external", "proposal"):
        resync = inspected.sender == "new_member_commit" and bool(inspected.removed)
        what = "a device rejoining by itself" if resync else "somebody who is not a member"
        raise GroupRefusedError(f"it comes from {what}; members are added by members", code="not-from-a-member")
    refused = _REFUSED_PROPOSALS.intersection(inspected.proposals)
    if refused:
        raise GroupRefusedError(f"proposals of the kind {min(refused)} are refused", code="proposal")
