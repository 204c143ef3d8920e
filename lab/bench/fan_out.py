"""From an entry to its arrival at the followers of its group: the event, and the entry read because of it."""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from delivery_service.wire import GroupHeads
from lab.bench.followers import Follower, Member, Scene, following, group_name
from lab.bench.percentiles import percentiles
from lab.bench.rows import Row
from lab.histories.line import Line

FOLLOWERS, QUICK_FOLLOWERS = (1, 100, 1_000), (1, 5)
ENTRIES = {1: 300, 100: 100, 1_000: 20}  # entries whose arrival is timed
PAUSE = 0.05  # seconds between the arrival of one and the next


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` with few followers."""
    sizes = QUICK_FOLLOWERS if quick else FOLLOWERS
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        return uvloop.run(_measure(Path(folder), sizes))


class _Delivery:
    """One entry on its way to so many followers."""

    def __init__(self, name: str, seq: int, count: int) -> None:
        self.name, self.seq = name, seq
        self.told: list[float] = []
        self.read: list[float] = []
        self.all_read: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count = count

    def arrived(self, at: float) -> None:
        """A follower has read it."""
        self.read.append(at)
        if len(self.read) == self._count:
            self.all_read.set_result(None)


async def _measure(folder: Path, sizes: Sequence[int]) -> list[Row]:
    groups = [os.urandom(16) for _ in sizes]

    def lay(members: Sequence[Member]) -> dict[bytes, Sequence[Member]]:
        return {group_id: members[:size] for group_id, size in zip(groups, sizes, strict=True)}

    rows: list[Row] = []
    async with following(folder, max(sizes), lay) as scene:
        lines = {id(member): await scene.line() for member in scene.members}
        for group_id, size in zip(groups, sizes, strict=True):
            rows += await _spread(scene, lines, group_id, size)
    return rows


async def _spread(scene: Scene, lines: dict[int, Line], group_id: bytes, size: int) -> list[Row]:
    name, sender = group_name(group_id), await scene.line()
    current: list[_Delivery] = []
    reading: set[asyncio.Task[None]] = set()

    async def read(follower: Follower, delivery: _Delivery) -> None:
        answer = await lines[id(follower.member)].ask(follower.member.reading(group_id, delivery.seq - 1))
        assert answer.status == 200, answer.body
        delivery.arrived(time.perf_counter())

    def heard(follower: Follower, heads: GroupHeads, at: float) -> None:
        if current and heads.groups.get(name) == current[-1].seq:
            current[-1].told.append(at)
            task = asyncio.create_task(read(follower, current[-1]))
            reading.add(task)
            task.add_done_callback(reading.discard)

    followers = await scene.follow(scene.members[:size], heard)
    told, arrived = list[float](), list[float]()
    for seq in range(1, ENTRIES.get(size, 5) + 1):
        current.append(_Delivery(name, seq, size))
        began = time.perf_counter()
        answer = await sender.ask(scene.members[0].message(group_id))
        assert answer.status == 201, answer.body
        await current[-1].all_read
        told += [1000 * (at - began) for at in current[-1].told]
        arrived += [1000 * (at - began) for at in current[-1].read]
        await asyncio.sleep(PAUSE)
    for follower in followers:
        follower.transport.close()
    return _rows(size, told, arrived)


def _rows(size: int, told: list[float], arrived: list[float]) -> list[Row]:
    middle, slow, slowest = percentiles(arrived)
    first, later, last = percentiles(told)
    note = (
        f"p95 {slow:.1f}, p99 {slowest:.1f} ms; the event alone: p50 {first:.1f}, p95 {later:.1f}, p99 {last:.1f} ms. "
        "Every follower reads at once, by a connection beside its stream; all are in one process on the same cores"
    )
    return [Row("from sending to the entry read, p50", middle, "ms", size, note=note)]
