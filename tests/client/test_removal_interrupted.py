"""Removing a device while the network dies at every request in turn, and the program with it: nothing is half-done."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count

import httpx

from client.errors import ClientError
from client.session import Session

from .conftest import ALICE, BOB, PASSPHRASE, World
from .test_devices import accepted, desk_of, key_of, own_key

PAUSE = 9000  # seconds: the token authority sends twelve codes a day


class Dying(httpx.AsyncBaseTransport):
    """Lets boundaries pass, of which each request has one before it leaves and one after its answer; then nothing."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network
        self.left: float = float("inf")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._reached(request)
        response = await self._network.handle_async_request(request)
        self._reached(request)
        return response

    def _reached(self, request: httpx.Request) -> None:
        self.left -= 1
        if self.left <= 0:
            raise httpx.ConnectError("the network died", request=request)


@asynccontextmanager
async def phone_of(world: World, transport: httpx.AsyncBaseTransport) -> AsyncIterator[Session]:
    async with Session.open(world.home(ALICE), PASSPHRASE, clock=world.clock, transport=transport, jitter=0) as phone:
        yield phone


async def tablet_in_the_chat(world: World, folder: str, group_id: bytes) -> str:
    """Link another device; its key."""
    async with world.holder(ALICE, folder) as tablet, phone_of(world, world.network) as phone:
        granted = await phone.worker.run(phone.steps.siblings.grant, key_of(tablet), folder, int(world.clock()))
        await phone.worker.run(phone.steps.siblings.ready, granted, int(world.clock()))
        await phone.devices.extend()
        assert len(await phone.members(group_id)) == 3
        return own_key(tablet)


async def test_a_removal_is_finished_wherever_it_was_interrupted(world: World, stack: AsyncExitStack) -> None:
    await world.enrol(ALICE)
    (bob,) = await world.people(stack, BOB)
    async with phone_of(world, world.network) as phone:
        await phone.maintain()
        group_id = (await phone.create_chat("plans", [BOB])).group_id
    await accepted(world, bob, group_id)
    for boundary in count(1):
        key = await tablet_in_the_chat(world, f"tablet {boundary}", group_id)
        dying = Dying(world.network)
        async with phone_of(world, dying) as phone:
            await phone.sync()
            dying.left = boundary
            with suppress(ClientError):
                await phone.devices.remove(key, lost=True)
        world.clock.now += PAUSE

        async with phone_of(world, world.network) as phone:
            await phone.sync()
            assert [str(each) for each in await phone.members(group_id)] == [str(ALICE), str(BOB)], boundary
            assert len(await phone.devices.held()) == 1, boundary
            assert [each.this for each in await desk_of(phone, world).devices.all(ask=True)] == [True], boundary
            assert await desk_of(phone, world).device.alarms() == [], boundary
        if dying.left > 0:
            break
    await bob.receive()
    assert [str(each) for each in await bob.members(group_id)] == [str(ALICE), str(BOB)]
    assert boundary > 10
