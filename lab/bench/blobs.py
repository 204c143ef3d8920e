"""Files to and from the delivery service, against writing the same octets to a file; and why blobs are no rows.

All of it runs on this machine's cores: the client, which seals, hashes and opens, and the service, which hashes too.
"""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import apsw

from client.desk.desk import Desk
from delivery_service.blob_storage.folder import FolderBlobs
from delivery_service.wire.blobs import PIECE_SIZE
from lab.bench.rows import Aim, Row
from lab.world import World

MIB = 1024 * 1024
SIZE, QUICK_SIZE = 64 * MIB, 6 * MIB  # octets of the file
ROUNDS, QUICK_ROUNDS = 5, 1
ROW_SIZE = 256 * 1024  # octets of a piece of a blob while blobs were rows
FLOOR = "the same octets written to a file, synchronised every 5 MiB"
ALICE, BOB = "+12025550142", "+12025550143"


def run(quick: bool = False) -> list[Row]:
    """Measure."""
    return asyncio.run(_run(QUICK_SIZE if quick else SIZE, QUICK_ROUNDS if quick else ROUNDS))


async def _run(size: int, rounds: int) -> list[Row]:
    with TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        octets = os.urandom(size)
        file = await _rate(
            rounds, size, lambda number: asyncio.to_thread(_file, Path(folder) / f"file-{number}", octets)
        )
        rows = await _rate(rounds, size, lambda number: asyncio.to_thread(_rows, Path(folder) / f"{number}.db", octets))
        stored = await _rate(rounds, size, lambda number: _stored(Path(folder) / f"blobs-{number}", octets))
        up, down = await _transferred(Path(folder), octets, rounds)
    megabytes = size // MIB
    return [
        Row("store a blob in the folder: pieces, seal, digest", stored, "MiB/s", megabytes, FLOOR, file),
        Row("store a blob as rows of 256 KiB in SQLite", rows, "MiB/s", megabytes, FLOOR, file, note="as it was done"),
        Row(
            "send a file: seal, keep, upload, finish", up, "MiB/s", megabytes, FLOOR, file, Aim("ours", "at least", 20)
        ),
        Row(
            "fetch a file: download, check, open, save",
            down,
            "MiB/s",
            megabytes,
            FLOOR,
            file,
            Aim("ours", "at least", 20),
        ),
    ]


async def _rate(rounds: int, size: int, work: Callable[[int], Awaitable[object]]) -> float:
    """MiB/s, the median of the rounds."""
    rates = []
    for number in range(rounds):
        began = time.perf_counter()
        await work(number)
        rates.append(size / MIB / (time.perf_counter() - began))
    return median(rates)


def _file(path: Path, octets: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    for start in range(0, len(octets), PIECE_SIZE):
        os.pwrite(descriptor, octets[start : start + PIECE_SIZE], start)
        os.fdatasync(descriptor)
    os.close(descriptor)


def _rows(path: Path, octets: bytes) -> None:
    db = apsw.Connection(str(path))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "wal_autocheckpoint = 4000"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE pieces (position INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT")
    digest = hashlib.sha256()
    for start in range(0, len(octets), ROW_SIZE):
        digest.update(octets[start : start + ROW_SIZE])
        db.execute("INSERT INTO pieces VALUES (?, ?)", (start, octets[start : start + ROW_SIZE]))
    db.close()


async def _stored(folder: Path, octets: bytes) -> None:
    storage, place = FolderBlobs(folder), secrets.token_hex(16)
    await storage.start()
    token = await storage.begin(place)
    for piece, start in enumerate(range(0, len(octets), PIECE_SIZE)):
        await storage.put(place, token, piece, octets[start : start + PIECE_SIZE])
    await storage.seal(place, token, [])
    await storage.stop()


async def _transferred(folder: Path, octets: bytes, rounds: int) -> tuple[float, float]:
    """MiB/s of a person's file to the service, and from there to another's disk."""
    file = folder / "sent"
    file.write_bytes(octets)
    async with _talking() as (alice, bob, group):
        up = await _rate(rounds, len(octets), lambda _: alice.messages.send_file(group, str(file)))
        await alice.device.sync()
        await bob.device.sync()
        messages = [each.row for each in await bob.messages.page(group) if each.attachment is not None]
        down = await _rate(rounds, len(octets), lambda number: bob.messages.save(messages[number], str(folder / "in")))
    return up, down


@asynccontextmanager
async def _talking() -> AsyncIterator[tuple[Desk, Desk, str]]:
    async with World() as world, world.desk("alice", ALICE) as alice, world.desk("bob", BOB) as bob:
        await bob.people.know(ALICE)
        chat = await alice.chats.direct(BOB)
        await bob.device.sync()
        yield alice, bob, chat.group
