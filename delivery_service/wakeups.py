"""Wake-ups: who waits for which group."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from delivery_service.store import Change

WATCHERS_PER_DEVICE = 16  # the longest wait ends when a device begins one more


@dataclass(eq=False, slots=True)
class Watcher:
    """Somebody who waits; between two looks it holds only the newest head of each group, so traffic cannot grow it."""

    device: bytes
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    heads: dict[bytes, int] = field(default_factory=dict)
    groups: set[bytes] = field(default_factory=set)
    joined: bool = False
    closed: bool = False

    def note(self, group_id: bytes, seq: int) -> None:
        """A group has a new head."""
        self.heads[group_id] = max(seq, self.heads.get(group_id, 0))
        self.woken.set()

    async def wait(self, seconds: float) -> bool:
        """Whether something happened within `seconds`."""
        try:
            await asyncio.wait_for(self.woken.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Ends the wait."""
        self.closed = True
        self.woken.set()


class Wakeups:
    """Tells each durable change to the watchers whom it concerns; used from the event loop's thread only."""

    def __init__(self) -> None:
        self._by_device: defaultdict[bytes, list[Watcher]] = defaultdict(list)
        self._by_group: defaultdict[bytes, set[Watcher]] = defaultdict(set)
        self._closed = False

    def close(self) -> None:
        """Ends every wait, also those that begin later: the service stops."""
        self._closed = True
        for watchers in self._by_device.values():
            for watcher in watchers:
                watcher.close()

    def publish(self, change: Change) -> None:
        """The store's listener."""
        for watcher in self._by_group.get(change.group_id, ()):
            watcher.note(change.group_id, change.seq)
        for device in change.left:
            for watcher in self._by_device.get(device, ()):
                self._leave(watcher, change.group_id)
        for device in change.joined:
            for watcher in self._by_device.get(device, ()):
                watcher.joined = True
                watcher.woken.set()

    @contextmanager
    def watch(self, device: bytes, groups: Iterable[bytes] = ()) -> Iterator[Watcher]:
        """A watcher of a device's joins and of the groups given."""
        watcher = Watcher(device)
        watchers = self._by_device[device]
        watchers.append(watcher)
        if len(watchers) > WATCHERS_PER_DEVICE:
            next(earlier for earlier in watchers if not earlier.closed).close()
        self.follow(watcher, groups)
        if self._closed:
            watcher.close()
        try:
            yield watcher
        finally:
            self._forget(watcher)

    def follow(self, watcher: Watcher, groups: Iterable[bytes]) -> None:
        """Lets a watcher hear of more groups."""
        for group_id in groups:
            watcher.groups.add(group_id)
            self._by_group[group_id].add(watcher)

    def _leave(self, watcher: Watcher, group_id: bytes) -> None:
        watcher.groups.discard(group_id)
        if (watchers := self._by_group.get(group_id)) is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._by_group[group_id]

    def _forget(self, watcher: Watcher) -> None:
        for group_id in list(watcher.groups):
            self._leave(watcher, group_id)
        watchers = self._by_device[watcher.device]
        watchers.remove(watcher)
        if not watchers:
            del self._by_device[watcher.device]
