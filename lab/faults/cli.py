"""The commands of `python -m lab.faults`: run, hunt, replay, families."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.faults.bugs import BUGS
from lab.faults.campaign import Campaign, hunt
from lab.faults.capsule import Capsule, CapsuleError, read_capsule, write_capsule
from lab.faults.families import FAMILIES
from lab.faults.prepared import prepared
from lab.faults.run import play

PROGRAM = "python -m lab.faults"


def main() -> None:
    """Run the command that the arguments name, with the same order of sets at each start."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "lab.faults", *sys.argv[1:]], environment)  # noqa: S606
    sys.exit(command(sys.argv[1:]))


def command(arguments: Sequence[str]) -> int:
    """The exit code of a command: 0 if all is as it should be."""
    chosen = _parser().parse_args(arguments)
    match chosen.command:
        case "run":
            return _run(chosen)
        case "hunt":
            return _hunt(chosen.bug, chosen.runs, chosen.capsules)
        case "replay":
            return _replay(chosen.capsule, trace=chosen.trace)
        case _:
            for family in FAMILIES.values():
                print(f"{family.name:38} {family.rates.words() or 'no faults'}")
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(PROGRAM, description="Play seeded runs of clients and replicas under faults.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="play many runs and check the invariants after each")
    run.add_argument("--runs", type=int, default=100, help="how many, spread over the families")
    run.add_argument("--jobs", type=int, default=1, help="processes")
    run.add_argument("--seed", type=int, default=1, help="the first seed of each family")
    run.add_argument("--family", action="append", choices=FAMILIES, help="only this family; may be repeated")
    run.add_argument("--capsules", type=Path, help="a folder for the capsules of failing runs")
    hunting = commands.add_parser("hunt", help="look for a planted bug")
    hunting.add_argument("--bug", choices=BUGS, required=True)
    hunting.add_argument("--runs", type=int, default=200, help="within so many runs")
    hunting.add_argument("--capsules", type=Path, help="a folder for the capsule of the run that finds it")
    replay = commands.add_parser("replay", help="play the run of a capsule again")
    replay.add_argument("capsule", type=Path)
    replay.add_argument("--trace", action="store_true", help="print the whole trace")
    commands.add_parser("families", help="list the families of seeds")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    campaign = Campaign(tuple(chosen.family or FAMILIES), chosen.seed, chosen.runs)
    total = campaign.carry_out(chosen.jobs, lambda capsule: _show(capsule, chosen.capsules))
    print(total.words())
    return 1 if total.failed else 0


def _hunt(bug: str, runs: int, folder: Path | None) -> int:
    print(f"Planted: {BUGS[bug].words}.")
    found = hunt(bug, runs)
    if found is None:
        print(f"not found in {runs} runs")
        return 1
    print(f"found in run {found.run}")
    _show(found.capsule, folder)
    return 0


def _replay(path: Path, *, trace: bool) -> int:
    try:
        capsule = read_capsule(path)
    except CapsuleError as error:
        print(error, file=sys.stderr)
        return 2
    with prepared() as begun:
        outcome = play(begun, capsule.family, capsule.seed, capsule.bug)
    if trace:
        print("\n".join(outcome.lines))
    for violation in outcome.violations:
        print(f"violated: {violation}")
    exact = outcome.digest == capsule.digest
    print(f"trace {outcome.digest}: {'as' if exact else 'NOT as'} in the capsule")
    return 0 if exact else 1


def _show(capsule: Capsule, folder: Path | None) -> None:
    print(f"{capsule.family}, seed {capsule.seed}, trace {capsule.digest}", flush=True)
    for violation in capsule.violations:
        print(f"  violated: {violation}")
    if folder is not None:
        print(f"  {PROGRAM} replay {write_capsule(capsule, folder)}")
