"""A service under a steady mix for a long time: memory and write-ahead log must stay flat.

`python -m lab.bench soak --minutes 20`. Event streams come and go meanwhile, and each look is told on standard error.
It begins with a rush, in which all connections write and then all read at once: a heap is as large as the largest burst
has made it, and without the rush the growth would be that of the machine's stalls.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from delivery_service.storage.sqlite import DATABASE_FILE
from lab.bench.chats import Chat
from lab.bench.delivery import cpu_of
from lab.bench.mappings import resident_by_kind
from lab.bench.mix import Crowd, Outcome, crowded
from lab.bench.percentiles import percentiles
from lab.bench.rows import Aim, Row

MINUTES = 20.0
RATE = 300  # requests a second
CONNECTIONS = 64
STREAMS = 64  # that come and go, each for about half a minute
STREAM_TIME = 30
RUSH = 1 / 60  # of the soak, for each of the two kinds, before it
LOOKS = 120  # looks at the process in all
SLOPE_LIMIT = 1.0  # percent of the resident set in ten minutes, after the first quarter
AHEAD_LIMIT = 256  # MiB


@dataclass(frozen=True, slots=True)
class Look:
    """Seconds since the start, KiB resident by kind, octets of the write-ahead log, and open files."""

    at: float
    kinds: Mapping[str, int]
    ahead: int
    files: int

    @property
    def resident(self) -> int:
        """KiB of all kinds."""
        return sum(self.kinds.values())

    def by_kind(self) -> str:
        """Each kind in MiB."""
        return ", ".join(f"{kind} {size / 1024:.1f}" for kind, size in self.kinds.items())


def run(quick: bool = False, minutes: float = MINUTES) -> list[Row]:
    """Measure; `quick` for a few seconds."""
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        return uvloop.run(_measure(Path(folder), 5 if quick else 60 * minutes))


async def _measure(folder: Path, seconds: float) -> list[Row]:
    async with crowded(folder, CONNECTIONS) as crowd:
        await crowd.saturate(CONNECTIONS, seconds * RUSH, "message")
        await crowd.saturate(CONNECTIONS, seconds * RUSH, "read")
        coming = [asyncio.create_task(_come_and_go(crowd, place)) for place in range(STREAMS)]
        looking = asyncio.create_task(_look(crowd, folder / "service", seconds))
        outcome = await crowd.offer(RATE, seconds)
        looks = await looking
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
        cpu = sum(cpu_of(crowd.server.pid))
    return _rows(looks, outcome, cpu)


async def _look(crowd: Crowd, folder: Path, seconds: float) -> list[Look]:
    looks, began, ahead = [], time.perf_counter(), folder / f"{DATABASE_FILE}-wal"
    for turn in range(1, LOOKS + 1):
        await asyncio.sleep(max(0.0, began + turn * seconds / LOOKS - time.perf_counter()))
        files = len(list(Path(f"/proc/{crowd.server.pid}/fd").iterdir()))
        look = Look(time.perf_counter() - began, resident_by_kind(crowd.server.pid), ahead.stat().st_size, files)
        looks.append(look)
        sizes = f"{look.resident / 1024:7.2f} MiB ({look.by_kind()})  log {look.ahead / 2**20:6.2f} MiB"
        sys.stderr.write(f"{look.at:6.0f} s  {sizes}  {look.files} files\n")
    return looks


async def _come_and_go(crowd: Crowd, place: int) -> None:
    """Follow a device's groups for a while, again and again."""
    while True:
        chat: Chat = crowd.chats[place % len(crowd.chats)]
        reader, writer = await asyncio.open_connection("127.0.0.1", crowd.server.port)
        writer.write(chat.owner.request("GET", "/v1/events"))
        try:
            async with asyncio.timeout(STREAM_TIME * (0.5 + place / STREAMS)):
                while await reader.read(65_536):
                    pass
        except TimeoutError:
            pass
        finally:
            writer.close()


def slope(looks: list[Look]) -> float:
    """Percent of the resident set by which it grows in ten minutes, by least squares."""
    middle = sum(look.at for look in looks) / len(looks)
    mean = sum(look.resident for look in looks) / len(looks)
    spread = sum((look.at - middle) ** 2 for look in looks)
    return 100 * 600 * sum((look.at - middle) * (look.resident - mean) for look in looks) / spread / mean


def _rows(looks: list[Look], outcome: Outcome, cpu: float) -> list[Row]:
    settled = looks[len(looks) // 4 :]
    first, last = settled[0].resident / 1024, settled[-1].resident / 1024
    middle, _, slowest = percentiles(outcome.spent["message"])
    offered, served = sum(outcome.answers.values()), outcome.goodput * outcome.seconds
    note = (
        f"{looks[-1].at / 60:.1f} minutes, {offered:,} requests offered and {served:,.0f} served "
        f"({outcome.writes:,.0f} writes a second), answers other than success {dict(outcome.others())}; "
        f"resident {first:.1f} MiB after a quarter, {last:.1f} at the end "
        f"({looks[-1].by_kind()}; after a quarter {settled[0].by_kind()}), "
        f"{max(look.resident for look in looks) / 1024:.1f} at most; open files {settled[0].files} and "
        f"{settled[-1].files}; a message takes {middle:.1f} ms (p99 {slowest:.1f}); CPU of the service {cpu:,.0f} s"
    )
    return [
        Row(
            "growth of memory in ten minutes of a soak",
            slope(settled),
            "%",
            aim=Aim("ours", "at most", SLOPE_LIMIT),
            note=note,
        ),
        Row(
            "write-ahead log in a soak, at most",
            max(look.ahead for look in looks) / 2**20,
            "MiB",
            aim=Aim("ours", "at most", AHEAD_LIMIT),
        ),
    ]
