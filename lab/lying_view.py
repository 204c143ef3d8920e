"""One log as a lying service shows it to one victim: which entries there are, and under which numbers."""

import msgspec

from delivery_service.wire import Entry


class View:
    """What is shown after `base`; `read` is the last entry of the true log that was taken in."""

    def __init__(self, base: int) -> None:
        self.base = self.read = self._last = base
        self._shown: list[Entry] = []
        self._dropped: list[Entry] = []
        self._put_off: list[Entry] = []
        self._held_at: int | None = None

    @property
    def head(self) -> int:
        """The last place that the victim is told of."""
        return self._last if self._held_at is None else min(self._held_at, self._last)

    def after(self, seq: int) -> list[Entry]:
        """What the victim reads after a place."""
        return [entry for entry in self._shown if seq < entry.seq <= self.head]

    def has_after(self, seq: int) -> bool:
        """Whether there is something to read."""
        return bool(self.after(seq))

    def show(self, entry: Entry) -> None:
        """Show an entry in the next place; after it, what was put off."""
        self._last += 1
        self._shown.append(msgspec.structs.replace(entry, seq=self._last))
        put_off, self._put_off = self._put_off, []
        for each in put_off:
            self.show(each)

    def hide(self) -> None:
        """Show nothing, and close the numbers up."""

    def drop(self, entry: Entry) -> None:
        """Show nothing, and leave the entry's place free."""
        self._last += 1
        self._dropped.append(msgspec.structs.replace(entry, seq=self._last))

    def repeat(self, entry: Entry) -> None:
        """Show the same octets in the next place once more."""
        self.show(msgspec.structs.replace(entry, idempotency_key="0" * 32))

    def put_off(self, entry: Entry) -> None:
        """Show an entry after the one that comes next."""
        self._put_off.append(entry)

    def hold(self) -> None:
        """Show nothing after what there is."""
        self._held_at = self._last

    def release(self) -> None:
        """Show what was held."""
        self._held_at = None

    def give_back(self) -> None:
        """Show what was dropped, in its places."""
        self._shown = sorted([*self._shown, *self._dropped], key=lambda entry: entry.seq)
        self._dropped = []

    def place_of(self, idempotency_key: str, seq: int) -> int:
        """Where an own entry stands in the view; for one that is not shown, where it would."""
        known = {entry.idempotency_key: entry.seq for entry in (*self._shown, *self._dropped)}
        return known.get(idempotency_key, self.estimate(seq))

    def estimate(self, head: int) -> int:
        """A true head in the view's numbers."""
        return self.head if self._held_at is not None else max(self._last + head - self.read, self.base)
