"""A clock that can be set forward, so that days pass in no time."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class SettableClock:
    """Seconds since the Unix epoch, `ahead` of the machine's clock."""

    source: Callable[[], float] = time.time
    ahead: float = 0.0

    def __call__(self) -> float:
        """The time in this world."""
        return self.source() + self.ahead

    def advance(self, seconds: float) -> None:
        """Let time pass for everyone who reads this clock."""
        self.ahead += seconds
