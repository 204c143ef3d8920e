"""A program in a terminal of its own, and everything that it writes, with when it did."""

import asyncio
import fcntl
import os
import pty
import struct
import termios
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

READ_AT_ONCE = 1 << 16  # octets


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, `at` seconds after the start."""

    at: float
    octets: bytes


async def run_in_terminal(
    command: Sequence[str], columns: int, rows: int, environment: Mapping[str, str]
) -> tuple[list[Written], int]:
    """Run a program in a terminal of this size until it ends; everything that it wrote, and its exit code."""
    written: list[Written] = []
    started = time.monotonic()
    async with _terminal(columns, rows) as (ours, theirs):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True
        )
        os.close(theirs)
        while octets := await asyncio.to_thread(_read, ours):
            written.append(Written(time.monotonic() - started, octets))
        return written, await process.wait()


@asynccontextmanager
async def _terminal(columns: int, rows: int) -> AsyncIterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        yield ours, theirs
    finally:
        os.close(ours)


def _read(descriptor: int) -> bytes:
    with suppress(OSError):  # EIO: the program has ended, and nobody else has the terminal
        return os.read(descriptor, READ_AT_ONCE)
    return b""
