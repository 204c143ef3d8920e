"""A replica of the delivery service: the real application over the shared storage, in a process that can die."""

import asyncio
from pathlib import Path

from starlette.applications import Starlette

from delivery_service.errors import DeliveryError
from identity.certificates import TrustAnchors
from lab.faults.park import Park
from lab.faults.process import Process
from lab.faults.storage import SharedEngine, app_over

HOST = "delivery.test"
RESTART = 3.0  # seconds that a dead replica stays away, at most


class Replica:
    """One place in the park: `app` is what runs there now, None while nothing does."""

    def __init__(self, name: str, folder: Path, anchors: TrustAnchors, park: Park) -> None:
        self.name = name
        self.skew = 0.0
        self.process = Process(name)
        self.app: Starlette | None = None
        self._folder = folder
        self._anchors = anchors
        self._park = park
        self._main: asyncio.Task[None] | None = None

    def clock(self) -> float:
        """What the replica takes for the time."""
        return self._park.clock() + self.skew

    def start(self) -> None:
        """Let the application run, from nothing but the shared storage and its folder."""
        self.process = Process(self.name)
        self.process.on_death = self._died
        self._park.trace.say(f"{self.name} starts")
        self._main = self._park.loop.spawn(self.process, self._live())
        self._main.add_done_callback(self._ended, context=self._park.loop.world.context)

    async def stop(self) -> None:
        """End it in order."""
        if self._main is not None and self.process.alive and not self._main.done():
            self._main.cancel()
            await asyncio.wait((self._main,))

    async def _live(self) -> None:
        engine = SharedEngine(self._park.storage, self.process, self._park.loop, self._park.network)
        app = app_over(engine, self._folder, self._anchors, HOST, self.clock)
        async with app.router.lifespan_context(app):
            self.app = app
            try:
                await self._park.loop.create_future()
            finally:
                self.app = None

    def _died(self) -> None:
        self._park.trace.fault("crash of a replica", self.name)
        self._gone()

    def _ended(self, main: "asyncio.Task[None]") -> None:
        """A replica that could not start is started again, as by its operator's supervisor."""
        if main.cancelled() or not self.process.alive:
            return
        self._park.trace.say(f"{self.name} ends: {main.exception()!r}")
        if not isinstance(main.exception(), DeliveryError):
            self._park.unexpected.append(f"{self.name} ended with {main.exception()!r}")
        self.process.alive = False
        self._gone()

    def _gone(self) -> None:
        self.app = None
        self._park.storage.forget(self.process)
        self._park.network.died(self.process)
        self._park.graves.append(self.process)
        after = self._park.draw.random() * RESTART
        self._park.loop.call_later(after, self.start, context=self._park.loop.world.context)
