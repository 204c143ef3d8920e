"""What a seam is: a guard, and how the lab makes it pass everything for as long as a `with` lasts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from lab.attacks.outcome import Guard
from lab.world import World


@dataclass(frozen=True, slots=True)
class Seam:
    """Inside `with seam.off(world):` this guard passes everything, at every client or service of this process."""

    guard: Guard
    off: Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """A name that the product looks up when it runs, and what the lab makes of that which it would find there."""

    owner: Any
    name: str
    change: Callable[[Any], Any]

    @contextmanager
    def exchanged(self) -> Iterator[None]:
        """Let the product find it for a while."""
        before = getattr(self.owner, self.name)
        setattr(self.owner, self.name, self.change(before))
        try:
            yield
        finally:
            setattr(self.owner, self.name, before)


def instead(owner: Any, name: str, value: Any) -> Place:
    """Let the product find this value, whatever it would find."""
    return Place(owner, name, lambda _: value)


def exchanging(guard: Guard, *places: Place) -> Seam:
    """The seam of a guard that is switched off by exchanging one or more names."""

    @contextmanager
    def off(_: World) -> Iterator[None]:
        with ExitStack() as stack:
            for place in places:
                stack.enter_context(place.exchanged())
            yield

    return Seam(guard, off)


@contextmanager
def without(world: World, seams: Sequence[Seam]) -> Iterator[None]:
    """Switch off all of these."""
    with ExitStack() as stack:
        for seam in seams:
            stack.enter_context(seam.off(world))
        yield
