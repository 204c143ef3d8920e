"""Other programs of this machine, run beside the event loop: given something to read, and never waited for long."""

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import suppress

PATIENCE = 2.0  # seconds


def installed(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """The path of the first of these programs that there is."""
    found = (shutil.which(name, path=environment.get("PATH")) for name in names)
    return next((path for path in found if path), None)


async def run_program(command: tuple[str, ...], given: bytes, environment: Mapping[str, str]) -> bool:
    """Run a program with `given` on its stdin; whether it ended well within `PATIENCE` seconds.

    Its output goes nowhere: a child that it leaves behind (as xclip does) would keep a pipe open, and must not write
    into a terminal that is drawn on.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
    except OSError:
        return False
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await process.communicate(given)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode == 0
