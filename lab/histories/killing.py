"""Campaigns against the embedded engine: killed at any moment, it must come back with all that it promised."""

import asyncio
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import apsw

from lab.histories.checker import Report, check
from lab.histories.devices import Certifier
from lab.histories.history import Recorder, read_history
from lab.histories.load import Load, Size
from lab.histories.process import PROGRAM, ServiceProcess

PAUSE = (0.1, 1.0)  # seconds from one start to the next kill, at least and at most
EARLY = 0.1  # of the kills that come while the service still starts
EARLY_LIMIT = 1.0  # seconds after the start


@dataclass(slots=True)
class Outcome:
    """What a campaign did, and the judgement of its history."""

    report: Report
    kills: int
    seconds: float
    ready: list[float] = field(default_factory=list)  # seconds from each start to the first answer
    integrity: list[str] = field(default_factory=list)  # what SQLite says of the copies that were looked at

    def lines(self) -> list[str]:
        """For a report."""
        ready = sorted(self.ready)
        bound = 3 / self.report.acked if self.report.acked and not self.report.lost else float("nan")
        return [
            f"{self.kills} kills in {self.seconds:.0f} s, {self.report.acked:,} appends acknowledged, "
            f"{self.report.lost} lost (below {bound:.1e} with 95 % confidence)",
            f"ready after {ready[len(ready) // 2]:.2f} s (median), {ready[-1]:.2f} s (longest)",
            f"integrity: {', '.join(sorted(set(self.integrity)))} ({len(self.integrity)} copies)",
        ]


async def kill_embedded(
    folder: Path,
    history: Path,
    kills: int,
    *,
    size: Size,
    seed: int,
    pause: tuple[float, float] = PAUSE,
    appends: int = 0,
    check_every: int = 1,
    limit: float = math.inf,
    program: Sequence[str] = PROGRAM,
) -> Outcome:
    """Load a service in `folder`, kill it so often, and judge the history; SQLite is asked at each `check_every`th.

    Between two kills there are the pause and about so many acknowledged appends. After `limit` seconds there are no
    more kills.
    """
    random, certifier, begin = Random(seed), Certifier(), time.monotonic()  # noqa: S311 - chance, no secrets
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    data = folder / "data"
    service = ServiceProcess(folder / "log", folder / "anchors.pem", ("--data-dir", str(data)), program=program)
    ready, integrity, killed = [await service.start()], list[str](), 0
    with Recorder(history) as recorder:
        load = Load([service.address], recorder, size, random, certifier)
        try:
            await load.start()
            while killed < kills and time.monotonic() - begin < limit:
                killed += 1
                await load.acknowledge(random.randint(0, 2 * appends))
                await asyncio.sleep(random.uniform(*pause))
                await service.kill()
                if random.random() < EARLY:
                    await service.launch()
                    await asyncio.sleep(random.uniform(0, EARLY_LIMIT))
                    await service.kill()
                if killed % check_every == 0:
                    integrity.append(await asyncio.to_thread(integrity_of, data))
                ready.append(await service.start())
                load.check_running()
            await load.stop()
            await load.read_logs()
        finally:
            await load.hang_up()
            await service.kill()
    return Outcome(check(read_history(history)), killed, time.monotonic() - begin, ready, integrity)


def integrity_of(data: Path) -> str:
    """SQLite's judgement of a copy of the database as the killed process left it."""
    with TemporaryDirectory(dir=data.parent, prefix="copy-") as folder:
        for file in data.glob("delivery.sqlite3*"):
            shutil.copy(file, folder)
        connection = apsw.Connection(str(Path(folder) / "delivery.sqlite3"))
        try:
            return str(connection.execute("PRAGMA integrity_check").get)
        finally:
            connection.close()
