"""How fast the story is told, and who holds it up."""

import asyncio
from contextlib import suppress


class Pace:
    """Rests between events: `factor` times their usual length, or each `fixed` seconds long."""

    def __init__(self, factor: float = 1.0, fixed: float | None = None) -> None:
        self.paused = False
        self._factor = factor
        self._fixed = fixed
        self._stepping = False
        self._on = asyncio.Event()

    async def rest(self, usual: float) -> None:
        """Rest as long as `usual` seconds come to; while paused, until somebody steps or goes on."""
        self._on.clear()
        if not self.paused and not self._stepping:
            await self._wait(usual * self._factor if self._fixed is None else self._fixed)
        while self.paused and not self._stepping:
            self._on.clear()
            await self._on.wait()
        self._stepping = False

    async def blink(self, usual: float) -> None:
        """Rest for a moment within one event: never longer than usual, and no pause begins here."""
        await self._wait(usual * self._factor if self._fixed is None else min(usual, self._fixed))

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._on.wait()

    def toggle(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused
        self._on.set()

    def step(self) -> None:
        """End the rest that lasts now, or the next one; one that a pause keeps up as well."""
        self._stepping = True
        self._on.set()
