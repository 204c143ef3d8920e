"""The load: processes that send, repeat, read, commit, publish and claim until they are told to stop."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from lab.bench.delivery_load import private_message
from lab.histories.asking import PAUSE, Asker, logged
from lab.histories.devices import Certifier, Device
from lab.histories.history import Acked, Final, Recorder, Refused, Stale
from lab.histories.line import Address, Line
from lab.histories.room import Member, Room, found_room

OCTETS = 256  # of a message, about
READ = 0.05  # of a sender's turns that are a read
REPEAT = 0.02  # of accepted entries that are sent once more
GIVE_UP = 0.1  # of entries without an answer that are never repeated
LOOK_BACK = 20  # entries
COMMIT_PAUSE = 0.2  # seconds between two commits of one member, on average
CLAIM_PAUSE = 1.0  # seconds between two claims of one device, on average: a number has 600 an hour for itself
PACKAGES = 8  # in one upload
POLL = 0.005  # seconds
PATIENCE = 600  # seconds until everybody has been answered, by a service without faults


@dataclass(frozen=True, slots=True)
class Size:
    """How large the load is: people, each with some devices in one group, and sending processes for each group.

    Those who commit read all that is sent: a few are enough for a race, and many are what a large load is held up by.
    """

    people: int = 4
    devices: int = 3
    senders: int = 4
    committers: int = 3  # devices of each group
    calm: int = 1  # times as long as usual between commits, uploads and claims, whose cost is MLS and signatures
    quiet: bool = False  # nobody commits, publishes or claims


@dataclass
class Load:
    """Everybody who asks; `addresses` are where the service listens, and may be proxies."""

    addresses: Sequence[Address]
    recorder: Recorder
    size: Size
    random: Random
    certifier: Certifier = field(default_factory=Certifier)
    rooms: list[Room] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    _names: "count[int]" = field(default_factory=count)
    _lines: list[Line] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _running: list["asyncio.Task[None]"] = field(default_factory=list)

    def ask_as(self, name: str, device: Device) -> Asker:
        """One more process."""
        number = next(self._names)
        self._lines.append(Line(self.addresses, number))
        return Asker(f"{name}-{number}", device, self._lines[-1], self.recorder)

    async def hang_up(self) -> None:
        """Close all connections."""
        for line in self._lines:
            line.hang_up()
        await asyncio.sleep(0)  # a transport is closed by the loop

    async def start(self) -> None:
        """Found the groups, without faults, and begin. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            await self._start()

    async def _start(self) -> None:
        for person in range(self.size.people):
            devices = [self.certifier.device(person) for _ in range(self.size.devices)]
            room, members = await found_room(devices, self.ask_as)
            self.rooms.append(room)
            self.members += members
            for number in range(self.size.senders):
                self._begin(self._send, self.ask_as("sender", devices[number % len(devices)]), room)
            if not self.size.quiet:
                for member in members[: self.size.committers]:
                    self._begin(self._commit, member)
                for device in devices:
                    self._begin(self._publish, self.ask_as("publisher", device))
                    self._begin(self._claim, self.ask_as("claimant", device))

    def _begin(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        async def run() -> None:
            await work(*arguments)

        self._running.append(asyncio.create_task(run()))

    async def stop(self) -> None:
        """Let everybody get the answer to their last call. Raises what ended a process early, and TimeoutError."""
        self._stopping.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._running)

    def check_running(self) -> None:
        """Raises what ended a process early."""
        for task in self._running:
            if task.done():
                task.result()

    async def acknowledge(self, appends: int) -> None:
        """Wait until so many more appends are acknowledged. Raises what ended a process early, and TimeoutError."""
        end = self.recorder.acked + appends
        while (before := self.recorder.acked) < end:
            async with asyncio.timeout(PATIENCE):
                while self.recorder.acked == before:
                    self.check_running()
                    await asyncio.sleep(POLL)

    async def read_logs(self) -> None:
        """Write the final log of every group down, as its founder reads it."""
        async with asyncio.timeout(PATIENCE):
            for member in self.members:
                await member.follow()
        for room in self.rooms:
            founder = next(member.asker for member in self.members if member.room is room)
            await read_log(founder, room, self.recorder)

    # ---- processes ----

    async def _send(self, asker: Asker, room: Room) -> None:
        while not self._stopping.is_set():
            if self.random.random() < READ:
                batch = await asker.read(room.group_id, max(1, room.head - self.random.randrange(LOOK_BACK)))
                if batch is not None:
                    room.heard(0, batch.head)
            else:
                await self._send_one(asker, room)

    async def _send_one(self, asker: Asker, room: Room) -> None:
        key, epoch = secrets.token_hex(16), room.epoch
        message = private_message(room.group_id, epoch, OCTETS)
        while True:
            answer = await asker.append(room.group_id, epoch, "application", message, key)
            match answer:
                case Acked(seq=seq):
                    room.heard(epoch, seq)
                    if self._stopping.is_set() or self.random.random() >= REPEAT:
                        return
                case Stale(epoch=current, head=head):
                    room.heard(current, head)
                    return
                case Refused():
                    await asyncio.sleep(PAUSE)
                case None:
                    if self.random.random() < GIVE_UP:
                        return
                    await asyncio.sleep(self.random.random() * PAUSE)

    async def _commit(self, member: Member) -> None:
        while not await self._paused(COMMIT_PAUSE):
            await member.follow()
            await member.commit()

    async def _publish(self, asker: Asker) -> None:
        packages = list[bytes]()
        while not await self._paused(PACKAGES * CLAIM_PAUSE / 2):
            packages = packages or asker.device.key_packages(PACKAGES)
            if await asker.publish(packages) is not None:
                packages = []

    async def _claim(self, asker: Asker) -> None:
        while not await self._paused(CLAIM_PAUSE):
            await asker.claim(asker.device.number)

    async def _paused(self, mean: float) -> bool:
        """Whether everybody is to stop, after a while of about `mean` seconds at most twice as long."""
        try:
            async with asyncio.timeout(2 * mean * self.size.calm * self.random.random()):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True


async def read_log(asker: Asker, room: Room, recorder: Recorder) -> None:
    """Write down the whole log of a group, as a member from its beginning reads it."""
    after, more = 0, True
    while more:
        batch = await asker.read(room.group_id, after)
        if batch is None:
            await asyncio.sleep(PAUSE)
            continue
        recorder.record(Final(room.group_id.hex(), logged(batch)))
        after, more = batch.entries[-1].seq if batch.entries else after, batch.more
