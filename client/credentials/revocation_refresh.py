"""Fetching what is said of certificates: the whole list of one's own authority, and the status of one's own alone.

Of nobody else's certificate is anything asked, so no question shows who is met. No message waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import httpx

from client.credentials import staple
from client.credentials.enrolment import EnrolmentClient
from client.credentials.revocations import DeviceState, KnownCrl
from client.errors import CertificateRevokedError, ClientError, RevocationsRefusedError
from client.events import Alarmed, Event, Trouble
from client.steps.wired import Steps
from client.worker import Worker
from identity.errors import RevocationError

INTERVAL = 900  # seconds between lists
RETRY = 60  # seconds, after one could not be had


class RevocationRefresh:
    """Keeps `steps.revocations` fresh; whatever fails here keeps nothing else from going on."""

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
        self._told_revoked = False

    async def run(self) -> None:
        """Fetch what it is time for; trouble is told once, until it is over."""
        async with self._lock:
            if self._is_resting():
                return
            troubles = [trouble for work in (self._list, self._staple) if (trouble := await self._tried(work))]
            if troubles and self._failed_at is None:
                self._tell(troubles[:1])
            self._failed_at = self._now() if troubles else None

    async def hurry(self) -> bool:
        """Fetch the list before its time if somebody is proposed as revoked whom it does not name; whether it came."""
        if not self._steps.evictions.wants_list:
            return False
        await self.run()
        return not self._steps.evictions.wants_list

    async def now(self) -> KnownCrl | None:
        """Fetch the list now; None if this device's certificate has no issuer who has one. Raises ClientError."""
        async with self._lock:
            if self._steps.revocations.has_issuer:
                await self._fetch_list()
                await self._look_at_oneself()
            return self._steps.revocations.known

    def _now(self) -> int:
        return int(self._clock())

    def _is_resting(self) -> bool:
        return self._failed_at is not None and self._now() < self._failed_at + RETRY

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> Trouble | None:
        try:
            await work()
        except ClientError as error:
            words = f"What the authority says of certificates could not be refreshed: {error}"
            return Trouble(None, error, error.code, words)
        return None

    async def _list(self) -> None:
        """Fetch the list if it is time for it."""
        now, known = self._now(), self._steps.revocations.known
        is_due = known is None or now >= min(known.fetched_at + INTERVAL, known.next_update)
        if self._steps.revocations.has_issuer and (is_due or self._steps.evictions.wants_list):
            await self._fetch_list()
            await self._look_at_oneself()

    def _authority(self) -> EnrolmentClient:
        return EnrolmentClient(self._steps.groups.account.authority, clock=self._clock, transport=self._transport)

    async def _fetch_list(self) -> None:
        revocations, now = self._steps.revocations, self._now()
        known = revocations.known
        # What is over cannot be confirmed: the authority makes a new one long before.
        number = None if known is None or now >= known.next_update else known.number
        async with self._authority() as authority:
            der = await authority.revocation_list(number)
        self._steps.evictions.wants_list = False  # what this one does not settle, the next one may
        if der is None:
            await self._worker.run(revocations.confirm, now)
        else:
            try:
                await self._worker.run(revocations.adopt, der, now)
            except RevocationError as error:
                raise RevocationsRefusedError(f"the authority's list of revocations is refused: {error}") from error
            await self._worker.run(self._steps.statuses.load)  # its signer may be among what was revoked
            if await self._worker.run(self._steps.evictions.look_again, now):
                self._tell([Alarmed(await self._worker.run(self._steps.alarms.waiting))])

    async def _look_at_oneself(self) -> None:
        """Say that this device's certificate was revoked: by its owner elsewhere, or because the number moved on."""
        chain = self._steps.groups.account.chain
        state = await self._worker.run(self._steps.revocations.state, chain, self._now())
        if state is not DeviceState.REVOKED:
            self._told_revoked = False
        elif not self._told_revoked:
            self._told_revoked = True
            error = CertificateRevokedError("the certificate of this device was revoked: what it sends counts no more")
            self._tell([Trouble(None, error, error.code, str(error))])

    async def _staple(self) -> None:
        """Fetch the status of one's own long-lived certificate, and put it where an older one is nearly over."""
        account, store, now = self._steps.groups.account, self._steps.store, self._now()
        if not staple.is_needed(account.chain):
            return
        if await self._worker.run(staple.is_due, store, account.chain, now):
            async with self._authority() as authority:
                response = await authority.certificate_status(staple.query(account.chain, account.number))
            try:
                await self._worker.run(staple.keep, store, account.chain, account.number, response, now)
            except RevocationError as error:
                raise RevocationsRefusedError(f"the authority's OCSP response is refused: {error}") from error
            await self._worker.run(self._steps.groups.use_account, account)
        await self._worker.run(self._steps.groups.want_staple, now)
