"""The storage that replicas share: one SQLite connection in this process, and each replica's engine over it.

A work runs in the loop, at a drawn moment; a replica can die before its transaction and between COMMIT and the answer.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw
from starlette.applications import Starlette

from delivery_service import service
from delivery_service.app import create_app
from delivery_service.blob_storage.memory import MemoryBlobs
from delivery_service.errors import RefusedError, StoreError
from delivery_service.storage import engine as port
from delivery_service.storage import groups
from delivery_service.storage.engine import Listener
from delivery_service.storage.lane import POISON
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.transaction import SqliteTransaction
from delivery_service.storage.values import Change, NewEntry, Notified
from delivery_service.wire import Appended
from identity.certificates import TrustAnchors
from lab.faults.loop import VirtualLoop
from lab.faults.network import Network
from lab.faults.process import Process
from lab.seams.seam import instead

T = TypeVar("T")

DISK_TIME = 0.004  # seconds until a transaction begins, and after it until the answer, at most
WAKEUP_TIME = 0.05  # seconds until another replica hears of a change, at most


class Storage:
    """The database, and who hears of its changes."""

    def __init__(self, image: bytes) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.deserialize("main", image)
        self.engines: list[SharedEngine] = []

    def forget(self, process: Process) -> None:
        """A replica has died and hears of nothing."""
        self.engines = [each for each in self.engines if each.process is not process]

    def transact(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        """The result of a work in a transaction of its own. Raises RefusedError, StoreError, and keeps nothing then."""
        execute, kept = self.connection.execute, False
        execute("BEGIN IMMEDIATE")
        try:
            value = self.work(work, arguments)
            kept = True
            return value
        finally:
            execute("COMMIT" if kept else "ROLLBACK")

    def work(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        """The result of a work inside a transaction. Raises RefusedError, StoreError."""
        try:
            return work(SqliteTransaction(self.connection), *arguments)
        except POISON as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error


class SharedEngine:
    """An Engine: one replica's way to the storage."""

    def __init__(self, storage: Storage, process: Process, loop: VirtualLoop, network: Network) -> None:
        self._storage = storage
        self.process = process
        self._loop = loop
        self._network = network
        self._listener: Listener = lambda _: None

    @property
    def load(self) -> "port.Load":
        """Nothing waits here."""
        return port.Load(0, 0, 0, 0, 0)

    @property
    def standing(self) -> "port.Standing":
        """One storage, of which nobody is left behind."""
        return port.Standing()

    @property
    def _draw(self) -> random.Random:
        return self._network.draw

    def start(self, listener: Listener) -> None:
        """Join the replicas that hear of changes."""
        self._listener = listener
        self._storage.engines.append(self)

    async def stop(self) -> None:
        """Leave them."""
        if self in self._storage.engines:
            self._storage.engines.remove(self)

    def read(self, work: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """See Engine."""
        return self._begin(work, arguments, lambda _: None)

    def write(
        self,
        work: Callable[..., T],
        *arguments: Any,
        octets: int = 0,
        told: Callable[[T], Change | Notified | None] | None = None,
        group: bytes | None = None,
    ) -> "asyncio.Future[T]":
        """See Engine; here one transaction follows the other in any case."""
        return self._begin(work, arguments, told or (lambda _: None))

    async def append(self, entry: NewEntry) -> Appended:
        """See Engine."""
        return await self.write(groups.append, entry, told=lambda answer: Change(entry.group_id, answer.seq))

    def _begin(
        self, work: Callable[..., T], arguments: tuple[Any, ...], told: Callable[[T], Change | Notified | None]
    ) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self._loop.create_future()
        delay = self._draw.random() * DISK_TIME
        self._loop.call_later(delay, self._transact, work, arguments, told, future, context=self.process.context)
        return future

    def _transact(
        self,
        work: Callable[..., T],
        arguments: tuple[Any, ...],
        told: Callable[[T], Change | Notified | None],
        future: "asyncio.Future[T]",
    ) -> None:
        if not self.process.alive or self._dies("before a transaction"):
            return
        outcome = self._outcome(work, arguments)
        if self._dies("after a transaction"):
            return
        if isinstance(outcome, RefusedError | StoreError):
            self._answer(future.set_exception, future, outcome)
            return
        self._answer(future.set_result, future, outcome)
        if (change := told(outcome)) is not None:
            self._tell(change)

    def _outcome(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T | RefusedError | StoreError:
        if self._network.chance(self._network.rates.outage):
            self._network.trace.fault("storage outage", self.process.name)
            return StoreError("the database is out of reach")
        try:
            return self._storage.transact(work, arguments)
        except (RefusedError, StoreError) as error:
            return error

    def _answer(self, give: Callable[[Any], None], future: "asyncio.Future[T]", value: object) -> None:
        def given() -> None:
            if not future.done():
                give(value)

        self._loop.call_later(self._draw.random() * DISK_TIME, given, context=self.process.context)

    def _dies(self, when: str) -> bool:
        if not self._network.chance(self._network.rates.commit_crash):
            return False
        self._network.trace.fault("crash of a replica", f"{self.process.name} {when}")
        self._loop.kill(self.process)
        return True

    def _tell(self, change: Change | Notified) -> None:
        for engine in self._storage.engines:
            if engine is self:
                self._loop.call_soon(engine._listener, change, context=engine.process.context)
            elif self._network.chance(self._network.rates.lost_wakeup):
                self._network.trace.fault("lost wake-up", engine.process.name)
            else:
                delay = self._draw.random() * WAKEUP_TIME
                self._loop.call_later(delay, engine._listener, change, context=engine.process.context)


def empty_image() -> bytes:
    """The image of a database with the service's tables and nothing in them."""
    connection = SqliteEngine(None)._connect()
    try:
        return connection.serialize("main")
    finally:
        connection.close()


def app_over(
    engine: SharedEngine, folder: Path, anchors: TrustAnchors, host: str, clock: Callable[[], float]
) -> Starlette:
    """The delivery service with this engine in the place of its own."""
    with instead(service, "SqliteEngine", lambda *_: engine).exchanged():
        return create_app(folder, anchors, host=host, clock=clock, storage=MemoryBlobs())
