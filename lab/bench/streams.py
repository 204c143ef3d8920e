"""Ten thousand idle followers of one process: what each costs, how soon one is woken, and how all are let go."""

import asyncio
import os
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from delivery_service.wire import GroupHeads
from lab.bench.followers import Follower, Member, Scene, following, group_name
from lab.bench.percentiles import percentiles
from lab.bench.rows import Aim, Row

FOLLOWERS, QUICK_FOLLOWERS = 10_000, 50
GROUPS_EACH = 5
WAKES, QUICK_WAKES = 1_000, 20
PAUSE = 0.01  # seconds between two wake-ups
FILES = 500  # open files beside the streams
MEMORY_LIMIT = 40  # KiB a stream
WAKE_LIMIT = 500  # ms, p99
END_LIMIT = 5  # seconds from SIGTERM to the end of the process


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` with few followers."""
    followers = QUICK_FOLLOWERS if quick else FOLLOWERS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (followers + FILES, hard))
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        return uvloop.run(_measure(Path(folder), followers, QUICK_WAKES if quick else WAKES))


def _own_groups(members: Sequence[Member]) -> dict[bytes, Sequence[Member]]:
    return {os.urandom(16): [member] for member in members for _ in range(GROUPS_EACH)}


async def _measure(folder: Path, count: int, wakes: int) -> list[Row]:
    arrived: dict[tuple[str, int], asyncio.Future[float]] = {}

    def heard(_: Follower, heads: GroupHeads, at: float) -> None:
        for news in heads.groups.items():
            if news in arrived:
                arrived[news].set_result(at)

    async with following(folder, count, _own_groups, "--connections", str(count + FILES)) as scene:
        before, began = resident(scene.server.pid), time.perf_counter()
        followers = await scene.follow(scene.members, heard)
        opened, held = time.perf_counter() - began, resident(scene.server.pid) - before
        spent = await _wake(scene, arrived, wakes)
        ending = time.perf_counter()
    ended = time.perf_counter() - ending
    told = [await follower.ended for follower in followers]
    return _rows(count, held, opened, spent, ended, told)


async def _wake(scene: Scene, arrived: dict[tuple[str, int], asyncio.Future[float]], wakes: int) -> list[float]:
    """Milliseconds from sending an entry until its event has arrived, one after the other."""
    line, chance, heads, spent = await scene.line(), random.Random(1), dict[bytes, int](), []  # noqa: S311 - which are woken
    for _ in range(wakes):
        member = chance.choice(scene.members)
        group_id = chance.choice(member.groups)
        heads[group_id] = heads.get(group_id, 0) + 1
        news = (group_name(group_id), heads[group_id])
        arrived[news] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        answer = await line.ask(member.message(group_id))
        assert answer.status == 201, answer.body
        spent.append(1000 * (await arrived[news] - began))
        del arrived[news]
        await asyncio.sleep(PAUSE)
    return spent


def _rows(count: int, held: float, opened: float, spent: list[float], ended: float, told: list[str]) -> list[Row]:
    assert told == ["stopping"] * count, "each stream must be told why it ends"
    middle, slow, slowest = percentiles(spent)
    return [
        Row(
            "memory of an idle follower",
            held / count,
            "KiB",
            count,
            aim=Aim("ours", "at most", MEMORY_LIMIT),
            note=f"resident set after sessions and before streams, by stream; each device is in {GROUPS_EACH} groups; "
            f"{count / opened:,.0f} streams opened a second",
        ),
        Row(
            "wake-up among idle followers, p99",
            slowest,
            "ms",
            count,
            aim=Aim("ours", "at most", WAKE_LIMIT),
            note=f"from the entry's request to its event at a follower: p50 {middle:.1f} ms, p95 {slow:.1f} ms",
        ),
        Row(
            "SIGTERM to the end of the process",
            ended,
            "s",
            count,
            aim=Aim("ours", "at most", END_LIMIT),
            note="every stream has got its last event, which says that the service stops",
        ),
    ]


def resident(pid: int) -> float:
    """A process's resident set, in KiB (proc(5))."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024
