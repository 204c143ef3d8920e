"""Eviction: the service proposes that members be removed who are none any more, in groups that name it for this.

Of what it proposes nothing happens by itself: a member's program finds out whether the reason holds, and commits it.
"""

import hashlib
from dataclasses import dataclass
from functools import partial

from mls_rs import Member, Observer

from delivery_service.errors import RefusedError
from delivery_service.external_sender import ExternalSender
from delivery_service.observers import Observers
from delivery_service.policy import Policy
from delivery_service.revocations import KnownLists
from delivery_service.storage import duties
from delivery_service.storage.engine import Engine
from delivery_service.storage.values import Change, NewEntry
from delivery_service.wire import Appended
from delivery_service.wire.duties import EVICTION_MARGIN
from identity.device import MEMBER_GRACE
from identity.groups.eviction import EpochSender, Finding, Reason, chain_end

GROUPS_AT_ONCE = 100  # groups that are asked for at a time
PROPOSED_AT_ONCE = 16  # members of one group in one look
REST = 86_400  # seconds from a proposal, or a look at a group that knows idle members, to the next look at the group
NEVER = 2**62  # a group that does not name the service


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a group has found: leaves to propose, and when to look again."""

    leaves: tuple[tuple[int, Reason], ...]
    due_at: int


class Evictions:
    """Looks at groups when a member's time may be over, and proposes."""

    def __init__(
        self, engine: Engine, observers: Observers, sender: ExternalSender, lists: KnownLists, policy: Policy
    ) -> None:
        self._engine = engine
        self._observers = observers
        self._sender = sender
        self._lists = lists
        self._policy = policy
        self.proposed = 0

    async def run(self, now: int) -> None:
        """Looks at every group that is due. Raises StoreError."""
        while due := await self._engine.read(duties.due_groups, now, GROUPS_AT_ONCE):
            for group_id in due:
                await self._look(group_id, now)

    async def seen(self, device: bytes, now: int) -> None:
        """Notes that a device is here, to the day, where idle members are proposed at all."""
        if self._policy.idle:
            await self._engine.write(duties.seen, device, now - now % REST)

    async def _look(self, group_id: bytes, now: int) -> None:
        async with self._observers.lock(group_id):
            version, observer = await self._observers.take(group_id)
            idle = await self._idle(group_id, now)
            try:
                look = await self._observers.judged(self._examine, observer, idle, now)
            except RefusedError:  # the context is of another version of this profile
                look = Look((), NEVER)
            self._observers.keep(group_id, version, observer)
            for leaf, reason in look.leaves[:PROPOSED_AT_ONCE]:
                await self.propose(group_id, leaf, reason, now)
            await self._engine.write(duties.looked_at, group_id, look.due_at)

    async def _idle(self, group_id: bytes, now: int) -> frozenset[bytes]:
        if not self._policy.idle:
            return frozenset()
        return await self._engine.read(duties.idle, group_id, now - self._policy.idle - REST)  # noted to the day

    def _examine(self, observer: Observer, idle: frozenset[bytes], now: int) -> Look:
        if not self._sender.is_named_by(observer):
            return Look((), NEVER)
        epoch, members = EpochSender.of(observer), observer.members()
        waiting = _waiting(observer)
        found = [(each.index, self._reason(epoch, each, idle, now)) for each in members if each.index not in waiting]
        leaves = tuple((index, reason) for index, reason in found if reason is not None)
        if leaves or waiting or epoch.idle is not None:
            return Look(leaves, now + REST)
        # Who comes in later has a certificate that is valid then, and so ends later than now.
        ends = min(now, *(chain_end(each.credential.chain) for each in members))
        return Look((), max(ends + MEMBER_GRACE + EVICTION_MARGIN, now + REST))

    def _reason(self, epoch: EpochSender, member: Member, idle: frozenset[bytes], now: int) -> Reason | None:
        lists = self._lists.current()
        if epoch.judge(Reason.REVOKED, member, lists, now) is Finding.HOLDS:
            return Reason.REVOKED
        # Nobody's clock must be behind what is proposed.
        if epoch.judge(Reason.LAPSED, member, lists, now - EVICTION_MARGIN) is Finding.HOLDS:
            return Reason.LAPSED
        limit = epoch.idle
        is_idle = limit is not None and limit <= self._policy.idle and member.identity in idle
        return Reason.IDLE if is_idle else None

    async def propose(self, group_id: bytes, leaf: int, reason: Reason, now: int) -> None:
        """Appends one proposal; what is proposed already, and what the group's rules forbid, is left."""
        version, observer = await self._observers.take(group_id)
        try:
            if leaf in await self._observers.judged(_waiting, observer):
                return
            message = await self._observers.judged(self._sender.propose_removal, observer, leaf, reason)
            epoch = observer.epoch
            _, snapshot = await self._observers.process(observer, message, now)
            key = hashlib.sha256(b"eviction" + group_id + version.to_bytes(8) + leaf.to_bytes(4)).digest()[:16]
            digest = hashlib.sha256(message).digest()
            entry = NewEntry(
                group_id, b"", "proposal", epoch, key, digest, now * 1000, message, observer=snapshot, judged=version
            )
            appended = await self._engine.write(
                duties.append_removal, entry, told=partial(_told, group_id), group=group_id
            )
        except RefusedError:
            return  # the observer is spoilt: the next step begins with what is stored
        if appended is not None:
            self.proposed += 1
            self._observers.keep(group_id, version + 1, observer)


def _waiting(observer: Observer) -> frozenset[int]:
    """The leaves whose removal is proposed in the observer's epoch."""
    return frozenset(each.removed.index for each in observer.proposals() if each.removed is not None)


def _told(group_id: bytes, answer: Appended | None) -> Change | None:
    return None if answer is None else Change(group_id, answer.seq)
