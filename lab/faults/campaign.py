"""Many runs: spread over families and processes, and counted."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from lab.faults.bugs import BUGS
from lab.faults.capsule import Capsule, capsule_of
from lab.faults.prepared import prepared
from lab.faults.run import Outcome, play

BATCH = 200  # runs that share one preparation

Chosen = tuple[str, int]  # family and seed


@dataclass(slots=True)
class Total:
    """What a campaign came to."""

    runs: int = 0
    steps: int = 0
    failed: int = 0
    seconds: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        self.runs += 1
        self.steps += outcome.steps
        self.failed += bool(outcome.violations)
        self.injected.update(outcome.injected)

    def join(self, other: "Total") -> None:
        """Count what another process has counted."""
        self.runs += other.runs
        self.steps += other.steps
        self.failed += other.failed
        self.injected.update(other.injected)

    def words(self) -> str:
        """The summary in one line."""
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.injected.items()))
        rate = self.runs / self.seconds if self.seconds else 0.0
        return (
            f"{self.runs} runs, {self.steps} steps, faults: {faults or 'none'}; {self.failed} with violations; "
            f"{self.seconds:.0f} s, {rate:.1f} runs/s"
        )


@dataclass(frozen=True, slots=True)
class Campaign:
    """So many runs, the families in turn, each from the first seed on."""

    families: tuple[str, ...]
    first: int
    runs: int

    def chosen(self) -> list[Chosen]:
        """The runs."""
        size = len(self.families)
        return [(self.families[at % size], self.first + at // size) for at in range(self.runs)]

    def carry_out(self, jobs: int, failed: Callable[[Capsule], None]) -> Total:
        """Play them all in so many processes; `failed` gets the capsule of each run that violates an invariant."""
        total, began, chosen = Total(), time.monotonic(), self.chosen()
        batches = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
        for counted, capsules in _played(batches, jobs):
            total.join(counted)
            for capsule in capsules:
                failed(capsule)
        total.seconds = time.monotonic() - began
        return total


def _played(batches: Sequence[Sequence[Chosen]], jobs: int) -> "Iterator[tuple[Total, list[Capsule]]]":
    if jobs == 1:
        yield from map(play_batch, batches)
        return
    # A process for each batch: what a dead process of the simulation held is never freed.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        yield from pool.map(play_batch, batches)


def play_batch(chosen: Sequence[Chosen]) -> tuple[Total, list[Capsule]]:
    """Play runs in this process."""
    total, capsules = Total(), []
    with prepared() as begun:
        for family, seed in chosen:
            outcome = play(begun, family, seed)
            total.add(outcome)
            if outcome.violations:
                capsules.append(capsule_of(outcome, ""))
    return total, capsules


@dataclass(frozen=True, slots=True)
class Found:
    """A planted bug was found in this run."""

    run: int
    capsule: Capsule


def hunt(bug: str, runs: int, first: int = 1) -> Found | None:
    """Play runs with a planted bug until one violates an invariant."""
    families = BUGS[bug].families
    with prepared() as begun:
        for at, (family, seed) in enumerate(Campaign(families, first, runs).chosen(), 1):
            outcome = play(begun, family, seed, bug)
            if outcome.violations:
                return Found(at, capsule_of(outcome, bug))
    return None
