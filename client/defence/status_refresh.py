"""Fetching the list of statuses: whole, the same for everybody, at intervals, so that no question shows who is met."""

import asyncio
from collections.abc import Callable, Iterable

import httpx

from client.credentials.enrolment import EnrolmentClient
from client.defence.statuses import KnownList
from client.errors import ClientError, StatusListRefusedError
from client.events import Event, Trouble
from client.steps.wired import Steps
from client.worker import Worker
from identity.errors import StatusListError

INTERVAL = 900  # seconds between lists
RETRY = 60  # seconds, after one could not be had


class StatusRefresh:
    """Keeps `steps.statuses` fresh; whatever fails here keeps nothing else from going on."""

    def __init__(
        self,
        steps: Steps,
        worker: Worker,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._steps = steps
        self._worker = worker
        self._clock = clock
        self._transport = transport
        self._tell = tell
        self._lock = asyncio.Lock()
        self._failed_at: int | None = None

    async def run(self) -> None:
        """Fetch the list if it is time; trouble is told once, until it is over."""
        async with self._lock:
            if not self._is_due():
                return
            try:
                await self._fetch()
            except ClientError as error:
                if self._failed_at is None:
                    words = f"The list of reported numbers could not be refreshed: {error}"
                    self._tell([Trouble(None, error, error.code, words)])
                self._failed_at = int(self._clock())

    async def now(self) -> KnownList:
        """Fetch the list now. Raises ClientError."""
        async with self._lock:
            return await self._fetch()

    def _is_due(self) -> bool:
        now, known = self._clock(), self._steps.statuses.known
        if self._failed_at is not None and now < self._failed_at + RETRY:
            return False
        return known is None or now >= min(known.fetched_at + INTERVAL, known.expires_at)

    async def _fetch(self) -> KnownList:
        known = self._steps.statuses.known
        authority = self._steps.groups.account.authority
        # What has ended cannot be confirmed: the authority makes a new one long before.
        serial = None if known is None or self._clock() >= known.expires_at else known.serial
        async with EnrolmentClient(authority, clock=self._clock, transport=self._transport) as asking:
            octets = await asking.status_list(serial)
        if octets is None:
            await self._worker.run(self._steps.statuses.confirm, int(self._clock()))
        else:
            try:
                await self._worker.run(self._steps.statuses.adopt, octets, int(self._clock()))
            except StatusListError as error:
                raise StatusListRefusedError(f"the authority's list is refused: {error}") from error
        self._failed_at = None
        fresh = self._steps.statuses.known
        assert fresh is not None, "a list was adopted or confirmed"
        return fresh
