"""MLS through the bindings against mls-rs itself (mls-rs-python/benches/native.rs): same devices, same run.

`python -m lab.bench.mls [--max N]`: groups of 2, 10, 100, 1,000 and, with `--max 10000`, 10,000 members. The last takes
some minutes and is measured with fewer repetitions.
"""

import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click

from identity.binding import DeviceVerifier
from lab.bench.crowd import Certifier, validator
from lab.bench.mls_ours import Device, Repetitions, Times, Validate, accept_all, engine, join_times, measure
from lab.bench.rows import Aim, Row, table

CRATE = Path(__file__).parents[2] / "mls-rs-python"
# Members, rounds (each measures the floor, then ours), repetitions in a round.
SIZES = (
    (2, 3, Repetitions(20, 20, 100, 20)),
    (10, 3, Repetitions(10, 10, 100, 20)),
    (100, 3, Repetitions(2, 5, 100, 10)),
    (1_000, 2, Repetitions(1, 3, 40, 4)),
    (10_000, 1, Repetitions(1, 2, 10, 3)),
)
OPERATIONS = {
    "create": ("create the whole group", "ms"),
    "join": ("join by Welcome", "ms"),
    "encrypt": ("encrypt 1 KiB", "µs"),
    "decrypt": ("decrypt 1 KiB", "µs"),
    "commit": ("commit an update path", "ms"),
    "apply": ("apply one's own commit", "ms"),
    "process": ("process a commit", "ms"),
    "snapshot_message": ("snapshot after a message", "ms"),
    "snapshot_commit": ("snapshot after a commit", "ms"),
}
PER_SECOND = {"ms": 1e3, "µs": 1e6}
RATIO = Aim("ratio", "at most", 1.1)
VALIDATED_RATIO = Aim("ratio", "at most", 1.3)
VALIDATED_MEMBERS, QUICK_MEMBERS = 1_000, 100
VALIDATED_REPETITIONS = 5


def run(quick: bool = False) -> list[Row]:
    """Measure groups of up to 1,000 members; `quick`, of up to 100."""
    return run_up_to(QUICK_MEMBERS if quick else VALIDATED_MEMBERS)


def run_up_to(largest: int) -> list[Row]:
    """Measure every size up to `largest`, then a join with every chain validated."""
    now = int(time.time())
    certifier = Certifier(now)
    devices = [certifier.device() for _ in range(max(largest, 2))]
    with TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        fixture = Path(folder) / "devices.json"
        fixture.write_text(_fixture(devices, now))
        rows = []
        for members, rounds, repetitions in SIZES:
            if members <= largest:
                rows += _compare(fixture, devices[:members], rounds, repetitions, now)
    return rows + _validated_join(certifier, devices[: min(largest, VALIDATED_MEMBERS)], now)


def _fixture(devices: Sequence[Device], now: int) -> str:
    def fields(device: Device) -> dict[str, Any]:
        scalar, chain = device
        public = engine(device).signature_key
        return {"private": scalar.hex(), "public": public.hex(), "chain": [der.hex() for der in chain]}

    return json.dumps({"now": now, "devices": [fields(device) for device in devices]})


def _compare(fixture: Path, devices: Sequence[Device], rounds: int, repetitions: Repetitions, now: int) -> list[Row]:
    floor: Times = defaultdict(list)
    ours: Times = defaultdict(list)
    for _ in range(rounds):
        for collected, measured in (
            (floor, _native(fixture, len(devices), repetitions)),
            (ours, measure(devices, repetitions, now)),
        ):
            for operation, seconds in measured.items():
                collected[operation] += seconds
    return [_row(operation, len(devices), ours[operation], floor[operation]) for operation in OPERATIONS]


def _row(operation: str, members: int, ours: Sequence[float], floor: Sequence[float]) -> Row:
    name, unit = OPERATIONS[operation]
    scale = PER_SECOND[unit]
    return Row(f"MLS: {name}", scale * median(ours), unit, members, "native mls-rs", scale * median(floor), RATIO)


def _native(fixture: Path, members: int, repetitions: Repetitions) -> Times:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise click.ClickException("the native benchmark is compiled by cargo, which was not found")
    counts = (repetitions.creates, repetitions.joins, repetitions.messages, repetitions.commits)
    arguments = [str(fixture), str(members), *map(str, counts)]
    command = [cargo, "bench", "--quiet", "--locked", "--bench", "native", "--", *arguments]
    finished = subprocess.run(command, cwd=CRATE, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    times: Times = json.loads(finished.stdout)
    return times


def _validated_join(certifier: Certifier, devices: Sequence[Device], now: int) -> list[Row]:
    """The same join with every chain validated by `identity` and with nothing validated, in turns."""
    clock = _Clock(certifier)
    kinds: list[Callable[[], Validate]] = [lambda: accept_all, clock.validator] * VALIDATED_REPETITIONS
    seconds = list(join_times(devices, kinds, now))
    floor, ours = median(seconds[::2]), median(seconds[1::2])
    each = 1e6 * clock.spent / VALIDATED_REPETITIONS / len(devices)
    note = f"{each:.0f} µs in the validator per chain, one chain at a time under the GIL while the engine works on"
    name = "MLS: join, every chain validated"
    return [Row(name, 1e3 * ours, "ms", len(devices), "no validation", 1e3 * floor, VALIDATED_RATIO, note)]


class _Clock:
    """Makes validators without memory and adds up the time spent in them."""

    def __init__(self, certifier: Certifier) -> None:
        self._certifier = certifier
        self.spent = 0.0

    def validator(self) -> Validate:
        validate = validator(DeviceVerifier(self._certifier.anchors))

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            approval = validate(*arguments)
            self.spent += time.perf_counter() - started
            return approval

        return timed


@click.command(name="mls")
@click.option("--max", "largest", default=VALIDATED_MEMBERS, show_default=True, help="Members of the largest group.")
def main(largest: int) -> None:
    """Measure and print one table."""
    started = time.monotonic()
    click.echo(table(run_up_to(largest)))
    click.echo(f"\nmeasured in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
