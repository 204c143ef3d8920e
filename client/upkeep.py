"""Upkeep: enough key packages at the service, and a certificate that never ends while the account is in use."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpx

from client.credentials.account import Account, save_chain
from client.credentials.acme_account import AcmeAccount, save_acme_account
from client.credentials.enrolment import EnrolmentClient
from client.credentials.log_watch import LogWatch
from client.credentials.renewal import Refusals
from client.defence.watch import Watched
from client.errors import (
    CertificateEndedError,
    ClientError,
    EnrolmentError,
    FrankingKeyError,
    RateLimitedError,
    RetentionShorterError,
    UnreachableError,
)
from client.events import Alarmed, Event, Trouble
from client.services.delivery import DeliveryClient
from client.steps.joining import KEY_PACKAGES_READY
from client.steps.wired import Steps
from client.storage.store import Store
from client.worker import Worker
from identity.authority.wire import RENEWAL_GRACE

DAY = 86_400
INTERVAL = 3600  # seconds between looks
KEPT = "The old certificate is kept. Tell the authority's operator."
WATCHING_FAILED = "it could not be seen whether the number or this device's key is used elsewhere"


class Upkeep:
    """Looks after what others need to find this device valid."""

    def __init__(
        self,
        steps: Steps,
        delivery: DeliveryClient,
        worker: Worker,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._steps = steps
        self._delivery = delivery
        self._worker = worker
        self._clock = clock
        self._transport = transport
        self._tell = tell
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None
        self._refusals = Refusals(steps.store)
        self._logs = LogWatch(steps.log_monitor, worker, clock=clock, transport=transport)
        self._refusal: ClientError | None = None

    async def run(self, *, now: bool = False) -> None:
        """Renew and refill if that is due; looks at most once an INTERVAL unless told to look `now`."""
        async with self._lock:
            await self._run(now)

    async def _run(self, now: bool) -> None:
        if not now and self._looked_at is not None and self._clock() < self._looked_at + INTERVAL:
            return
        renewed = await self._renewed(now)
        await self._worker.run(self._rotate_due, int(self._clock()))
        await self._learn_facts()
        stock = await self._delivery.key_package_stock()
        if renewed or stock.available < stock.low_water or not stock.last_resort or stock.rotate:
            wanted = KEY_PACKAGES_READY if renewed else max(KEY_PACKAGES_READY - stock.available, 0)
            await self._upload(wanted)
        await self._worker.run(self._steps.joiner.refresh_early)
        self._looked_at = self._clock()
        if now:
            await self._watch(now=True)

    async def is_to_watch(self) -> bool:
        """Whether it is time to ask any of them what they know of this number and key."""
        now = int(self._clock())
        return any([await self._worker.run(self._steps.watch.due, each, now) for each in Watched])

    async def watch(self) -> None:
        """Ask both services and the logs what they know of this number and key; who does not answer is asked later."""
        async with self._lock:
            await self._watch(now=False)

    async def _watch(self, *, now: bool) -> None:
        watched: dict[Watched, Callable[[], Awaitable[bool]]] = {
            Watched.DELIVERY: self._compare_delivery,
            Watched.AUTHORITY: self._compare_certificates,
            Watched.LOGS: self._compare_logs,
        }
        for service, compare in watched.items():
            if now or await self._worker.run(self._steps.watch.due, service, int(self._clock())):
                await self._attempt(service, compare)

    async def _attempt(self, service: Watched, compare: Callable[[], Awaitable[bool]]) -> None:
        try:
            if await compare():
                self._tell([Alarmed(await self._worker.run(self._steps.alarms.waiting))])
        except ClientError as error:
            await self._worker.run(self._steps.watch.put_off, service, int(self._clock()))
            if not isinstance(error, UnreachableError):
                self._tell([Trouble(None, error, error.code, f"{WATCHING_FAILED}: {error}")])

    async def _compare_delivery(self) -> bool:
        openings, references = await self._delivery.openings(), await self._delivery.key_package_references()
        compare = self._steps.watch.delivery
        return await self._worker.run(compare, openings, references, int(self._clock()))

    async def _compare_certificates(self) -> bool:
        account = self._steps.groups.account
        async with EnrolmentClient(account.authority, clock=self._clock, transport=self._transport) as authority:
            held = await authority.holdings(account.key, account.chain)
        return await self._worker.run(self._steps.watch.certificates, held, int(self._clock()))

    async def _compare_logs(self) -> bool:
        raised = await self._logs.look(self._steps.groups.account.authority)
        await self._worker.run(self._steps.watch.asked, Watched.LOGS, int(self._clock()))
        return raised

    async def replace_last_resort(self) -> None:
        """Replace the last-resort key package at once: it was handed out (RFC 9750 §5.1)."""
        async with self._lock:
            if (await self._delivery.key_package_stock()).rotate:
                await self._upload(0)
            await self._worker.run(self._steps.joiner.refresh_early)

    async def _learn_facts(self) -> None:
        """Keep what the service says of itself. A shorter time for which it keeps messages is told once.

        Its franking key is kept if it is the first; another one is told each time until it is agreed to.
        """
        status, now = await self._delivery.status(), int(self._clock())
        if (words := await self._worker.run(self._steps.facts.learn, status, now)) is not None:
            shorter = RetentionShorterError(words)
            self._tell([Trouble(None, shorter, shorter.code, words)])
        try:
            await self._worker.run(self._steps.franking.learn, status.franking_key, now)
        except FrankingKeyError as error:
            self._tell([Trouble(None, error, error.code, str(error))])

    async def _renewed(self, insist: bool) -> bool:
        """Renew if that is due, more and more seldom while it is refused unless a person wants to `insist`.

        A refusal is passed on at once only if nothing works without a new certificate.
        """
        account, now = self._steps.groups.account, int(self._clock())
        if not await self._worker.run(account.renewal_due, now):
            return False
        left = account.validity()[1] - now
        if not insist and not await self._worker.run(self._refusals.is_over, now):
            if left <= 0 and self._refusal is not None:
                raise self._refusal
            if left > 0:
                return False
        try:
            await self._renew(account)
        except ClientError as cause:
            error = _ended(account, -left, cause) if -left >= RENEWAL_GRACE else cause
            await self._refused(error, left, now)
            if left <= 0:
                raise error from cause
            self._tell([Trouble(None, error, error.code, f"the certificate could not be renewed: {error}")])
            return False
        return True

    async def _refused(self, error: ClientError, left: int, now: int) -> None:
        """Note what an authority has answered; one that cannot be reached is asked again at the next look."""
        if not isinstance(error, UnreachableError):
            self._refusal = error
            at_least = error.retry_after if isinstance(error, RateLimitedError) else 0
            await self._worker.run(self._refusals.note, left, now, at_least)

    async def _renew(self, account: Account) -> None:
        await self._worker.run(self._steps.watch.renewing, int(self._clock()))
        async with EnrolmentClient(
            account.authority, clock=self._clock, transport=self._transport, acme=account.acme
        ) as authority:
            enrolled = await authority.renew(account.key, account.chain, self._steps.groups.trust)
        await self._worker.run(self._adopt, enrolled.chain, authority.acme)
        self._delivery.use_chain(enrolled.chain)

    def _adopt(self, chain: Sequence[bytes], acme: AcmeAccount) -> None:
        renewed = self._steps.groups.account.with_chain(chain, acme)
        if renewed.validity()[1] <= self._steps.groups.account.validity()[1]:
            raise EnrolmentError("the authority's new certificate ends no later than the old one", hint=KEPT)
        with self._steps.store.transaction():
            adopt_chain(self._steps.store, chain)
            save_acme_account(self._steps.store, acme)
        self._steps.groups.use_account(renewed)

    def _rotate_due(self, now: int) -> None:
        account = self._steps.groups.account
        self._steps.groups.leaves.want_due(account.chain[0], account.point(), now)

    async def _upload(self, count: int) -> None:
        _, not_after = self._steps.groups.account.validity()
        made = await self._worker.run(self._steps.joiner.key_packages, count, not_after, int(self._clock()))
        await self._delivery.upload_key_packages(made)


def _ended(account: Account, seconds: int, cause: ClientError) -> ClientError:
    """What it means that an authority refuses to renew a certificate which ended so long ago, and what to do."""
    if isinstance(cause, UnreachableError):
        return cause
    services = f"--authority {account.authority} --delivery {account.delivery}"
    hint = (
        "A number may have a new holder after so long. Prove it again, which keeps the chats that are here: "
        f"ringtrue enroll {account.number.e164} {services}"
    )
    return CertificateEndedError(f"the certificate ended {seconds // DAY} days ago: {cause}", hint=hint)


def adopt_chain(store: Store, chain: Sequence[bytes]) -> None:
    """Store a new chain for the same key; each group gets it when that is due (client.credentials.renewal)."""
    with store.transaction():
        save_chain(store, chain)
        Refusals(store).forget()
