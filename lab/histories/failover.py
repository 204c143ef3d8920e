"""Campaigns against replicas on PostgreSQL: replicas and the primary are killed, and the best standby takes over.

A replica finds the new primary by a URL that names all servers and asks for the one that takes writes (libpq's
`target_session_attrs=read-write`): its connections end with the old primary, and a new one tries each server.
"""

import asyncio
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from delivery_service.migrations import migrate
from lab.histories.checker import Report, check
from lab.histories.devices import Certifier
from lab.histories.history import Recorder, read_history
from lab.histories.load import Load, Size
from lab.histories.process import ServiceProcess

DATABASE_VARIABLE = "RINGTRUE_DATABASE"
PAUSE = (0.5, 2.0)  # seconds from one failover to the next, at least and at most
UNCOPIED = 1.0  # seconds that an asynchronous primary goes on without its standbys


class Server(Protocol):
    """A PostgreSQL server; its calls block."""

    def url(self, database: str = ...) -> str:
        """Where it is."""

    def start(self) -> None:
        """Start it, and wait until it answers."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """SIGKILL all its processes."""


class Cluster(Protocol):
    """A primary and its standbys."""

    @property
    def primary(self) -> Server:
        """The server that takes writes."""

    @property
    def standbys(self) -> Sequence[Server]:
        """The others."""

    def promote(self) -> Server:
        """Make the standby that received most the primary."""

    def rejoin(self, server: Server) -> None:
        """Start a server as a standby of the primary."""

    def await_standbys(self) -> None:
        """Wait until the standbys have all that the primary has."""


@dataclass(slots=True)
class Failovers:
    """The judgement of a history, and the seconds from each primary's end to the next acknowledged append.

    With each primary one of the replicas is killed. `took` is how many seconds all of it took.
    """

    report: Report
    seconds: list[float]
    took: float

    def line(self) -> str:
        """For a report."""
        times = sorted(self.seconds)
        bound = f"{3 / self.report.acked:.1e}" if self.report.acked and not self.report.lost else "-"
        return (
            f"{len(times)} failovers, each with a replica killed, in {self.took:.0f} s; "
            f"{self.report.acked:,} appends acknowledged, "
            f"{self.report.lost} lost (below {bound} with 95 % confidence); "
            f"writes back after {times[len(times) // 2]:.1f} s (median), {times[-1]:.1f} s (longest)"
        )


def address_of(cluster: Cluster) -> str:
    """The URL of whichever server of the cluster takes writes, for `--database`."""
    known = [conninfo_to_dict(server.url()) for server in (cluster.primary, *cluster.standbys)]
    hosts, ports = (",".join(str(each[name]) for each in known) for name in ("host", "port"))
    return make_conninfo(
        cluster.primary.url(), host=hosts, port=ports, target_session_attrs="read-write", connect_timeout=2
    )


async def fail_over(
    folder: Path,
    history: Path,
    rounds: int,
    cluster: Cluster,
    *,
    size: Size,
    seed: int,
    replicas: int,
    copied: bool,
    pause: tuple[float, float] = PAUSE,
    appends: int = 0,
    limit: float = math.inf,
) -> Failovers:
    """Load replicas on a cluster, kill its primary so often, and judge the history.

    `copied`: a standby has what is acknowledged; if not, they are stopped a while before the primary is killed, as if
    their network had failed. Between two failovers there are the pause and about so many acknowledged appends. None
    begins after `limit` seconds.
    """
    random, certifier = Random(seed), Certifier()  # noqa: S311 - chance, no secrets
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    url = address_of(cluster)
    await asyncio.to_thread(migrate, url)
    processes = [_replica(folder, number, url, one_copy=not copied) for number in range(replicas)]
    seconds, begin = list[float](), time.monotonic()
    with Recorder(history) as recorder:
        load = Load([process.address for process in processes], recorder, size, random, certifier)
        try:
            await _start(folder, processes)
            await load.start()
            while len(seconds) < rounds and time.monotonic() - begin < limit:
                await load.acknowledge(random.randint(0, 2 * appends))
                await asyncio.sleep(random.uniform(*pause))
                killed = random.choice(processes)
                await killed.kill()
                seconds.append(await _lose_primary(cluster, random, load, copied=copied))
                await killed.start()
                await asyncio.to_thread(cluster.await_standbys)
                load.check_running()
            await load.stop()
            await load.read_logs()
        finally:
            await load.hang_up()
            for process in processes:
                await process.kill()
    return Failovers(check(read_history(history)), seconds, time.monotonic() - begin)


def _replica(folder: Path, number: int, url: str, *, one_copy: bool) -> ServiceProcess:
    options = ["--data-dir", str(folder / f"replica{number}"), *(["--accept-one-copy"] if one_copy else [])]
    process = ServiceProcess(folder / f"replica{number}.log", folder / "anchors.pem", options)
    process.environment = {**os.environ, DATABASE_VARIABLE: url}
    return process


async def _start(folder: Path, processes: Sequence[ServiceProcess]) -> None:
    """The first one makes the keys that all must have."""
    for number, process in enumerate(processes):
        if number:
            (folder / f"replica{number}").mkdir()
            shutil.copy(folder / "replica0" / "franking.key", folder / f"replica{number}")
        await process.start()


async def _lose_primary(cluster: Cluster, random: Random, load: Load, *, copied: bool) -> float:
    """Kill the primary while standbys are away, promote the best one, and bring the old one back as a standby."""
    old = cluster.primary
    away = [random.choice(list(cluster.standbys))] if copied else list(cluster.standbys)
    for standby in away:
        await asyncio.to_thread(standby.stop)
    await asyncio.sleep(0 if copied else UNCOPIED)
    begin = time.monotonic()
    await asyncio.to_thread(old.kill)
    for standby in away:
        await asyncio.to_thread(standby.start)
    await asyncio.to_thread(cluster.promote)
    await load.acknowledge(1)
    seconds = time.monotonic() - begin
    await asyncio.to_thread(cluster.rejoin, old)
    return seconds
