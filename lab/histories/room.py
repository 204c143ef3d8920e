"""A real MLS group of real devices at the service, and what its processes know of it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from mls_rs import Commit, Group, Pending

from delivery_service.wire import CommitBundle, Entry
from lab.histories.asking import PAUSE, Asker
from lab.histories.devices import Device
from lab.histories.history import Acked, Refused, Stale

AskAs = Callable[[str, Device], Asker]


@dataclass
class Room:
    """A group's id, and the epoch and head that its processes have last heard of; only a hint to them."""

    group_id: bytes
    epoch: int = 0
    head: int = 0

    def heard(self, epoch: int, head: int) -> None:
        """Take note of an answer, whichever comes later."""
        self.epoch, self.head = max(self.epoch, epoch), max(self.head, head)


class Member:
    """One device's place in a room: commits, and follows the commits of others."""

    def __init__(self, asker: Asker, room: Room, group: Group, after: int) -> None:
        self.asker = asker
        self.room = room
        self.group = group
        self._after = after
        self.won = 0

    async def follow(self) -> None:
        """Read to the end of the log, and apply its commits."""
        more = True
        while more:
            batch = await self.asker.read(self.room.group_id, self._after)
            if batch is None:
                await asyncio.sleep(PAUSE)
                continue
            for entry in batch.entries:
                self._apply(entry)
            self._after = batch.entries[-1].seq if batch.entries else self._after
            more = batch.more
        self.room.heard(self.group.epoch, self._after)

    def _apply(self, entry: Entry) -> None:
        if entry.kind == "commit" and entry.epoch == self.group.epoch:
            applied = self.group.process(entry.body, int(time.time()))
            assert isinstance(applied, Commit)

    async def commit(self, add: Sequence[bytes] = ()) -> Acked | Stale:
        """Try to end the epoch, and repeat the attempt until it is answered; the loser stays as it was."""
        pending = self.group.commit(int(time.time()), add=add, path=True)
        answer = await self._insist(pending, secrets.token_hex(16))
        if isinstance(answer, Acked):
            self.group.apply(pending.secrets)
            self.won += 1
            self.room.heard(self.group.epoch, answer.seq)
        return answer

    async def _insist(self, pending: Pending, key: str) -> Acked | Stale:
        bundle = msgspec.msgpack.encode(CommitBundle(pending.commit, list(pending.welcomes), pending.group_info))
        room, epoch = self.room.group_id, self.group.epoch
        while True:
            answer = await self.asker.append(room, epoch, "commit", pending.commit, key, carried=bundle)
            if isinstance(answer, Acked | Stale):
                return answer
            if isinstance(answer, Refused) and answer.word not in ("session-expired", "rate-limited"):
                raise ValueError(f"a commit was refused: {answer.word}")
            await asyncio.sleep(PAUSE)


async def found_room(devices: Sequence[Device], ask_as: AskAs) -> tuple[Room, list[Member]]:
    """A group founded by the first device; the others are added by claims of their numbers and join by Welcome."""
    first, *others = devices
    founder = ask_as("founder", first)
    group = first.engine.create(secrets.token_bytes(16), int(time.time()))
    room = Room(group.group_id)
    await founder.found(group.group_info(), secrets.token_hex(16))
    members = [Member(founder, room, group, 0)]
    if not others:
        return room, members
    for device in others:
        await ask_as("publisher", device).publish(device.key_packages(1))
    packages = list[bytes]()
    for number in dict.fromkeys(device.number for device in others):
        packages += await founder.claim(number) or []
    assert len(packages) == len(others), "every device is to be added"
    added = await members[0].commit(packages)
    assert isinstance(added, Acked)
    for device in others:
        asker = ask_as("member", device)
        while not (welcomes := (await asker.inbox()).items):
            await asyncio.sleep(PAUSE)
        welcome = welcomes[-1]
        joined = device.engine.join(welcome.welcome, device.secrets, int(time.time()))
        members.append(Member(asker, room, joined, welcome.seq))
    return room, members
