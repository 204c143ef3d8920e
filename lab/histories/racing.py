"""The race for one group's epochs: many devices commit at once, one wins each, and all arrive at the same secrets."""

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lab.histories.checker import Report, check
from lab.histories.devices import Certifier
from lab.histories.history import Recorder, read_history
from lab.histories.load import Load, Size, read_log
from lab.histories.process import ServiceProcess
from lab.histories.room import Member, found_room

DEVICES_PER_PERSON = 4  # a number may send so many bundles at once


@dataclass(frozen=True, slots=True)
class Race:
    """The judgement of the history, who won how often, and the authenticators that the members ended with."""

    report: Report
    won: list[int]
    authenticators: set[bytes]


async def race_commits(
    folder: Path, history: Path, *, clients: int, epochs: int, seed: int, limit: float = math.inf
) -> Race:
    """Let clients of one group race until so many epochs or seconds (`limit`) have ended, and judge the history."""
    random, certifier = Random(seed), Certifier()  # noqa: S311 - chance, no secrets
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    service = ServiceProcess(folder / "log", folder / "anchors.pem", ("--data-dir", str(folder / "data")))
    await service.start()
    try:
        with Recorder(history) as recorder:
            load = Load([service.address], recorder, Size(), random, certifier)
            devices = [certifier.device(number // DEVICES_PER_PERSON) for number in range(clients)]
            room, members = await found_room(devices, load.ask_as)
            end = time.monotonic() + limit
            await asyncio.gather(*(_compete(member, epochs, end) for member in members))
            for member in members:
                await member.follow()
            await read_log(members[0].asker, room, recorder)
            await load.hang_up()
    finally:
        await service.kill()
    authenticators = {member.group.epoch_authenticator() for member in members}
    return Race(check(read_history(history)), [member.won for member in members], authenticators)


async def _compete(member: Member, epochs: int, end: float) -> None:
    while member.room.epoch < epochs and time.monotonic() < end:
        await member.follow()
        await member.commit()
