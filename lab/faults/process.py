"""A process of the simulation: what runs under one name until it dies, told apart by the context of each callback."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

_CURRENT: "ContextVar[Process]" = ContextVar("process")


class CrashedError(BaseException):
    """The process of the present callback has died inside it: nothing that would follow happens."""


@dataclass(eq=False, slots=True)
class Process:
    """One incarnation. A dead one's callbacks are held back for ever; `steps_left` counts down to a death, if set."""

    name: str
    alive: bool = True
    steps_left: int | None = None
    ready: "deque[asyncio.Handle]" = field(default_factory=deque)
    held: "list[asyncio.Handle]" = field(default_factory=list)
    tasks: "list[asyncio.Task[Any]]" = field(default_factory=list)
    lanes: "dict[object, deque[Callable[[], None]]]" = field(default_factory=dict)
    on_death: Callable[[], None] | None = None
    context: Context = field(default_factory=Context)

    def __post_init__(self) -> None:
        self.context.run(_CURRENT.set, self)


def process_of(context: Context) -> Process | None:
    """The process that a callback's context belongs to."""
    return context.get(_CURRENT)


def current() -> Process | None:
    """The process of the present callback."""
    return _CURRENT.get(None)
