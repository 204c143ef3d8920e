"""Upkeep: enough key packages at the service, and a certificate that never ends while the account is in use."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpx

from client.account import Account, save_chain
from client.chats import Chats
from client.defence.watch import Watched
from client.delivery import DeliveryClient
from client.enrolment import EnrolmentClient
from client.errors import ClientError, FrankingKeyError, UnreachableError
from client.events import Alarmed, Event, Trouble
from client.intents import Intents, RotateCredential
from client.joining import KEY_PACKAGES_READY
from client.steps import Steps
from client.store import Store
from client.worker import Worker
from identity.certificates import TrustAnchors

INTERVAL = 3600  # seconds between looks
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

    async def run(self, *, now: bool = False) -> None:
        """Renew and refill if that is due; looks at most once an INTERVAL unless told to look `now`."""
        async with self._lock:
            await self._run(now)

    async def _run(self, now: bool) -> None:
        if not now and self._looked_at is not None and self._clock() < self._looked_at + INTERVAL:
            return
        renewed = await self._renewed()
        await self._learn_franking_key()
        stock = await self._delivery.key_package_stock()
        if renewed or stock.available < stock.low_water or not stock.last_resort:
            wanted = KEY_PACKAGES_READY if renewed else max(KEY_PACKAGES_READY - stock.available, 0)
            await self._upload(wanted)
        self._looked_at = self._clock()
        await self._watch(now)

    async def _watch(self, now: bool) -> None:
        """Ask both services what they know of this number and key; what cannot be asked now is asked later."""
        watched: dict[Watched, Callable[[], Awaitable[bool]]] = {
            Watched.DELIVERY: self._compare_delivery,
            Watched.AUTHORITY: self._compare_certificates,
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

    async def _learn_franking_key(self) -> None:
        """Keep the service's franking key if it is the first; another one is told each time until it is agreed to."""
        status = await self._delivery.status()
        try:
            await self._worker.run(self._steps.franking.learn, status.franking_key, int(self._clock()))
        except FrankingKeyError as error:
            self._tell([Trouble(None, error, error.code, str(error))])

    async def _renewed(self) -> bool:
        """Renew if that is due; a refusal is passed on at once only if nothing works without a new certificate."""
        account, now = self._steps.groups.account, int(self._clock())
        if not await self._worker.run(account.renewal_due, now):
            return False
        try:
            await self._renew(account)
        except ClientError as error:
            if now >= account.validity()[1]:
                raise
            self._tell([Trouble(None, error, error.code, f"the certificate could not be renewed: {error}")])
            return False
        return True

    async def _renew(self, account: Account) -> None:
        await self._worker.run(self._steps.watch.renewing, int(self._clock()))
        async with EnrolmentClient(account.authority, clock=self._clock, transport=self._transport) as authority:
            enrolled = await authority.renew(account.key, account.chain, TrustAnchors.from_pem(account.anchors))
        await self._worker.run(self._adopt, enrolled.chain)
        self._delivery.use_chain(enrolled.chain)

    def _adopt(self, chain: Sequence[bytes]) -> None:
        adopt_chain(self._steps.store, chain)
        self._steps.groups.use_account(self._steps.groups.account.with_chain(chain))

    async def _upload(self, count: int) -> None:
        _, not_after = self._steps.groups.account.validity()
        made = await self._worker.run(self._steps.joiner.key_packages, count, not_after, int(self._clock()))
        await self._delivery.upload_key_packages(made)


def adopt_chain(store: Store, chain: Sequence[bytes]) -> None:
    """Store a new chain for the same key, and want it in every group."""
    intents = Intents(store)
    with store.transaction():
        save_chain(store, chain)
        for chat in Chats(store).all():
            if chat.standing.is_member:
                intents.add_once(chat.group_id, RotateCredential())
