"""The trace of a run: what happened, in order, under names that do not depend on random octets."""

import hashlib
from collections import Counter
from collections.abc import Callable


class Trace:
    """Lines with the virtual time before them; `digest` of two runs is equal if all their lines are."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lines: list[str] = []
        self.injected: Counter[str] = Counter()
        self._groups: dict[str, str] = {}

    def say(self, words: str) -> None:
        """Add a line."""
        self.lines.append(f"{self._now():10.4f} {words}")

    def fault(self, kind: str, words: str) -> None:
        """Add a line about a fault, and count it."""
        self.injected[kind] += 1
        self.say(f"FAULT {kind}: {words}")

    def group(self, name: str) -> str:
        """A short name for a group's id or its form in addresses."""
        return self._groups.setdefault(name, f"G{len(self._groups) + 1}")

    def digest(self) -> str:
        """SHA-256 of all lines, in hexadecimal."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
