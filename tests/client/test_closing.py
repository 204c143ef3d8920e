"""Closing an account waits for what was begun."""

import asyncio
import threading
from contextlib import suppress

from client.errors import StoreError
from tests.client.conftest import ALICE, World


async def test_a_step_that_nobody_waits_for_any_more_still_has_its_store(world: World) -> None:
    await world.enrol(ALICE)
    begun, go_on, seen = threading.Event(), threading.Event(), []
    async with world.open(ALICE) as session:

        def step() -> None:
            begun.set()
            go_on.wait(10)
            with suppress(StoreError):
                seen.append(session.steps.store.row("SELECT count(*) FROM account"))

        waiting = asyncio.create_task(session.worker.run(step))
        await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        letting = threading.Timer(0.2, go_on.set)
        letting.start()
    letting.join()
    assert seen == [(1,)]
