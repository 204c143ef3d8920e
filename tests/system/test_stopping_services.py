"""A service that is stopped while people are connected says goodbye and nothing else."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import aclosing
from pathlib import Path

from lab.world import World

ROOT = Path(__file__).parents[2]
MAIN = "from ringtrue import main; main()"


async def test_an_interrupted_delivery_service_ends_its_streams_without_a_traceback(tmp_path: Path) -> None:
    async with World() as world:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MAIN, "delivery", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")),
            *("--authority", world.authority_url),
            env={"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
            stderr=PIPE,
        )
        assert service.stderr is not None
        url = (await service.stderr.readline()).decode().rpartition(" at ")[2].strip()
        connected = asyncio.Event()
        async with world.visitor("Alice", "+12025550142", url) as alice:
            following = asyncio.create_task(follow(alice, connected))
            async with asyncio.timeout(30):
                await connected.wait()
            service.send_signal(signal.SIGINT)
            _, said = await asyncio.wait_for(service.communicate(), 30)
            following.cancel()
            await asyncio.wait((following,))
    assert (service.returncode, said.decode()) == (0, "")


async def follow(session, connected: asyncio.Event) -> None:
    async with aclosing(session.follow(lambda error: connected.set() if error is None else None)) as events:
        async for _ in events:
            pass
