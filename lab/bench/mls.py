"""MLS through the bindings against mls-rs itself (mls-rs-python/benches/native.rs): same devices, same run.

`python -m lab.bench.mls [--max N]`: groups of 2, 10, 100, 1,000 and, with `--max 10000`, 10,000 members. The last takes
some minutes and is measured with fewer repetitions.
"""

import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click

from identity.binding import DeviceVerifier
from lab.bench.crowd import Certifier, validator
from lab.bench.mls_ours import Device, Stage, Times, Validate, accept_all, engine
from lab.bench.rows import Aim, Row, table

CRATE = Path(__file__).parents[2] / "mls-rs-python"
SIZES = {  # members: how often each step is taken
    2: {"create": 30, "join": 50, "talk": 200, "advance": 50},
    10: {"create": 20, "join": 30, "talk": 200, "advance": 50},
    100: {"create": 5, "join": 10, "talk": 200, "advance": 20},
    1_000: {"create": 2, "join": 5, "talk": 60, "advance": 7},
    10_000: {"create": 1, "join": 1, "talk": 10, "advance": 3},
}
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
NOTES = {  # said once, with the smallest group
    "create": "both allocate with mimalloc",
    "apply": "ours also compares the stored secrets' checksum and GroupContext, and reports who was added and removed",
    "snapshot_message": "ours also writes identities and a checksum, hands out Python bytes, and is two calls",
    "snapshot_commit": "as after a message",
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
        floor = partial(_native, _compiled(), fixture)
        rows = [
            row
            for members, steps in SIZES.items()
            if members <= largest
            for row in _compare(floor(members), Stage(devices[:members], now), steps, members)
        ]
    return [*rows, _validated_join(certifier, devices[: min(largest, VALIDATED_MEMBERS)], now)]


def _fixture(devices: Sequence[Device], now: int) -> str:
    def fields(device: Device) -> dict[str, Any]:
        scalar, chain = device
        public = engine(device).signature_key
        return {"private": scalar.hex(), "public": public.hex(), "chain": [der.hex() for der in chain]}

    return json.dumps({"now": now, "devices": [fields(device) for device in devices]})


def _compare(
    floor: AbstractContextManager[Callable[[str], Times]], stage: Stage, steps: Mapping[str, int], members: int
) -> list[Row]:
    """Take each step natively and through the bindings in turns, so that both meet the same load."""
    natively: dict[str, list[float]] = defaultdict(list)
    ours: dict[str, list[float]] = defaultdict(list)
    with floor as native:
        for step, times in steps.items():
            for _ in range(times):
                for collected, take in ((natively, native), (ours, stage.step)):
                    for operation, seconds in take(step).items():
                        collected[operation].append(seconds)
    return [_row(operation, members, ours[operation], natively[operation]) for operation in OPERATIONS]


def _row(operation: str, members: int, ours: Sequence[float], floor: Sequence[float]) -> Row:
    name, unit = OPERATIONS[operation]
    scale = PER_SECOND[unit]
    note = NOTES.get(operation, "") if members == min(SIZES) else ""
    return Row(f"MLS: {name}", scale * median(ours), unit, members, "native mls-rs", scale * median(floor), RATIO, note)


def _compiled() -> str:
    """The native benchmark's executable, compiled if its sources have changed."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise click.ClickException("the native benchmark is compiled by cargo, which was not found")
    command = [cargo, "bench", "--quiet", "--locked", "--bench", "native", "--no-run", "--message-format=json"]
    finished = subprocess.run(command, cwd=CRATE, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if finished.returncode:
        raise click.ClickException("the native benchmark could not be compiled; cargo's message is above")
    made = [json.loads(line) for line in finished.stdout.splitlines()]
    (path,) = (message["executable"] for message in made if message.get("executable"))
    return str(path)


@contextmanager
def _native(executable: str, fixture: Path, members: int) -> Iterator[Callable[[str], Times]]:
    pipe = subprocess.PIPE
    command = [executable, str(fixture), str(members)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def step(name: str) -> Times:
            requests.write(f"{name}\n")
            line = answers.readline()
            if not line:
                raise click.ClickException("the native benchmark failed; its message is above")
            times: Times = json.loads(line)
            return times

        yield step


def _validated_join(certifier: Certifier, devices: Sequence[Device], now: int) -> Row:
    """The same join with every chain validated by `identity` and with nothing validated, in turns."""
    clock = _Clock(certifier)
    stage = Stage(devices, now)
    stage.step("create")
    floor: list[float] = []
    ours: list[float] = []
    for _ in range(VALIDATED_REPETITIONS):
        for collected, validate in ((floor, accept_all), (ours, clock.validator())):
            times: Times = {}
            stage.join(times, validate)
            collected.append(times["join"])
    each = 1e6 * clock.spent / VALIDATED_REPETITIONS / len(devices)
    note = f"{each:.0f} µs per chain in the validator, which runs under the GIL: one chain at a time"
    name, unit = "MLS: join, every chain validated", "ms"
    scale = PER_SECOND[unit]
    members = len(devices)
    return Row(name, scale * median(ours), unit, members, "no validation", scale * median(floor), VALIDATED_RATIO, note)


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
