"""The hourly duties go on for ever: whatever one of them meets, the others are done, and it comes again."""

import asyncio
from contextlib import suppress
from threading import Event

import pytest

from delivery_service.errors import RefusedError
from delivery_service.storage.transaction import Transaction
from identity.groups.eviction import with_sender
from tests.delivery_service.conftest import YEAR, World
from tests.delivery_service.test_ending import end

ALICE = "+12025550142"


@pytest.mark.parametrize("world", ["folder", "postgresql"], indirect=True)
async def test_a_deleted_group_is_never_due_again(world: World) -> None:
    alice, service = await world.device(ALICE), world.app.state.service
    group = await alice.create(context_extensions=with_sender((), service.sender.named))
    await service.look_after()
    assert (await end(alice, group.group_id)).status_code == 201
    await service.look_after()
    world.clock.now += 2 * YEAR  # the group would be looked at again
    await service.look_after()
    assert service.retention_failures == 0


@pytest.mark.parametrize("world", ["folder"], indirect=True)
async def test_what_is_refused_for_others_sake_is_done_an_hour_later(world: World) -> None:
    service, busy = world.app.state.service, Event()

    def slow(tx: Transaction) -> None:
        busy.wait()

    try:
        waiting = []
        with suppress(RefusedError):
            while True:
                waiting.append(service.engine.write(slow))
        failures = service.retention_failures
        await service.look_after()
        assert service.retention_failures > failures
    finally:
        busy.set()
    await asyncio.gather(*waiting)
    runs = service.retention_runs
    await service.look_after()
    assert service.retention_runs > runs
