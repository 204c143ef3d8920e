"""Upkeep: enough key packages at the service, and a certificate that never ends while the account is in use."""

import asyncio
from collections.abc import Callable

import httpx
from cryptography import x509

from client.account import save_chain
from client.delivery import DeliveryClient
from client.enrolment import Enrolled, EnrolmentClient
from client.intents import RotateCredential
from client.joining import KEY_PACKAGES_READY
from client.steps import Steps
from client.worker import Worker
from identity.certificate_fields import validity
from identity.certificates import TrustAnchors

INTERVAL = 3600  # seconds between looks
RENEWAL_SHARE = 3  # renew when less than one part in so many of a certificate's life is left


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
    ) -> None:
        self._steps = steps
        self._delivery = delivery
        self._worker = worker
        self._clock = clock
        self._transport = transport
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None

    async def run(self, *, now: bool = False) -> None:
        """Renew and refill if that is due; looks at most once an INTERVAL unless told to look `now`."""
        async with self._lock:
            await self._run(now)

    async def _run(self, now: bool) -> None:
        if not now and self._looked_at is not None and self._clock() < self._looked_at + INTERVAL:
            return
        renewed = await self._renew()
        stock = await self._delivery.key_package_stock()
        if renewed or stock.available < stock.low_water or not stock.last_resort:
            wanted = KEY_PACKAGES_READY if renewed else max(KEY_PACKAGES_READY - stock.available, 0)
            await self._upload(wanted)
        self._looked_at = self._clock()

    async def _renew(self) -> bool:
        account, at = self._steps.groups.account, int(self._clock())
        not_before, not_after = await self._worker.run(self._validity)
        if not_after - at > (not_after - not_before) // RENEWAL_SHARE:
            return False
        async with EnrolmentClient(account.authority, clock=self._clock, transport=self._transport) as authority:
            enrolled = await authority.renew(account.key, account.chain, TrustAnchors.from_pem(account.anchors))
        await self._worker.run(self._adopt, enrolled)
        self._delivery.use_chain(enrolled.chain)
        return True

    def _validity(self) -> tuple[int, int]:
        return validity(x509.load_der_x509_certificate(self._steps.groups.account.chain[0]))

    def _adopt(self, enrolled: Enrolled) -> None:
        with self._steps.store.transaction():
            save_chain(self._steps.store, enrolled.chain)
            for chat in self._steps.chats.all():
                if chat.standing.is_member:
                    self._steps.intents.add_once(chat.group_id, RotateCredential())
        self._steps.groups.use_account(self._steps.groups.account.with_chain(enrolled.chain))

    async def _upload(self, count: int) -> None:
        _, not_after = await self._worker.run(self._validity)
        made = await self._worker.run(self._steps.joiner.key_packages, count, not_after, int(self._clock()))
        await self._delivery.upload_key_packages(made)
