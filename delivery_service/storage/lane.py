"""A lane: one thread, one connection, and transactions that carry many requests each (group commit)."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from delivery_service.errors import DeliveryError, RefusedError, StoreError
from delivery_service.storage.engine import Listener, Load
from delivery_service.storage.transaction import RacedError, Transaction
from delivery_service.storage.values import Change, Notified

QUEUE_ITEMS = 4_096  # requests waiting for a lane; one more is refused as overloaded
QUEUE_OCTETS = 32 * 1024 * 1024
WAIT_LIMIT = 0.5  # seconds; while a request waits for longer, none joins that would not be in the next transaction
RETRY_AFTER = 1  # seconds, told with overloaded

T = TypeVar("T")

# What Python raises over values that a statement cannot take, and works over what changes; engines add their errors.
POISON = (TypeError, ValueError, ArithmeticError, LookupError, RacedError)


@dataclass(slots=True)
class Item:
    """A request: its work, and after the transaction the value or the error that it is answered with."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    octets: int
    future: asyncio.Future[Any]
    told: Callable[[Any], Change | Notified | None] | None
    value: Any = None
    error: DeliveryError | None = None


class Session(Protocol):
    """A connection that belongs to a lane's thread.

    A RefusedError concerns its own request; it must be raised before the request has written. Any other failure undoes
    the whole transaction, whose requests are then replayed alone, so that only the poisoned one fails.
    """

    def transact(self, items: list[Item]) -> None:
        """Gives each request its value, which is durable then, or its error."""

    def close(self) -> None:
        """Closes the connection."""


def attempt(item: Item, transaction: Transaction, changes: Callable[[], int]) -> None:
    """Runs a request's work; a refusal is its answer, unless it has changed something before."""
    before = changes()
    item.error = None
    try:
        item.value = item.work(transaction, *item.arguments)
    except RefusedError as refusal:
        if changes() != before:
            raise ValueError("a refusal after a change") from refusal
        item.error = refusal


class Lane:
    """Runs works in its thread, up to `batch` of them in a transaction; answers after COMMIT."""

    def __init__(
        self, connect: Callable[[], Session], *, batch: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._batch = batch
        self._clock = clock
        self._queue: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._gathered: list[Item] = []
        self._items = 0
        self._since: deque[float] = deque()  # when each was handed over that is in no transaction that has ended
        self._octets = 0
        self._batches = self._batched = self._failures = 0
        self._open = False
        self._thread: Thread | None = None

    def start(self, listener: Listener) -> None:
        """Starts the thread, to answer in the running event loop and to tell the listener there."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._session = self._connect()
        self._open = True
        self._thread = Thread(target=self._serve, name="delivery-store", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Answers what is queued, then ends the thread and closes the connection."""
        self._open = False
        if self._thread is not None:
            if self._gathered:
                self._hand_over()
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    @property
    def waiting(self) -> int:
        """How many requests are not answered yet."""
        return self._items

    @property
    def load(self) -> Load:
        """See Engine."""
        return Load(self._items, self._octets, self._batches, self._batched, self._failures, self._waited())

    def run(
        self,
        work: Callable[..., T],
        *arguments: Any,
        octets: int = 0,
        told: Callable[[T], Change | Notified | None] | None = None,
    ) -> asyncio.Future[T]:
        """Queues a request; once it is durable the listener hears what was `told`, even if nobody waits any more."""
        if not self._open:
            raise StoreError("the store is closed")
        if self._items >= QUEUE_ITEMS or self._octets + octets > QUEUE_OCTETS:
            raise RefusedError("overloaded", "too many requests are waiting for the disk", retry_after=RETRY_AFTER)
        # Two batches are the transaction under way and the next one: whom a disk has only kept for a moment need not
        # come again. Who would wait for a third behind a queue that does not get shorter in time is told so at once.
        if len(self._since) >= 2 * self._batch and self._waited() > WAIT_LIMIT:
            raise RefusedError("overloaded", "requests wait for the disk for too long", retry_after=RETRY_AFTER)
        self._items += 1
        self._octets += octets
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._gathered:
            # One hand-over for all that this turn of the event loop brings: each would cost a switch of threads.
            self._loop.call_soon(self._hand_over)
        self._gathered.append(Item(work, arguments, octets, future, told))
        return future

    def _waited(self) -> float:
        """Seconds that the oldest request has waited."""
        try:
            return self._clock() - self._since[0]
        except IndexError:
            return 0.0

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._since.extend([self._clock()] * len(gathered))
        self._queue.put(gathered)

    def _serve(self) -> None:
        items: list[Item] = []
        try:
            while self._gather(items):
                while items:
                    batch = items[: self._batch]
                    self._session.transact(batch)
                    for _ in batch:
                        self._since.popleft()
                    self._batches += 1
                    self._batched += len(batch)
                    self._loop.call_soon_threadsafe(self._answer, batch)
                    del items[: self._batch]
        finally:
            # Items are left only by a programming error: then nothing more is accepted, and nobody waits for ever.
            self._open = False
            self._abandon(items)
            self._session.close()

    def _gather(self, items: list[Item]) -> bool:
        """Waits for requests and adds those queued behind them; false at the end."""
        more = self._queue.get()
        while more is not None:
            items += more
            if len(items) >= self._batch:
                return True
            try:
                more = self._queue.get_nowait()
            except Empty:
                return True
        if items:
            self._queue.put(None)
        return bool(items)

    def _abandon(self, items: list[Item]) -> None:
        while not self._queue.empty():
            items += self._queue.get() or []
        for item in items:
            item.error = StoreError("the store has stopped")
        if items:
            self._loop.call_soon_threadsafe(self._answer, items)

    def _answer(self, items: list[Item]) -> None:
        for item in items:
            self._items -= 1
            self._octets -= item.octets
            self._failures += isinstance(item.error, StoreError)
            if item.error is None and item.told is not None and (change := item.told(item.value)) is not None:
                self._listener(change)
            if item.future.done():
                continue
            if item.error is None:
                item.future.set_result(item.value)
            else:
                item.future.set_exception(item.error)
