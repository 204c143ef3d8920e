"""An event loop in virtual time, without sockets, threads or sleeping: whose callback is next is drawn from a seed.

Within a process callbacks keep their order, as asyncio promises; between processes any order can come. What is given to
an executor runs in the loop, after a drawn delay, in the executor's order.
"""

import asyncio
import heapq
import random
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from lab.faults.process import CrashedError, Process, current, process_of

T = TypeVar("T")

THREAD_DELAY = 0.002  # seconds that a step on a thread takes at most
STEPS_LIMIT = 60_000  # callbacks of one run: more is a loop that does not end


class StuckError(Exception):
    """Nothing can happen any more, or it does not stop happening."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """One simulated machine park; `now` is seconds since its beginning."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.now = 0.0
        self.steps = 0
        self.unhandled: list[BaseException] = []
        self.world = Process("world")
        self._runnable: list[Process] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the world to its end. Raises StuckError."""
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(finalizer=self._finalize)
        try:
            task = self.spawn(self.world, work)
            while not task.done():
                self._step()
            return task.result()
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)

    def spawn(self, process: Process, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin a task of a process."""
        return process.context.copy().run(self.create_task, work)

    def kill(self, process: Process) -> None:
        """Let a process stop at once, without any of its cleaning up."""
        process.alive = False
        process.held.extend(process.ready)
        process.ready.clear()
        if process in self._runnable:
            self._runnable.remove(process)
        if process.on_death is not None:
            process.on_death()

    def bury(self, process: Process) -> None:
        """Let what a dead process holds end, when it can do no harm any more."""
        process.alive, process.steps_left = True, None
        for task in process.tasks:
            task.cancel()
        for handle in process.held:
            self._enqueue(handle, process)
        process.held.clear()

    def finish(self, executor: object) -> None:
        """Do what waits for an executor of the present process: it is shut down."""
        process = current() or self.world
        for job in process.lanes.pop(executor, ()):
            job()

    def _step(self) -> None:
        if not self._runnable:
            self._wait()
            return
        self.steps += 1
        if self.steps > STEPS_LIMIT:
            raise StuckError(f"more than {STEPS_LIMIT} steps")
        choice = self.draw.randrange(len(self._runnable)) if len(self._runnable) > 1 else 0
        process = self._runnable[choice]
        if process.steps_left is not None:
            process.steps_left -= 1
            if process.steps_left <= 0:
                process.steps_left = None
                self.kill(process)
                return
        handle = process.ready.popleft()
        if not process.ready:
            self._runnable.remove(process)
        if not handle.cancelled():
            handle._run()

    def _wait(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise StuckError("everybody waits for somebody")
        self.now = max(self.now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self.now:
            _, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._enqueue(handle, process_of(handle._context) or self.world)  # type: ignore[attr-defined]

    def _enqueue(self, handle: asyncio.Handle, process: Process) -> None:
        if not process.alive:
            process.held.append(handle)
            return
        if not process.ready:
            self._runnable.append(process)
        process.ready.append(handle)

    def _finalize(self, generator: Any) -> None:
        self.create_task(generator.aclose())

    # What asyncio asks of a loop.

    def time(self) -> float:
        """The virtual time."""
        return self.now

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always, for whoever can ask."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """In the order of its process."""
        context = context if context is not None else copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle, process_of(context) or self.world)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there are no threads

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """After `delay` virtual seconds."""
        return self.call_at(self.now + max(delay, 0), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """At a virtual time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when their time comes."""

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        """A task of the present process, or of the one that `context` belongs to."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        process = (current() if context is None else process_of(context)) or self.world
        process.tasks.append(task)
        if len(process.tasks) > 64:
            process.tasks = [each for each in process.tasks if not each.done()]
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Runs in the loop, in the executor's order."""
        future: asyncio.Future[T] = self.create_future()
        lane = (current() or self.world).lanes.setdefault(executor, deque())
        lane.append(lambda: _do(future, func, args))
        self.call_later(self.draw.random() * THREAD_DELAY, self._next_of, lane)
        return future

    def _next_of(self, lane: "deque[Callable[[], None]]") -> None:
        if lane:
            lane.popleft()()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody has caught."""
        error = context.get("exception")
        if isinstance(error, BaseException) and not isinstance(error, CrashedError | asyncio.CancelledError):
            self.unhandled.append(error)


def virtual_loop(seed: object) -> VirtualLoop:
    """A loop that draws from a seed; what it has no use for, such as sockets, stays unimplemented."""
    return VirtualLoop(random.Random(str(seed)))  # type: ignore[abstract]  # noqa: S311 - replayable on purpose


class _Answer:
    """Hands what ends a `with` on to a future, as an executor does; nobody hears of a death."""

    def __init__(self, future: "asyncio.Future[Any]") -> None:
        self._future = future

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is not None and not isinstance(error, CrashedError) and not self._future.done():
            self._future.set_exception(error)
        return True


def _do(future: "asyncio.Future[T]", func: Callable[..., T], args: tuple[Any, ...]) -> None:
    with _Answer(future):
        value = func(*args)
        if not future.done():
            future.set_result(value)
