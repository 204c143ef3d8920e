"""One run: a park of replicas and devices, faults and deeds from a seed, then healing, catching up, and the checks."""

import asyncio
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from client.session import Session
from identity.base64url import encode_base64url
from lab.faults import invariants
from lab.faults.bugs import BUGS
from lab.faults.client import WORKER, Device, crashing_stores
from lab.faults.families import FAMILIES, Family
from lab.faults.load import Load
from lab.faults.loop import StuckError, virtual_loop
from lab.faults.network import Network
from lab.faults.prepared import DEVICES, START, Prepared
from lab.faults.process import Process
from lab.faults.replica import Replica
from lab.faults.seeded import drawing_from
from lab.faults.storage import Storage
from lab.faults.trace import Trace
from lab.seams.seam import instead

OPENING = 1.0  # seconds until everything runs, before the first deed
ROUNDS = 10  # of catching up, at most
PAUSES = (2.0, 2.0, 5.0)  # seconds between the first rounds; then a minute, for what is asked again only after one
LATE = 1.0  # seconds for what is under way when the faults end


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run; `violations` is empty if every invariant held."""

    family: str
    seed: int
    digest: str
    steps: int
    seconds: float
    injected: Counter[str]
    violations: tuple[str, ...]
    lines: tuple[str, ...]


class Run:
    """Everything of one run."""

    def __init__(self, prepared: Prepared, family: Family, seed: int, place: Path) -> None:
        self.family = family
        self.loop = virtual_loop(f"{family.name} {seed}")
        self.draw = self.loop.draw
        self.trace = Trace(self.loop.time)
        self.storage = Storage(prepared.image)
        self.replicas: list[Replica] = []
        self.network = Network(self.loop, self.draw, family.rates, self.replicas, self.trace)
        self.unexpected: list[str] = []
        self.graves: list[Process] = []
        self.authenticators: dict[tuple[bytes, int], set[bytes]] = {}
        self.began = 0.0
        self._origin = START + prepared.seconds
        self.replicas += [
            Replica(f"r{at + 1}", prepared.service, prepared.anchors, self) for at in range(family.replicas)
        ]
        self.devices = [
            Device(name, prepared.home(name, place), self, following=self.draw.random() < family.following)
            for name in self._present()
        ]

    def _present(self) -> list[str]:
        """Three devices or four; the others stay switched off, members or not."""
        chosen = self.draw.sample(DEVICES, self.draw.randint(3, 4))
        return sorted(chosen, key=DEVICES.index)

    def clock(self) -> float:
        """The true time."""
        return self._origin + self.loop.now

    def group(self, group_id: bytes) -> str:
        """The short name of a group."""
        return self.trace.group(encode_base64url(group_id).decode())

    def _places(self) -> list[Replica | Device]:
        return [*self.replicas, *self.devices]

    async def whole(self) -> None:
        """All of it."""
        for each in self._places():
            each.skew = self.draw.uniform(-1, 1) * self.family.rates.skew
            each.start()
        await asyncio.sleep(OPENING)
        self.began = self.loop.now
        await Load(self).carry_out()
        await self._heal()
        await self._catch_up()
        invariants.check(self)
        await self._end()

    async def _heal(self) -> None:
        self.trace.say("healed")
        self.network.heal()
        for each in self._places():
            each.skew, each.process.steps_left = 0.0, None
        await asyncio.sleep(self.family.rates.slow if self.family.rates.delay else LATE)
        while not all(replica.app for replica in self.replicas):
            await asyncio.sleep(LATE)
        for device in self.devices:
            device.start()
        for _ in range(60):
            if all(device.session for device in self.devices):
                return
            await asyncio.sleep(LATE)
        closed = [device.name for device in self.devices if device.session is None]
        self.unexpected.append(f"these do not open any more: {closed}")

    async def _catch_up(self) -> None:
        for turn in range(ROUNDS):
            for device in self.devices:
                if device.session is not None:
                    await self.loop.spawn(device.process, device.act("catch up", Session.sync))
            if not invariants.unsettled(self):
                return
            await asyncio.sleep(PAUSES[turn] if turn < len(PAUSES) else 61.0)

    async def _end(self) -> None:
        for device in self.devices:
            await device.stop()
            device.close_check()
        for replica in self.replicas:
            await replica.stop()
        for process in (*self.graves, *(each.process for each in self._places())):
            self.loop.bury(process)
        await asyncio.sleep(LATE)


def play(prepared: Prepared, family: str, seed: int, bug: str = "") -> Outcome:
    """Play one run, perhaps with a planted bug.

    The same arguments give the same outcome, in any process whose string hashes are the same.
    """
    place = prepared.folder / "runs"
    place.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(dir=place))
        stack.enter_context(drawing_from(f"{family} {seed}"))
        stack.enter_context(instead(*WORKER).exchanged())
        if bug:
            stack.enter_context(BUGS[bug].planted())
        run = Run(prepared, FAMILIES[family], seed, Path(folder))
        stack.enter_context(crashing_stores(run))
        try:
            run.loop.run(run.whole())
        except StuckError as error:
            run.unexpected.append(f"the run does not end: {error}")
        run.unexpected += [f"nobody has caught {type(each).__name__}: {each}" for each in run.loop.unhandled]
        run.trace.say(f"ended after {run.loop.steps} steps")
        return Outcome(
            family,
            seed,
            run.trace.digest(),
            run.loop.steps,
            run.loop.now,
            run.trace.injected,
            tuple(run.unexpected),
            tuple(run.trace.lines),
        )
