"""How many pages may have the account open at once; the others wait for their turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Places:
    """`limit` is asked anew each time: a daemon, which lets several share the account, may come and go."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken = 0
        self._left = asyncio.Condition()

    @property
    def full(self) -> bool:
        """Whether who comes now must wait."""
        return self._taken >= self._limit()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place for as long as the context lasts; waits until there is one."""
        async with self._left:
            await self._left.wait_for(lambda: not self.full)
            self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            async with self._left:
                self._left.notify_all()
