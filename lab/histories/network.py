"""Campaigns of the network: every connection to the service goes through a proxy that cuts, delays and duplicates."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lab.histories.checker import Report, check
from lab.histories.devices import Certifier
from lab.histories.history import Recorder, read_history
from lab.histories.load import Load, Size
from lab.histories.process import ServiceProcess
from lab.histories.proxy import Fault, proxied

RATE = 0.1  # of all requests that meet a fault


@dataclass(frozen=True, slots=True)
class Disturbed:
    """The judgement of a history, and what the proxy did to its requests."""

    report: Report
    faults: Counter[Fault]


async def disturb_network(folder: Path, history: Path, seconds: float, *, size: Size, seed: int) -> Disturbed:
    """Load a service in `folder` through a proxy for so long, and judge the history."""
    random, certifier = Random(seed), Certifier()  # noqa: S311 - chance, no secrets
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    service = ServiceProcess(folder / "log", folder / "anchors.pem", ("--data-dir", str(folder / "data")))
    await service.start()
    try:
        with Recorder(history) as recorder:
            async with proxied(service.address, random, 0) as proxy:
                load = Load([proxy.address], recorder, size, random, certifier)
                await load.start()
                proxy.rate = RATE
                await asyncio.sleep(seconds)
                load.check_running()
                await load.stop()
                proxy.rate = 0
                await load.read_logs()
                await load.hang_up()
    finally:
        await service.kill()
    return Disturbed(check(read_history(history)), proxy.done)
