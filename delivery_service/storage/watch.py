"""What the engine on PostgreSQL looks after by itself: that its server still confirms, answers, and is the newest."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from delivery_service.errors import StartError
from delivery_service.storage.database import SETTINGS, check_settings
from delivery_service.storage.engine import Standing
from delivery_service.storage.lane import Lane
from delivery_service.storage.lease import Lease
from delivery_service.storage.postgresql_link import Link
from delivery_service.storage.postgresql_works import WRITING, WorkSession
from delivery_service.storage.servers import Servers
from delivery_service.storage.transaction import Transaction

WATCH_INTERVAL = 1.0  # seconds between two heartbeats, and between two looks for connections that do not answer
SEARCH_INTERVAL = 5.0  # seconds between two looks for a server with a newer history
LAST_BEAT = 1.0  # seconds that the end waits for a heartbeat
_LOG = logging.getLogger("delivery_service.storage.watch")


def _heartbeat(tx: Transaction) -> tuple[Any, ...]:
    """The server's settings; a work that changes nothing writes a message to the log, which standbys must confirm."""
    return tx.rows(SETTINGS)[0]


class Watch:
    """Heartbeats keep the lease to read while nothing is appended; `links` are all connections of the engine."""

    def __init__(self, servers: Servers, *, one_copy: bool) -> None:
        self._servers = servers
        self._one_copy = one_copy
        self.lease = Lease(self._wanted)
        self._own = Link(servers, self.lease)
        self.links = [self._own]
        self._lane = Lane(lambda: WorkSession(self._own, WRITING), batch=1)
        self._beat: asyncio.Future[tuple[Any, ...]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._search: asyncio.Task[None] | None = None
        self._open = False

    def find(self) -> None:
        """Before the first connection: what was met before, and who has the newest history now. Raises StartError."""
        self._servers.newest.load()
        if self._servers.several:
            with ThreadPoolExecutor(1) as thread:  # an event loop of its own: the caller's waits
                thread.submit(asyncio.run, self._servers.look_around()).result()

    def start(self) -> None:
        """Begins, in the running event loop. Raises StartError."""
        self._loop = asyncio.get_running_loop()
        self._own.open()
        self._lane.start(lambda _: None)
        self._open = True
        self._look()
        if self._servers.several:
            self._search = self._loop.create_task(self._search_on())

    async def stop(self) -> None:
        """Ends; a heartbeat that nobody confirms is cut off."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        ending = [asyncio.ensure_future(self._lane.stop())]
        if self._search is not None:
            self._search.cancel()
            ending.append(self._search)
        while (await asyncio.wait(ending, timeout=LAST_BEAT))[1]:
            self._own.cut()

    @property
    def standing(self) -> Standing:
        """See Engine."""
        refused, untold = self._servers.refusals, self.lease.refusals
        return Standing(self.lease.age(self._own.server), self._servers.newest.met.timeline, refused, untold)

    def _look(self) -> None:
        for link in self.links:
            link.cut_if_silent(self._loop.time())
        self._ask()
        self._timer = self._loop.call_later(WATCH_INTERVAL, self._look)

    def _wanted(self) -> None:
        self._loop.call_soon_threadsafe(self._ask)

    def _ask(self) -> None:
        if self._open and (self._beat is None or self._beat.done()):
            self._beat = self._lane.run(_heartbeat)
            self._beat.add_done_callback(self._judge)

    def _judge(self, beat: asyncio.Future[tuple[Any, ...]]) -> None:
        """Lets all connections be made anew, which a server that is not trusted any more refuses."""
        if beat.cancelled() or beat.exception() is not None:
            return
        try:
            check_settings(beat.result(), one_copy=self._one_copy)
        except StartError as error:
            _LOG.warning("the server is not used any more: its settings lose what it acknowledged (%s)", error)
            for link in self.links:
                link.renew()

    async def _search_on(self) -> None:
        while True:
            await asyncio.sleep(SEARCH_INTERVAL)
            await self._servers.look_around()
