"""Staying up to date: reading and posting what there is, renewing what ends; once, or for as long as one listens."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from client.credentials.devices import Devices
from client.credentials.revocation_refresh import RevocationRefresh
from client.defence.reaching import Reaching
from client.defence.status_refresh import StatusRefresh
from client.errors import ClientError, StoreError, UnreachableError
from client.events import Event, Trouble
from client.exchange import ABOUT_THE_SESSION, Exchange
from client.resetting import Resetting
from client.services.delivery import DeliveryClient
from client.transfers.uploading import Uploads
from client.upkeep import Upkeep

Connected = Callable[[ClientError | None], None]

TICK = 60  # seconds between looks at what waits, while following
LOOK_TICKS = 10  # such looks until the service is asked whether there is really nothing new


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """The parts of a session that have something to do by themselves, and when each of them does it."""

    delivery: DeliveryClient
    exchange: Exchange
    upkeep: Upkeep
    statuses: StatusRefresh
    revocations: RevocationRefresh
    reaching: Reaching
    resetting: Resetting
    devices: Devices
    uploads: Uploads
    now: Callable[[], int]
    wake: Callable[[], Awaitable[None]]
    tell: Callable[[Iterable[Event]], None]

    async def once(self) -> None:
        """Do everything that is due; raises only what concerns the services, see `Session.sync`."""
        await self.upkeep.run()
        await self.statuses.run()
        await self.revocations.run()
        asked = self.now()
        heads = await self.delivery.heads()
        troubles = await self.exchange.sync(heads, asked)
        await self._settle_removals()
        await self.reaching.sync(heads.requests)
        if heads.rotate:
            await self.trying(self.upkeep.replace_last_resort())
        await self.trying(self.resetting.run())
        await self.trying(self.devices.run())
        await self.upkeep.watch()
        await self.uploads.go_on()
        for trouble in troubles:
            if isinstance(trouble.error, (UnreachableError, StoreError, *ABOUT_THE_SESSION)):
                raise trouble.error

    async def follow(self, connected: Connected) -> None:
        """Do so for ever, as the service's stream and the time that passes make it due; see `Session.follow`."""
        await self.wake()
        ticking = asyncio.create_task(self._tick())
        try:
            async with aclosing(self.delivery.follow(connected)) as stream:
                async for heads in stream:
                    connected(None)
                    await self.trying(self.exchange.sync(heads))
                    await self.trying(self._settle_removals())
                    await self.trying(self.reaching.sync(heads.requests))
                    if heads.rotate:
                        await self.trying(self.upkeep.replace_last_resort())
        finally:
            ticking.cancel()
            await asyncio.wait((ticking,))

    async def trying(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something whose failure is told and stops nothing."""
        try:
            await work
        except ClientError as error:
            self.tell([Trouble(None, error, error.code, str(error))])

    async def _settle_removals(self) -> None:
        """Fetch the list that a proposed removal may rest upon, and carry out what it confirms."""
        if await self.revocations.hurry():
            await self.exchange.post()

    async def _tick(self) -> None:
        # The stream is silent while nothing happens; certificates end and refused posts are due all the same.
        ticks = 0
        while True:
            await self.trying(self.upkeep.run())
            await self.trying(self.statuses.run())
            await self.trying(self.revocations.run())
            await self.trying(self.exchange.post())
            await self.trying(self.resetting.run())
            await self.trying(self.devices.run())
            await self.trying(self._watch())
            self.uploads.go_on_soon()
            await asyncio.sleep(TICK)
            ticks += 1
            if ticks % LOOK_TICKS == 0:  # a stream that says nothing is not taken at its word for ever
                await self.trying(self._look())

    async def _watch(self) -> None:
        # The logs are read first: they tell of devices that another device of one's own has linked.
        if await self.upkeep.is_to_watch():
            await self._look()
            await self.upkeep.watch()

    async def _look(self) -> None:
        asked = self.now()
        await self.exchange.sync(await self.delivery.heads(), asked)
