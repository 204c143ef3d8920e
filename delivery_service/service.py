"""One delivery service: its parts, put together, and the life that they share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from delivery_service.allowances import Allowances
from delivery_service.blob_storage import BlobStorage
from delivery_service.blob_storage.folder import FolderBlobs
from delivery_service.blob_storage.memory import MemoryBlobs
from delivery_service.blobs import Blobs
from delivery_service.consent import Consent
from delivery_service.credentials import Credentials
from delivery_service.ending import Endings
from delivery_service.entrance import Entrance
from delivery_service.errors import RefusedError, StartError, StoreError
from delivery_service.events import Streams
from delivery_service.eviction import NEVER, Evictions
from delivery_service.external_sender import ExternalSender
from delivery_service.franking import KEY_FILE as FRANKING_FILE
from delivery_service.franking import Franking
from delivery_service.groups import Groups
from delivery_service.key_packages import KeyPackages
from delivery_service.limits import HourlyLimit, Lines
from delivery_service.observers import Observers
from delivery_service.policy import POLICY, Policy
from delivery_service.purge import Purge
from delivery_service.quotas import Quotas
from delivery_service.readiness import Readiness
from delivery_service.revocations import REFRESH_INTERVAL, RETRY_INTERVAL, KnownLists
from delivery_service.rollback import Rollbacks
from delivery_service.sessions import Sessions
from delivery_service.shared_keys import check_files, check_key
from delivery_service.storage import duties
from delivery_service.storage.engine import Engine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.transfers import Transfers
from delivery_service.wakeups import Wakeups
from delivery_service.wire import (
    BLOBS_PER_HOUR,
    CLAIMS_PER_HOUR,
    CLAIMS_PER_TARGET_HOUR,
    CONTACT_DECISIONS_PER_HOUR,
    GROUPS_PER_HOUR,
    OCTETS_PER_HOUR,
    OWN_CLAIMS_PER_HOUR,
    RETENTION,
    SESSIONS_PER_HOUR,
    UPLOADS_PER_HOUR,
)
from identity.certificates import TrustAnchors

if TYPE_CHECKING:  # psycopg alone takes a quarter of a service's start
    from delivery_service.notices import Notices
    from delivery_service.storage.database import Database

BLOBS_FOLDER = "blobs"  # beside the database
MEMBERS_HEAR = 1200  # seconds in which clients fetch their lists (every 900) and have read them
EXPIRY_INTERVAL = 3600  # seconds between two runs of the retention
LARGE_BODIES_PER_NUMBER = 4  # bundles and uploads of one number that may arrive at once
LARGE_BODIES = 32  # of all numbers: at most about 270 MB in memory
READINGS_PER_NUMBER = 8  # batches of one number that are being read at once: at most about 35 MB in memory; more wait


class Service:
    """The parts that the endpoints call."""

    def __init__(
        self,
        folder: Path | None,
        anchors: TrustAnchors,
        host: str,
        clock: Callable[[], float],
        quotas: Quotas,
        storage: BlobStorage | None = None,
        database: "Database | None" = None,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        encryption: bytes | None = None,
    ) -> None:
        policy.check()
        self.host = host
        self.clock = clock
        self.entrance = Entrance()
        self._folder = folder
        self.wakeups = Wakeups()
        self.engine: Engine
        self.notices: Notices | None = None
        if database is None:
            self.engine = SqliteEngine(folder, encryption)
        else:
            self.engine, self.notices = _shared(database, folder, self.wakeups)
        self.store = Store(self.engine)
        self.readiness = Readiness(self.engine, clock)
        self.retention_runs = self.retention_failures = 0
        self.policy = policy
        self.lists = KnownLists(self.engine, policy.revocations, transport)
        self.credentials = Credentials(anchors, self.lists)
        self.franking = Franking(folder, host)
        self.sender = ExternalSender(host, self.franking.secret)
        self.observers = Observers(self.store, self.credentials, self.sender)
        self.evictions = Evictions(self.engine, self.observers, self.sender, self.lists, policy)
        self._propose_at = NEVER
        self.groups = Groups(self.store, self.observers, self.franking)
        self.rollbacks = Rollbacks(self.engine, self.observers)
        self.endings = Endings(self.engine, self.observers, policy.retention)
        self.key_packages = KeyPackages(self.store, self.credentials)
        self.consent = Consent(self.store, self.credentials, quotas)
        self.sessions = Sessions(partial(self.franking.secret, "session tokens"))
        self.purge = Purge(self.engine, self.lists, self.credentials, self.sessions, self.wakeups)
        self.streams = Streams(self.store, self.wakeups, shared=database is not None)
        hourly = partial(HourlyLimit, disguise=self.franking.pseudonym)
        self.sessions_limit = hourly(SESSIONS_PER_HOUR, "SESSIONS_PER_HOUR", "sessions of one number")
        self.uploads = hourly(UPLOADS_PER_HOUR, "UPLOADS_PER_HOUR", "key package uploads of one number")
        self.foundings = hourly(GROUPS_PER_HOUR, "GROUPS_PER_HOUR", "groups founded by one number")
        self.octets = hourly(OCTETS_PER_HOUR, "OCTETS_PER_HOUR", "octets sent by one number")
        self.claims = hourly(CLAIMS_PER_HOUR, "CLAIMS_PER_HOUR", "key package claims of one number")
        self.own_claims = hourly(OWN_CLAIMS_PER_HOUR, "OWN_CLAIMS_PER_HOUR", "claims of one number for itself")
        self.claims_of_target = hourly(CLAIMS_PER_TARGET_HOUR, "CLAIMS_PER_TARGET_HOUR", "claims for one number")
        self.decisions = hourly(
            CONTACT_DECISIONS_PER_HOUR, "CONTACT_DECISIONS_PER_HOUR", "decisions about contacts by one number"
        )
        self.blobs_limit = hourly(BLOBS_PER_HOUR, "BLOBS_PER_HOUR", "blobs of one number")
        self.blob_storage = storage or (MemoryBlobs() if folder is None else FolderBlobs(folder / BLOBS_FOLDER))
        kept = policy.retention
        self.blobs = Blobs(self.engine, self.blob_storage, self.franking.pseudonym, retention=kept)
        self.allowances = Allowances(
            self.engine,
            (
                self.sessions_limit,
                self.uploads,
                self.foundings,
                self.octets,
                self.claims,
                self.own_claims,
                self.claims_of_target,
                self.decisions,
                self.blobs_limit,
            ),
            clock,
        )
        self.large_bodies = Transfers(LARGE_BODIES_PER_NUMBER, LARGE_BODIES)
        self.readings = Lines(READINGS_PER_NUMBER)

    def now(self) -> int:
        """The service's clock in seconds."""
        return int(self.clock())

    def now_ms(self) -> int:
        """The service's clock in milliseconds."""
        return int(self.clock() * 1000)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Opens the store and keeps its retention, until the end. Raises StartError."""
        async with AsyncExitStack() as parts:
            try:
                await self._start(parts)
            except StoreError as error:
                raise StartError(f"the store does not answer: {error}") from error
            yield

    async def _start(self, parts: AsyncExitStack) -> None:
        self.engine.start(self.wakeups.publish if self.notices is None else self.notices.publish)
        parts.push_async_callback(self.engine.stop)
        await check_files(self.engine, self._folder, {"franking": FRANKING_FILE})
        self.franking.start()
        if self._folder is not None:
            await check_key(self.engine, "franking", self.franking.public_key)
        await self.lists.load()
        await self.blob_storage.start()
        parts.push_async_callback(self.blob_storage.stop)
        parts.callback(self.observers.close)
        await parts.enter_async_context(self.allowances.shared())
        if self.notices is not None:
            await parts.enter_async_context(self.notices.running())
        for work in (self._look_after_hourly(), self._go_by_revocations()):
            task = asyncio.create_task(work)
            parts.push_async_callback(asyncio.wait, [task])
            parts.callback(task.cancel)

    async def look_after(self) -> None:
        """Does each of the hourly duties; what cannot be done now is counted, and left for the next hour."""
        now, remembered = self.now(), self.now() - RETENTION
        kept = now - self.policy.retention
        failed = False
        for duty in (
            partial(self.store.expire_before, kept, now, remembered),
            partial(self.blobs.expire, kept, now),
            partial(self.engine.write, duties.expire, now, remembered),
            partial(self.evictions.run, now),
            partial(self.rollbacks.expire, now, self.policy.retention),
            partial(self.endings.delete_ended, now),
        ):
            try:
                await duty()
            except (StoreError, RefusedError):  # a full disk or a queue; appends report it meanwhile
                failed = True
        self.retention_failures += failed
        self.retention_runs += not failed

    async def _look_after_hourly(self) -> None:
        while True:
            if self.notices is not None:
                await self.notices.keeping.wait()
            await self.look_after()
            await asyncio.sleep(EXPIRY_INTERVAL)

    async def _go_by_revocations(self) -> None:
        due = 0
        while True:
            now = self.now()
            with suppress(StoreError, RefusedError):  # what is left is done at the next look
                await self.end_revoked(now)  # by the lists at hand: after a restart no authority is waited for
            if now >= due:
                due = now + (REFRESH_INTERVAL if await self.lists.refresh(now) else RETRY_INTERVAL)
            else:
                await asyncio.sleep(RETRY_INTERVAL)

    async def end_revoked(self, now: int) -> None:
        """Ends what revoked certificates have here, and proposes to remove whose they are: one replica does that.

        It waits until members know the same list: who does not leaves a proposal out when they next write, and the
        group then has its peace for a day.
        """
        if await self.purge.run(now):
            self._propose_at = now + MEMBERS_HEAR
        if now >= self._propose_at and (self.notices is None or self.notices.keeping.is_set()):
            self._propose_at = NEVER
            await self.evictions.run(now)


def _shared(database: "Database", folder: Path | None, wakeups: Wakeups) -> "tuple[Engine, Notices]":
    """The engine of a database that replicas share, and what they tell each other through it."""
    from delivery_service.notices import Notices
    from delivery_service.storage.postgresql import PostgresqlEngine

    engine = PostgresqlEngine(database, folder)
    return engine, Notices(engine.servers, wakeups)
