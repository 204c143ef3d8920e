"""What the service asks of its storage, method by method, on either engine.

Every method that changes something answers only after the change is durable, and changes all or nothing. A refused
request raises RefusedError, a failing engine StoreError. Sequence numbers of a group begin at 1 and have no gaps.
"""

import asyncio
from collections.abc import Sequence

from delivery_service.quotas import Quotas
from delivery_service.storage import (
    asking,
    consent,
    groups,
    key_packages,
    openings,
    operation,
    reading,
    retention,
)
from delivery_service.storage.engine import Engine
from delivery_service.storage.values import (
    Approach,
    Change,
    Claimed,
    Heads,
    KeptOpening,
    NewCommit,
    NewEntry,
    NewGroup,
    NewKeyPackage,
    Notified,
    ReadEntries,
    Stock,
    Waiting,
)
from delivery_service.wire import Appended, ContactRequested, Decision, Mode, Reachability, WelcomeItem


class Store:
    """The storage of one delivery service."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create_group(self, group: NewGroup) -> Appended:
        """Creates a group, or answers a repeat; refuses group-exists."""

        def told(answer: Appended) -> Change:
            return Change(group.group_id, answer.seq, frozenset((group.device,)))

        return await self._engine.write(groups.create_group, group, octets=len(group.observer), told=told)

    async def earlier_answer(self, entry: NewEntry) -> Appended | None:
        """The answer to an entry accepted before, None if it could be appended now; refuses as `append` does."""
        answer = await self._engine.read(groups.earlier_answer, entry)
        if answer is not None:  # what is read may not be durable yet, where a database has standbys; what is written is
            answer = await self._engine.write(groups.earlier_answer, entry, group=entry.group_id)
        return answer

    async def to_judge(self, entry: NewEntry, known: int | None = None) -> Appended | tuple[int, bytes | None]:
        """The answer to a handshake accepted before, or what `observer` gives to judge it by; refuses as `append`."""
        found = await self._engine.read(groups.to_judge, entry, known)
        if isinstance(found, Appended):  # see earlier_answer
            return await self._engine.write(groups.to_judge, entry, known, group=entry.group_id)
        return found

    async def append(self, entry: NewEntry) -> Appended:
        """Appends an application message or a proposal; refuses unknown-group, not-a-member, stale-epoch, malformed.

        Refuses a proposal not-allowed when its epoch has too many.
        """
        return await self._engine.append(entry)

    async def commit(self, commit: NewCommit) -> Appended:
        """Appends a commit, starts the next epoch, delivers its Welcomes; refuses as `append` and invalid-handshake."""
        joined = commit.added | {after for _, after in commit.renamed}
        left = commit.removed | {before for before, _ in commit.renamed}
        octets = len(commit.entry.body) + sum(len(welcome.body) for welcome in commit.welcomes)

        def told(answer: Appended) -> Change:
            return Change(commit.entry.group_id, answer.seq, joined, left)

        return await self._engine.write(groups.commit, commit, octets=octets, told=told, group=commit.entry.group_id)

    async def observer(self, group_id: bytes, known: int | None = None) -> tuple[int, bytes | None]:
        """The version of the group's observer, and its snapshot unless that is `known`; refuses unknown-group."""
        return await self._engine.read(groups.observer, group_id, known)

    async def read(self, group_id: bytes, device: bytes, after: int) -> ReadEntries:
        """Entries after the cursor within the device's membership; refuses unknown-group, not-a-member, gone."""
        found = await self._engine.read(reading.read, group_id, device, after)
        await self._be_sure(found.head, after)
        return found

    async def heads(self, device: bytes) -> Heads:
        """The heads of the device's groups and of its inbox."""
        return await self._engine.read(reading.heads, device)

    async def inbox(self, device: bytes, after: int) -> tuple[list[WelcomeItem], int]:
        """Welcomes after the cursor, and the inbox's last position."""
        found = await self._engine.read(reading.inbox, device, after)
        await self._be_sure(found[1], after)
        return found

    async def _be_sure(self, head: int, after: int) -> None:
        """A reader who has seen more may know a newer history: raises StoreError unless a write is confirmed now."""
        if head < after:
            await self._engine.write(operation.confirm)

    async def acknowledge(self, device: bytes, position: int) -> None:
        """Deletes the device's Welcomes up to a position."""
        await self._engine.write(reading.acknowledge, device, position)

    async def add_key_packages(
        self,
        device: bytes,
        number: str,
        one_time: Sequence[NewKeyPackage],
        last_resort: NewKeyPackage | None,
        now: int,
    ) -> Stock:
        """Adds one-time key packages and replaces the last-resort one; refuses too-large."""
        octets = sum(len(package.body) for package in one_time)
        return await self._engine.write(key_packages.add, device, number, one_time, last_resort, now, octets=octets)

    async def stock(self, device: bytes, now: int) -> Stock:
        """What the device can still hand out."""
        return await self._engine.read(key_packages.stock, device, now)

    async def references(self, device: bytes, now: int) -> list[bytes]:
        """The KeyPackageRefs of all that the device can still hand out."""
        return await self._engine.read(key_packages.references, device, now)

    async def claim(self, approach: Approach, quotas: Quotas, *, sparing: bool = False) -> list[bytes]:
        """Takes one key package of each other device of a number, if `sparing` the last-resort one.

        Refuses unknown-number, no-consent, rate-limited by the quotas on first contacts, no-key-package.
        """

        def told(claimed: Claimed) -> Notified | None:
            return Notified(frozenset((approach.target,))) if claimed.last_resort else None

        return (await self._engine.write(key_packages.claim, approach, quotas, sparing, told=told)).key_packages

    async def reachability(self, number: str) -> Reachability:
        """How a number may be reached, and whom it has granted or blocked."""
        return await self._engine.read(consent.reachability, number)

    async def set_mode(self, number: str, mode: Mode, granted: Sequence[str]) -> None:
        """Chooses how a number may be reached, and grants; `open` grants what waits and forgets every grant.

        Refuses too-large.
        """
        await self._engine.write(consent.set_mode, number, mode, granted, told=Notified)

    async def ask(self, approach: Approach, proof: bytes, quotas: Quotas) -> ContactRequested:
        """Keeps a contact request; refuses unknown-number, not-allowed, no-consent, already-asked, rate-limited."""

        def told(answer: ContactRequested) -> Notified:
            return Notified(frozenset((approach.target,)))

        return await self._engine.write(asking.ask, approach, proof, quotas, octets=len(proof), told=told)

    async def waiting(self, number: str, now: int) -> Waiting:
        """The requests that wait for a number, and the grants of its own."""
        return await self._engine.read(asking.waiting, number, now)

    async def decide(self, target: str, number: str, decision: Decision) -> None:
        """Grants, refuses, revokes or blocks a number; while the target is `open`, does nothing. Refuses too-large."""
        await self._engine.write(consent.decide, target, number, decision, told=Notified)

    async def spend_nonce(self, device: bytes, nonce: str, expires_at: int) -> None:
        """Remembers a signature's nonce until `expires_at`; refuses invalid-signature when it was used before."""
        await self._engine.write(retention.spend_nonce, device, nonce, expires_at)

    async def note_opening(self, device: bytes, nonce: bytes, at: int) -> None:
        """Adds a session to the device's last openings; the oldest beyond OPENINGS_KEPT is forgotten."""
        await self._engine.write(openings.note, device, nonce, at)

    async def openings(self, device: bytes) -> list[KeptOpening]:
        """The device's last openings, in order."""
        return await self._engine.read(openings.of, device)

    async def expire_before(self, cutoff: int, now: int, remembered: int | None = None) -> int:
        """Deletes what is older than `cutoff`, and what lapsed by `now`; returns how many entries.

        `remembered`, if it is another time: from when on contacts and openings are, and Welcomes at most.
        """
        remembered, total = cutoff if remembered is None else remembered, 0
        while groups_behind := await self._engine.read(retention.groups_behind, cutoff * 1000):
            expiring = [
                self._engine.write(retention.expire_entries, group_id, cutoff * 1000, group=group_id)
                for group_id in groups_behind
            ]
            count = sum(await asyncio.gather(*expiring))
            total += count
            if not count:
                break
        await self._engine.write(openings.expire, remembered)
        await self._engine.write(retention.expire_rest, cutoff, remembered, now)
        return total
