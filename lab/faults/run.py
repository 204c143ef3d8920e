"""One run: a park of replicas and devices, faults and deeds from a seed, then healing, catching up, and the checks."""

import asyncio
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from client.session import Session
from lab.faults import invariants
from lab.faults.bugs import BUGS
from lab.faults.client import WORKER, Device, crashing_stores
from lab.faults.families import FAMILIES, Family
from lab.faults.load import Load
from lab.faults.loop import StuckError
from lab.faults.park import Park
from lab.faults.prepared import DEVICES, START, Prepared
from lab.faults.replica import Replica
from lab.faults.seeded import drawing_from
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
        self.park = Park(family, seed, prepared.image, START + prepared.seconds)
        self._replicas = [
            Replica(f"r{at + 1}", prepared.service, prepared.anchors, self.park) for at in range(family.replicas)
        ]
        self.park.network.replicas += self._replicas
        draw = self.park.draw
        self._devices = [
            Device(name, prepared.home(name, place), self.park, following=draw.random() < family.following)
            for name in self._present()
        ]

    def _present(self) -> list[str]:
        """Three devices or four; the others stay switched off, members or not."""
        chosen = self.park.draw.sample(DEVICES, self.park.draw.randint(3, 4))
        return sorted(chosen, key=DEVICES.index)

    def _places(self) -> list[Replica | Device]:
        return [*self._replicas, *self._devices]

    async def whole(self) -> None:
        """All of it."""
        for each in self._places():
            each.skew = self.park.draw.uniform(-1, 1) * self.park.family.rates.skew
            each.start()
        await asyncio.sleep(OPENING)
        await Load(self.park, self._devices, self._replicas).carry_out()
        await self._heal()
        await self._catch_up()
        invariants.check(self.park, self._devices)
        await self._end()

    async def _heal(self) -> None:
        self.park.trace.say("healed")
        self.park.network.heal()
        for each in self._places():
            each.skew, each.process.steps_left = 0.0, None
        await asyncio.sleep(self.park.family.rates.slow if self.park.family.rates.delay else LATE)
        while not all(replica.app for replica in self._replicas):
            await asyncio.sleep(LATE)
        for device in self._devices:
            device.start()
        for _ in range(60):
            if all(device.session for device in self._devices):
                return
            await asyncio.sleep(LATE)
        closed = [device.name for device in self._devices if device.session is None]
        self.park.unexpected.append(f"these do not open any more: {closed}")

    async def _catch_up(self) -> None:
        for turn in range(ROUNDS):
            for device in self._devices:
                if device.session is not None:
                    await self.park.loop.spawn(device.process, device.act("catch up", Session.sync))
            if not invariants.unsettled(self.park, self._devices):
                return
            await asyncio.sleep(PAUSES[turn] if turn < len(PAUSES) else 61.0)

    async def _end(self) -> None:
        for device in self._devices:
            await device.stop()
            device.close_check()
        for replica in self._replicas:
            await replica.stop()
        for process in (*self.park.graves, *(each.process for each in self._places())):
            self.park.loop.bury(process)
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
        park = run.park
        stack.enter_context(crashing_stores(park))
        try:
            park.loop.run(run.whole())
        except StuckError as error:
            park.unexpected.append(f"the run does not end: {error}")
        park.unexpected += [f"nobody has caught {type(each).__name__}: {each}" for each in park.loop.unhandled]
        park.trace.say(f"ended after {park.loop.steps} steps")
        return Outcome(
            family,
            seed,
            park.trace.digest(),
            park.loop.steps,
            park.loop.now,
            park.trace.injected,
            tuple(park.unexpected),
            tuple(park.trace.lines),
        )
