"""Campaigns of the disk: writes, synchronisations and reads that fail for a while."""

import asyncio
import errno
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from lab.histories.checker import Report, check
from lab.histories.devices import Certifier
from lab.histories.history import Recorder, read_history
from lab.histories.load import Load, Size
from lab.histories.process import ServiceProcess

DATABASE = "delivery.sqlite3"
SHORTEST, LONGEST = 0.05, 0.4  # seconds that a disk fails, and that it works again


class DiskFault(StrEnum):
    """How the disk fails; the value says which call, with which error."""

    FULL = "write ENOSPC"
    WRITE = "write EIO"
    SYNC = "sync EIO"
    READ = "read EIO"

    def octets(self) -> bytes:
        """What faulty_disk.c is to be told."""
        call, name = self.split()
        failing = getattr(errno, name)
        return bytes(failing if call == each else 0 for each in ("write", "sync", "read"))


class FaultyDisk:
    """The library of faulty_disk.c, compiled into a folder, and its switch."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "faulty_disk.so"
        self._switch = folder / "faults"
        self.heal()
        source = Path(__file__).with_name("faulty_disk.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)  # noqa: S603, S607

    def environment(self) -> dict[str, str]:
        """For the process whose database is to fail."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "FAULTY_DISK": str(self._switch),
            "FAULTY_DISK_NAME": DATABASE,
        }

    def fail(self, fault: DiskFault) -> None:
        """Fail from now on."""
        self._tell(fault.octets())

    def heal(self) -> None:
        """Work again."""
        self._tell(bytes(3))

    def _tell(self, octets: bytes) -> None:
        descriptor = os.open(self._switch, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.pwrite(descriptor, octets, 0)  # in place: it is mapped
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class Failed:
    """The judgement of a history, and how often the disk failed in which way."""

    report: Report
    faults: Counter[DiskFault]


async def fail_disk(folder: Path, history: Path, faults: int, *, size: Size, seed: int) -> Failed:
    """Load a service whose disk fails so often, kill it at the end, and judge the history by what its disk then has."""
    random, certifier, counts = Random(seed), Certifier(), Counter[DiskFault]()  # noqa: S311 - chance, no secrets
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    disk = FaultyDisk(folder)
    service = ServiceProcess(folder / "log", folder / "anchors.pem", ("--data-dir", str(folder / "data")))
    service.environment = disk.environment()
    await service.start()
    with Recorder(history) as recorder:
        load = Load([service.address], recorder, size, random, certifier)
        try:
            await load.start()
            for _ in range(faults):
                fault = random.choice(list(DiskFault))
                counts[fault] += 1
                disk.fail(fault)
                await asyncio.sleep(random.uniform(SHORTEST, LONGEST))
                disk.heal()
                await load.acknowledge(size.senders + 1)  # more than were on their way
            await load.stop()
            await service.kill()
            await service.start()
            await load.read_logs()
        finally:
            await load.hang_up()
            await service.kill()
    return Failed(check(read_history(history)), counts)
