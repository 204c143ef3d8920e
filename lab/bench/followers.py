"""Devices that follow their groups at a real service: real certificates, sessions and event streams.

Groups and memberships are put into the service's store before it starts, without the commits that would make each: the
service treats them as any others, and reads and wakes their members in the same way.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

import msgspec

from delivery_service.credentials import Credentials
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import NewGroup
from delivery_service.wire import MLS_TYPE, GroupHeads
from delivery_service.wire.streams import StreamEnd
from identity.base64url import encode_base64url
from identity.certificates import TrustAnchors, leaf_public_point
from lab.bench.delivery import SERVE, Server, served
from lab.bench.delivery_load import private_message
from lab.histories.devices import HOST, Certifier, Device
from lab.histories.line import Line

AT_ONCE = 64  # sessions and streams that are opened at once
OCTETS = 1024  # of a message
_EVENT = re.compile(rb"data: (\{.*?\})\n\n")
_JOIN = """
INSERT INTO memberships (group_number, device, since, until)
SELECT number, :device, 0, NULL FROM groups WHERE group_id = :group_id
ON CONFLICT (group_number, device, since) DO NOTHING
"""


S = TypeVar("S")
T = TypeVar("T")


@dataclass
class Member:
    """A device, its name at the service, and the groups that it is in."""

    device: Device
    name: bytes
    groups: list[bytes] = field(default_factory=list)

    def message(self, group_id: bytes) -> bytes:
        """The octets of a request that appends to a group in its first epoch."""
        path = f"/v1/groups/{group_name(group_id)}/entries"
        body = private_message(group_id, 0, OCTETS)
        return self.device.request("POST", path, body, MLS_TYPE, key=os.urandom(16).hex())

    def reading(self, group_id: bytes, after: int) -> bytes:
        """The octets of a request that reads a group."""
        return self.device.request("GET", f"/v1/groups/{group_name(group_id)}/entries?after={after}")


Lay: TypeAlias = Callable[[Sequence[Member]], Mapping[bytes, Sequence[Member]]]  # each group's members


class Follower(asyncio.Protocol):
    """One event stream; `heard` is told of all heads and of each change, with the time of its arrival."""

    def __init__(self, member: Member, heard: Callable[["Follower", GroupHeads, float], None]) -> None:
        self.member = member
        self._heard = heard
        self._pending = b""
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are none of asyncio's classes
        self.transport.write(self.member.device.request("GET", "/v1/events"))

    def connection_lost(self, error: Exception | None) -> None:
        """The end without a word."""
        if not self.ended.done():
            self.ended.set_result("")

    def data_received(self, data: bytes) -> None:
        """Takes the events that are whole."""
        now = time.perf_counter()
        self._pending += data
        for found in _EVENT.finditer(self._pending):
            if found[1].startswith(b'{"reason"'):
                self.ended.set_result(msgspec.json.decode(found[1], type=StreamEnd).reason)
                continue
            if not self.began.done():
                self.began.set_result(None)
            self._heard(self, msgspec.json.decode(found[1], type=GroupHeads), now)
        self._pending = self._pending[self._pending.rfind(b"\n\n") + 2 :] if b"\n\n" in data else self._pending


@dataclass(frozen=True, slots=True)
class Scene:
    """A service with members whose sessions are open."""

    server: Server
    members: list[Member]

    async def line(self) -> Line:
        """A connection."""
        line = Line([("127.0.0.1", self.server.port)])
        await line.connect()
        return line

    async def follow(
        self, members: Iterable[Member], heard: Callable[[Follower, GroupHeads, float], None]
    ) -> list[Follower]:
        """A stream for each, after its first event."""

        async def one(member: Member) -> Follower:
            made = Follower(member, heard)
            await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", self.server.port)
            await made.began
            return made

        return await few_at_once(one, members)


async def few_at_once(work: Callable[[S], Awaitable[T]], on: Iterable[S]) -> list[T]:
    """The results of a work on each, some at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(item: S) -> T:
        async with turns:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in on))


@asynccontextmanager
async def following(folder: Path, devices: int, lay: Lay, *options: str) -> AsyncIterator[Scene]:
    """A service at which so many devices have sessions; `lay` says which groups each is in."""
    certifier = Certifier()
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    trusted, now = Credentials(TrustAnchors.from_pem(certifier.anchors)), int(time.time())
    members = []
    for person in range(devices):
        device = certifier.device(person)
        members.append(Member(device, trusted.device(device.chain, leaf_public_point(device.chain[0]), now).identity))
    await _fill(folder / "service", lay(members))
    where = ("--port", "0", "--data-dir", folder / "service", "--anchors", folder / "anchors.pem", "--name", HOST)
    async with served("-c", SERVE, "serve", *where, *options) as server:
        scene = Scene(server, members)
        await _open_sessions(scene)
        yield scene


async def _open_sessions(scene: Scene) -> None:
    lines: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(AT_ONCE):
        lines.put_nowait(await scene.line())

    async def one(member: Member) -> None:
        line = await lines.get()
        await member.device.renew(line, "")
        lines.put_nowait(line)

    await few_at_once(one, scene.members)
    while not lines.empty():
        lines.get_nowait().hang_up()


async def _fill(folder: Path, groups: Mapping[bytes, Sequence[Member]]) -> None:
    engine = SqliteEngine(folder)
    engine.start(lambda change: None)
    store = Store(engine)

    async def one(group_id: bytes) -> None:
        first, *others = groups[group_id]
        await store.create_group(NewGroup(group_id, first.name, group_id, bytes(32), bytes(2000)))
        if others:
            await engine.write(_join, group_id, [member.name for member in others])

    turns = list(groups)
    for start in range(0, len(turns), 1000):
        await asyncio.gather(*(one(group_id) for group_id in turns[start : start + 1000]))
    await engine.stop()
    for group_id, members in groups.items():
        for member in members:
            member.groups.append(group_id)


def _join(tx: Transaction, group_id: bytes, devices: Sequence[bytes]) -> None:
    for device in devices:
        tx.run(_JOIN, group_id=group_id, device=device)


def group_name(group_id: bytes) -> str:
    """As in paths."""
    return encode_base64url(group_id).decode()
