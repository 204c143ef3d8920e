"""Reading a group's log: what each entry does to the group, the history and the outbox, in one transaction."""

from collections.abc import Sequence

import mls_rs

from client.defence.lookout import Lookout
from client.defence.troubles import Trouble
from client.defence.watch import Watch
from client.errors import ContentError, GroupRefusedError
from client.events import (
    Event,
    Gap,
    IntentSettled,
    MessageDelivered,
)
from client.records.chats import Chat, Standing
from client.records.history import History
from client.records.intents import Intents, RefreshKeys
from client.records.message import Kind
from client.records.outbox import Outbox
from client.records.relations import Relations
from client.steps import roles
from client.steps.arriving import Arrivals, opened
from client.steps.ending import Endings
from client.steps.groups import Groups, Step
from client.steps.handshakes import Handshakes, check_admissible
from client.steps.rollback import Rollbacks, TakenBack
from client.steps.sending import Sender
from client.words.rollback_words import CANNOT_APPLY, NOT_READ, STANDS
from delivery_service.wire import Entry

LOST_HINT = "Ask a member to remove this device and to add it again."
READ_AT_STEP = 60  # seconds: how exactly it is kept when a log was last read to its end


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
        watch: Watch,
        lookout: Lookout,
        rollbacks: Rollbacks,
        endings: Endings,
        arrivals: Arrivals,
        handshakes: Handshakes,
    ) -> None:
        self._groups = groups
        self._chats = groups.chats
        self._history = history
        self._relations = relations
        self._outbox = outbox
        self._intents = intents
        self._sender = sender
        self._watch = watch
        self._lookout = lookout
        self._rollbacks = rollbacks
        self._endings = endings
        self._arrivals = arrivals
        self._handshakes = handshakes

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
                    is_change = not own and self._rollbacks.reject(group, entry)
                    words = CANNOT_APPLY if is_change else NOT_READ
                    events = self._gap(group_id, entry, words, error.code, str(error), cause, now)
                    if own:
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

    def _gap(
        self, group_id: bytes, entry: Entry, words: str, code: str, reason: str, cause: str, now: int
    ) -> list[Event]:
        words = words.format(why=f"{reason} ({cause})" if cause else reason)
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
                self._handshakes.note_leaver(step, device)
                return []  # the commit that carries the proposal to leave out will follow
            admins, before = roles.admins(step.group), self._rollbacks.before(step, entry)
            commit = step.group.apply(intent.request.secrets)  # judged when it was made
            self._intents.settle(intent.id)
            self._rollbacks.applied(group_id, before, commit, entry, now)
            done = IntentSettled(group_id, intent.id, "done", "")
            return [*self._handshakes.committed(step, commit, admins, entry, now, own=True), done]
        return self._foreign(step, entry, at, now)

    def _taken_back(self, step: Step, entry: Entry, now: int, *, revived: bool) -> list[Event]:
        place, events = self._rollbacks.taken_back(step, entry, now, revived=revived)
        return [*events, *self._handshakes.out(step)] if place is TakenBack.WITHDRAWN else events

    def _group_ended(self, step: Step, entry: Entry, now: int) -> list[Event]:
        why, events = self._endings.ended(step, entry, now)
        if why is None:
            return events
        step.standing = Standing.ENDED
        self._rollbacks.forget(step.group.group_id)
        return [*events, *self._handshakes.close(step.group.group_id, "moot", why)]

    def _foreign(self, step: Step, entry: Entry, at: int, now: int) -> list[Event]:
        inspected = mls_rs.inspect(entry.body)
        check_admissible(inspected)
        events = self._lookout.labelled(step.group.group_id, inspected, entry, now)
        if inspected.content == "application":
            application = step.group.process(entry.body, at)
            assert isinstance(application, mls_rs.Application), "an envelope tells what kind of content is in it"
            self._rollbacks.heard(step.group.group_id, application.sender.identity)
            try:
                said = opened(application.data)
            except ContentError as error:
                return [*events, *self._gap(step.group.group_id, entry, NOT_READ, error.code, str(error), "", now)]
            return [*events, *self._arrivals.arrived(step, application, said, entry, now)]
        return [*events, *self._handshakes.foreign(step, inspected, entry, at, now)]
