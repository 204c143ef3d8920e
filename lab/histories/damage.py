"""Damaged files: a service that finds some must refuse, and never hand out other octets than it was given."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from lab.histories.asking import Asker, logged
from lab.histories.devices import Certifier
from lab.histories.history import LoggedEntry, Recorder
from lab.histories.line import Line
from lab.histories.load import Load, Size
from lab.histories.process import ServiceProcess, StartFailedError

DATABASE = "delivery.sqlite3"
SECTOR = 512  # octets
LOADED = 2.0  # seconds
READ_LIMIT = 5.0  # seconds after which a service that opens no session counts as refusing


class Became(StrEnum):
    """What became of a service whose file was damaged."""

    STOPPED = "refused to start"
    REFUSED = "refused to read"
    SERVED = "served what it was given"
    WRONG = "served something else"


def _flip(octets: bytearray, random: Random) -> None:
    octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)


def _tear(octets: bytearray, random: Random) -> None:
    """One sector of a write is missing."""
    start = random.randrange(len(octets) // SECTOR) * SECTOR
    octets[start : start + SECTOR] = bytes(SECTOR)


def _cut(octets: bytearray, random: Random) -> None:
    del octets[random.randrange(len(octets)) :]


DAMAGES: Mapping[str, Callable[[bytearray, Random], None]] = {
    "a flipped bit": _flip,
    "a torn sector": _tear,
    "a lost end": _cut,
}


@dataclass(slots=True)
class Damaged:
    """How often what became of the service, by the damage; and what it said when it refused to start."""

    counts: Counter[tuple[str, Became]] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a service was given: its groups' logs as their founders read them."""

    anchors: Path
    data: Path
    logs: list[tuple[Asker, bytes, list[LoggedEntry]]]


async def damage_copies(folder: Path, copies: int, *, seed: int) -> Damaged:
    """Fill a service, and start it again on copies of its files that are damaged in one place each."""
    random = Random(seed)  # noqa: S311 - chance, no secrets
    with Recorder(folder / "history.jsonl") as recorder:
        kept = await _fill(folder, recorder, random)
        damaged = Damaged()
        for number in range(copies):
            name = random.choice(list(DAMAGES))
            copy = folder / f"copy{number}"
            shutil.copytree(kept.data, copy)
            octets = bytearray((copy / DATABASE).read_bytes())
            DAMAGES[name](octets, random)
            (copy / DATABASE).write_bytes(octets)
            damaged.counts[name, await _try(kept, copy, damaged.said, recorder)] += 1
            shutil.rmtree(copy)
    return damaged


async def _fill(folder: Path, recorder: Recorder, random: Random) -> _Kept:
    certifier, anchors, data = Certifier(), folder / "anchors.pem", folder / "data"
    anchors.write_bytes(certifier.anchors)
    service = ServiceProcess(folder / "log", anchors, ("--data-dir", str(data)))
    await service.start()
    try:
        load = Load([service.address], recorder, Size(people=2, senders=2), random, certifier)
        await load.start()
        await asyncio.sleep(LOADED)
        await load.stop()
        founders = {member.room.group_id: member.asker for member in reversed(load.members)}
        logs = [(asker, group, await _read(asker, group) or []) for group, asker in founders.items()]
        await load.hang_up()
    finally:
        await service.stop()  # in order, so that everything is in the one file
    return _Kept(anchors, data, logs)


async def _try(kept: _Kept, copy: Path, said: list[str], recorder: Recorder) -> Became:
    log = copy.with_suffix(".log")
    service = ServiceProcess(log, kept.anchors, ("--data-dir", str(copy)))
    try:
        await service.start()
    except StartFailedError as error:
        said.append(str(error))
        return Became.STOPPED
    line = Line([service.address])
    try:
        async with asyncio.timeout(READ_LIMIT):
            read = [
                (entries, await _read(Asker("reader", asker.device, line, recorder), group))
                for asker, group, entries in kept.logs
            ]
    except TimeoutError:
        return Became.REFUSED
    finally:
        line.hang_up()
        await service.kill()
    if any(found is not None and found != entries for entries, found in read):
        return Became.WRONG
    return Became.REFUSED if any(found is None for _, found in read) else Became.SERVED


async def _read(asker: Asker, group: bytes) -> list[LoggedEntry] | None:
    """A whole log; None if a part of it was refused."""
    entries, more = list[LoggedEntry](), True
    while more:
        batch = await asker.read(group, entries[-1].seq if entries else 0)
        if batch is None:
            return None
        entries += logged(batch)
        more = batch.more
    return entries
