"""Switching one guard off for a while: only here, in the lab; the product has no way to do it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab.attacks.outcome import Guard


@dataclass(frozen=True, slots=True)
class Seam:
    """Inside `with seam.off():` this guard of this process passes everything."""

    guard: Guard
    off: Callable[[], AbstractContextManager[None]]
