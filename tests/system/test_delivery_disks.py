"""Disks that run full, fail and lie: the service refuses loudly, loses nothing it acknowledged, and goes on afterwards.

The sizes are those of a run of all tests; `python -m lab.histories disk` and `damage` are larger campaigns.
"""

import shutil
import sys

import pytest

from lab.histories.damage import Became, damage_copies
from lab.histories.devices import Certifier
from lab.histories.disk import DiskFault, FaultyDisk, fail_disk
from lab.histories.load import Size
from lab.histories.process import ServiceProcess, StartFailedError

FAULTS = 12
COPIES = 10

linux_with_cc = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the failing disk is a library for Linux, made by cc"
)


@linux_with_cc
async def test_a_disk_that_fails_for_a_while_costs_nothing_that_was_acknowledged(tmp_path):
    failed = await fail_disk(tmp_path, tmp_path / "history.jsonl", FAULTS, size=Size(people=2), seed=1)
    assert failed.report.violations == []
    assert set(failed.faults) == set(DiskFault)
    assert failed.report.unknown > 0


@linux_with_cc
@pytest.mark.parametrize("fault", [DiskFault.FULL, DiskFault.WRITE, DiskFault.READ])
async def test_a_service_does_not_start_on_a_disk_that_fails_and_says_what_to_do(tmp_path, fault):
    (tmp_path / "anchors.pem").write_bytes(Certifier().anchors)
    disk = FaultyDisk(tmp_path)
    service = ServiceProcess(tmp_path / "log", tmp_path / "anchors.pem", ("--data-dir", str(tmp_path / "data")))
    service.environment = disk.environment()
    if fault is DiskFault.READ:  # of a database that is there
        await service.start()
        await service.stop()
    disk.fail(fault)
    with pytest.raises(StartFailedError, match="make room if the disk is full, or restore a backup") as refused:
        await service.start()
    assert "Traceback" not in str(refused.value)
    disk.heal()
    await service.start()
    await service.stop()


async def test_what_a_damaged_file_no_longer_has_is_refused_and_nothing_else_served(tmp_path):
    damaged = await damage_copies(tmp_path, COPIES, seed=1)
    became = {what for _, what in damaged.counts}
    assert Became.WRONG not in became
    assert became & {Became.STOPPED, Became.REFUSED}
    assert not [said for said in damaged.said if "Traceback" in said]
