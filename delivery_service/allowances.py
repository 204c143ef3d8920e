"""Hourly limits over several replicas and over a restart: what each allowed is told to the others by the database.

Each replica decides by itself and tells every few seconds. So a number that asks all of R replicas at once can get R
times a limit, once: what was too much counts all the same, and is paid back before the next is allowed. Over time a
number gets what the limit says, whatever it does.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from delivery_service.errors import RefusedError, StoreError
from delivery_service.limits import HOUR, Allowance, HourlyLimit
from delivery_service.storage import replicas
from delivery_service.storage.engine import Engine

TELLING_INTERVAL = 5  # seconds
SKEW = 30  # seconds by which the clocks of two replicas may differ, and for which one may not reach the database


class Allowances:
    """Tells what this replica's limits allowed, and lets them hear of the others'."""

    def __init__(
        self,
        engine: Engine,
        limits: Sequence[HourlyLimit],
        clock: Callable[[], float],
        interval: float = TELLING_INTERVAL,
    ) -> None:
        self._engine = engine
        self._limits = {limit.name: limit for limit in limits}
        self._clock = clock
        self._interval = interval
        self._untold: list[Allowance] = []

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Begins with what is stored, tells and hears until the end, and tells the rest then."""
        await self.hear(HOUR)
        exchanging = asyncio.create_task(self._again_and_again())
        try:
            yield
        finally:
            exchanging.cancel()
            await asyncio.wait([exchanging])
            with suppress(StoreError, RefusedError):
                await self.tell()

    async def tell(self) -> None:
        """Tells what was taken since the last time; what could not be told stays for the next. Raises StoreError."""
        self._untold += [allowance for limit in self._limits.values() for allowance in limit.tell()]
        if self._untold:
            await self._engine.write(replicas.tell, tuple(self._untold), int(self._clock() * 1000))
            self._untold.clear()

    async def hear(self, past: int) -> None:
        """Takes over what was told in the `past` seconds. Raises StoreError."""
        now = self._clock()
        for allowance in await self._engine.read(replicas.told, int((now - past) * 1000), int(now * 1000)):
            if (limit := self._limits.get(allowance.name)) is not None:
                limit.hear(allowance, now)

    async def _again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            with suppress(StoreError, RefusedError):
                await self.tell()
                await self.hear(SKEW)
