"""What replicas and devices of a run stand in: loop, network, storage, the true time, and what was noted."""

from identity.base64url import encode_base64url
from lab.faults.families import Family
from lab.faults.loop import virtual_loop
from lab.faults.network import Network
from lab.faults.process import Process
from lab.faults.storage import Storage
from lab.faults.trace import Trace


class Park:
    """One run's surroundings; `origin` is the true time at which its loop begins, in seconds."""

    def __init__(self, family: Family, seed: int, image: bytes, origin: float) -> None:
        self.family = family
        self.loop = virtual_loop(f"{family.name} {seed}")
        self.draw = self.loop.draw
        self.trace = Trace(self.loop.time)
        self.storage = Storage(image)
        self.network = Network(self.loop, self.draw, family.rates, self.trace)
        self.unexpected: list[str] = []
        self.graves: list[Process] = []
        self.authenticators: dict[tuple[bytes, int], set[bytes]] = {}
        self._origin = origin

    def clock(self) -> float:
        """The true time."""
        return self._origin + self.loop.now

    def group(self, group_id: bytes) -> str:
        """The short name of a group."""
        return self.trace.group(encode_base64url(group_id).decode())
