"""Peak memory of a client process in a large group: after joining, and after receiving."""

import pickle
import re
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.bench.rows import Row

MEMBERS, QUICK_MEMBERS = 1_000, 50
STEPS = ("modules imported", "joined", "received")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def run(quick: bool = False) -> list[Row]:
    """Build the group in one process, then join and receive in a fresh one, and read its peak resident set."""
    members = QUICK_MEMBERS if quick else MEMBERS
    with TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        handover = str(Path(folder) / "newcomer")
        _child("build", handover, str(members))
        peaks = dict(zip(STEPS, map(float, _child("join", handover).split()), strict=True))
    floor = peaks[STEPS[0]]
    return [
        Row(f"peak memory, {step}", peaks[step], "MiB", members, "same process before", floor) for step in STEPS[1:]
    ]


def _child(*arguments: str) -> str:
    command = [sys.executable, "-m", "lab.bench.memory", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own module


def build(handover: Path, members: int) -> None:
    """Build the group and leave for the other process what its last member receives."""
    from lab.bench.crowd import newcomer_to_group_of

    handover.write_bytes(pickle.dumps(newcomer_to_group_of(members)))


def join(handover: Path) -> None:
    """Join and receive one message as a client does, every leaf validated; print the peak in MiB after each step."""
    import client.session  # noqa: F401 - a client process has the whole client loaded
    from lab.bench.crowd import Newcomer

    newcomer: Newcomer = pickle.loads(handover.read_bytes())  # noqa: S301 - written by `build`
    print(peak_memory())
    group = newcomer.engine().join(newcomer.welcome, [newcomer.secret], newcomer.now)
    delta = group.delta()
    print(peak_memory())
    group.process(newcomer.first_message, newcomer.now)
    delta = group.delta()
    print(peak_memory() if delta.state else 0)


def peak_memory() -> float:
    """Peak resident set of this process so far, in MiB.

    Linux's ru_maxrss survives exec, so a child would report its parent's peak; VmHWM is this program's own.
    """
    status = Path("/proc/self/status")
    if status.exists() and (peak := _PEAK.search(status.read_text())):
        return int(peak[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # octets on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    step, path, *rest = sys.argv[1:]
    if step == "build":
        build(Path(path), int(rest[0]))
    else:
        join(Path(path))
