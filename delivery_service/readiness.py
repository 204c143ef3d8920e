"""Whether the service takes requests: its store writes durably, and it is not on its way out."""

import asyncio
from collections.abc import Callable

from delivery_service.errors import RefusedError
from delivery_service.storage import operation
from delivery_service.storage.engine import Engine

STORE_PATIENCE = 5  # seconds that a write may take
FRESH = 2  # seconds for which an answer of the store is good: anybody may ask, and each answer costs a write


class Readiness:
    """Asks the store at most every FRESH seconds, whoever asks."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._draining = False
        self._asking: asyncio.Task[None] | None = None
        self._answered_at = float("-inf")

    @property
    def draining(self) -> bool:
        """Whether the service ends."""
        return self._draining

    def drain(self) -> None:
        """From now on the service is not ready."""
        self._draining = True

    async def check(self) -> None:
        """Refuses overloaded unless the service is ready; raises StoreError if the store cannot write."""
        if self._draining:
            raise RefusedError("overloaded", "the service is about to end: use another one", retry_after=FRESH)
        if abs(self._clock() - self._answered_at) < FRESH:
            return
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                await self._engine.write(operation.note_ready, int(self._clock()))
        except TimeoutError as error:
            raise RefusedError("overloaded", "the store does not answer in time", retry_after=FRESH) from error
        self._answered_at = self._clock()
