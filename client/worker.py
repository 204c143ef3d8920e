"""The one thread on which all MLS and disk steps run: the event loop stays responsive, and steps never overlap."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Worker:
    """Runs steps one after another; a step that was begun is finished even if nobody waits for it any more."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ringtrue-steps")

    async def run(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a step and wait for its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: step(*args, **kwargs))

    def stop(self) -> None:
        """Finish what was begun, and end the thread."""
        self._executor.shutdown(wait=True)
