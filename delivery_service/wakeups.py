"""Wake-ups: who waits for which group."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from delivery_service.storage.values import Change, Notified
from delivery_service.wire.streams import EndReason

WATCHERS_PER_DEVICE = 16  # the longest wait ends when a device begins one more


@dataclass(eq=False, slots=True)
class Watcher:
    """Somebody who waits; between two looks it holds only the newest head of each group, so traffic cannot grow it."""

    device: bytes
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    heads: dict[bytes, int] = field(default_factory=dict)
    groups: set[bytes] = field(default_factory=set)
    joined: bool = False
    ended: EndReason | None = None

    def note(self, group_id: bytes, seq: int) -> None:
        """A group has a new head."""
        self.heads[group_id] = max(seq, self.heads.get(group_id, 0))
        self.woken.set()

    def look_again(self) -> None:
        """The device's groups, or what concerns its number, are different now."""
        self.joined = True
        self.woken.set()

    @property
    def number(self) -> str:
        """The number of the device."""
        return self.device.partition(b"/")[0].decode()

    async def wait(self, seconds: float) -> bool:
        """Whether something happened within `seconds`."""
        try:
            await asyncio.wait_for(self.woken.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @property
    def closed(self) -> bool:
        """Whether the wait was ended."""
        return self.ended is not None

    def close(self, reason: EndReason = "stopping") -> None:
        """Ends the wait; the first reason counts."""
        self.ended = self.ended or reason
        self.woken.set()


class Wakeups:
    """Tells each durable change to the watchers whom it concerns; used from the event loop's thread only."""

    def __init__(self) -> None:
        self._by_device: defaultdict[bytes, list[Watcher]] = defaultdict(list)
        self._by_number: defaultdict[str, dict[Watcher, None]] = defaultdict(dict)  # in the order of their coming
        self._by_group: defaultdict[bytes, dict[Watcher, None]] = defaultdict(dict)
        self._closed = False

    def close(self) -> None:
        """Ends every wait, also those that begin later: the service stops."""
        self._closed = True
        for watchers in self._by_device.values():
            for watcher in watchers:
                watcher.close()

    def end(self, device: bytes) -> None:
        """Ends the waits of a device whose certificate was revoked."""
        for watcher in self._by_device.get(device, ()):
            watcher.close("certificate-revoked")

    def publish(self, change: Change | Notified) -> None:
        """The store's listener."""
        if isinstance(change, Notified):
            for number in change.numbers:
                for watcher in self._by_number.get(number, ()):
                    watcher.look_again()
            return
        for watcher in self._by_group.get(change.group_id, ()):
            watcher.note(change.group_id, change.seq)
        for device in change.left:
            for watcher in self._by_device.get(device, ()):
                self._leave(watcher, change.group_id)
        for device in change.joined:
            for watcher in self._by_device.get(device, ()):
                watcher.look_again()

    def watchers(self) -> list[Watcher]:
        """All who wait now."""
        return [watcher for watchers in self._by_device.values() for watcher in watchers]

    @contextmanager
    def watch(self, device: bytes, groups: Iterable[bytes] = ()) -> Iterator[Watcher]:
        """A watcher of a device's joins and of the groups given."""
        watcher = Watcher(device)
        watchers = self._by_device[device]
        watchers.append(watcher)
        self._by_number[watcher.number][watcher] = None
        if len(watchers) > WATCHERS_PER_DEVICE:
            next(earlier for earlier in watchers if not earlier.closed).close("too-many")
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
            self._by_group[group_id][watcher] = None

    def _leave(self, watcher: Watcher, group_id: bytes) -> None:
        watcher.groups.discard(group_id)
        if (watchers := self._by_group.get(group_id)) is not None:
            watchers.pop(watcher, None)
            if not watchers:
                del self._by_group[group_id]

    def _forget(self, watcher: Watcher) -> None:
        for group_id in list(watcher.groups):
            self._leave(watcher, group_id)
        watchers = self._by_device[watcher.device]
        watchers.remove(watcher)
        if not watchers:
            del self._by_device[watcher.device]
        numbered = self._by_number[watcher.number]
        numbered.pop(watcher)
        if not numbered:
            del self._by_number[watcher.number]
