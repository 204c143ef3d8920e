"""`python -m lab.histories check FILE` judges a recorded history; the other commands record one, and judge it."""

import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click
import uvloop

from lab.histories import killing, options
from lab.histories.checker import Report, check
from lab.histories.damage import Became, damage_copies
from lab.histories.disk import fail_disk
from lab.histories.history import HistoryError, read_history
from lab.histories.network import disturb_network
from lab.histories.racing import race_commits

EXIT_VIOLATED = 3
SHOWN = 20  # violations
CLIENTS = 64  # of one group in a race

T = TypeVar("T")


@click.group()
def histories() -> None:
    """Record what a delivery service answers while it is killed, cut off and deceived by disks, and judge it."""


@histories.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_file(file: Path) -> None:
    """Judge the history in FILE: exit code 0, or 3 if a rule is broken."""
    try:
        report = check(read_history(file))
    except (HistoryError, OSError) as error:
        raise click.ClickException(str(error)) from error
    judged(report)


@histories.command()
@click.argument("count", type=click.IntRange(1))
@click.option("--check-every", default=25, show_default=True, help="Kills from one look at SQLite's files to the next.")
@options.pause(killing.PAUSE)
@options.appends
@options.minutes
@options.sized
@options.seed
@options.history
def kill(count: int, minutes: float, history: Path | None, **how: Any) -> None:
    """Kill the embedded service COUNT times under load."""
    outcome = _run(history, partial(killing.kill_embedded, kills=count, limit=60 * minutes, **how))
    for line in outcome.lines():
        click.echo(line)
    judged(outcome.report)


@histories.command()
@click.argument("seconds", type=click.FloatRange(1))
@options.sized
@options.seed
@options.history
def network(seconds: float, history: Path | None, **how: Any) -> None:
    """Cut, delay and duplicate requests for so many SECONDS."""
    disturbed = _run(history, partial(disturb_network, seconds=seconds, **how))
    click.echo("; ".join(f"{fault.value}: {count}" for fault, count in disturbed.faults.most_common()))
    judged(disturbed.report)


@histories.command()
@click.argument("count", type=click.IntRange(1))
@options.sized
@options.seed
@options.history
def disk(count: int, history: Path | None, **how: Any) -> None:
    """Let the disk fail COUNT times under load."""
    failed = _run(history, partial(fail_disk, faults=count, **how))
    click.echo("; ".join(f"{fault.value}: {count}" for fault, count in failed.faults.most_common()))
    judged(failed.report)


@histories.command()
@click.argument("epochs", type=click.IntRange(1))
@click.option("--clients", default=CLIENTS, show_default=True, help="Devices in the group.")
@options.minutes
@options.seed
@options.history
def race(minutes: float, history: Path | None, **how: Any) -> None:
    """Let all members of one group race for so many EPOCHS."""
    ended = _run(history, partial(race_commits, limit=60 * minutes, **how))
    click.echo(f"{sum(ended.won)} epochs, won by {sum(map(bool, ended.won))} of {len(ended.won)} clients")
    click.echo(f"{len(ended.authenticators)} epoch authenticator at the end")
    judged(ended.report)
    sys.exit(0 if len(ended.authenticators) == 1 else EXIT_VIOLATED)


@histories.command()
@click.argument("copies", type=click.IntRange(1))
@options.seed
def damage(copies: int, seed: int) -> None:
    """Damage so many COPIES of a database in one place each, and read from them."""
    damaged = _run(None, lambda folder, _: damage_copies(folder, copies, seed=seed))
    for (name, became), count in sorted(damaged.counts.items()):
        click.echo(f"{name}: {became}: {count}")
    sys.exit(EXIT_VIOLATED if any(became is Became.WRONG for _, became in damaged.counts) else 0)


def _run(history: Path | None, campaign: Callable[[Path, Path], Coroutine[Any, Any, T]]) -> T:
    with TemporaryDirectory(prefix="ringtrue-histories-") as folder:
        return uvloop.run(campaign(Path(folder), history or Path(folder) / "history.jsonl"))


def judged(report: Report) -> None:
    """Print what was counted and found, and end with 3 if a rule is broken."""
    click.echo(
        f"{report.groups} groups, {report.operations:,} operations: {report.acked:,} appends acknowledged, "
        f"{report.repeats:,} repeats, {report.stale:,} stale, {report.commits:,} commits, {report.reads:,} reads, "
        f"{report.claimed:,} key packages claimed, {report.unknown:,} without an answer"
    )
    for violation in report.violations[:SHOWN]:
        click.echo(f"VIOLATED {violation.rule.name}: {violation.rule.value}: {violation.where}: {violation.shown}")
    click.echo(f"{len(report.violations)} violations, {report.lost} acknowledged appends lost")
    if report.violations:
        sys.exit(EXIT_VIOLATED)


if __name__ == "__main__":
    histories(prog_name="python -m lab.histories")
