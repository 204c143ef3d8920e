"""`python -m lab.histories check FILE` judges a recorded history; the other commands record one, and judge it."""

import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click
import uvloop

from lab.histories.checker import Report, check
from lab.histories.damage import Became, damage_copies
from lab.histories.disk import fail_disk
from lab.histories.history import HistoryError, read_history
from lab.histories.killing import kill_embedded
from lab.histories.load import Size
from lab.histories.network import disturb_network
from lab.histories.racing import race_commits

EXIT_VIOLATED = 3
SHOWN = 20  # violations
CLIENTS = 64  # of one group in a race

T = TypeVar("T")

_seed = click.option("--seed", default=1, show_default=True, help="Settles what chance decides here.")
_people = click.option("--people", default=4, show_default=True, help="Groups, each of one person's devices.")
_keep = click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), help="Keep the history in this file."
)


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
    _judged(report)


@histories.command()
@click.argument("count", type=click.IntRange(1))
@click.option("--check-every", default=25, show_default=True, help="Kills from one look at SQLite's files to the next.")
@click.option("--minutes", type=click.FloatRange(1), default=1440, show_default=True, help="After which it ends.")
@_people
@_seed
@_keep
def kill(count: int, check_every: int, minutes: float, people: int, seed: int, history: Path | None) -> None:
    """Kill the embedded service COUNT times under load."""
    campaign = partial(
        kill_embedded, kills=count, size=Size(people), seed=seed, check_every=check_every, limit=60 * minutes
    )
    outcome = _run(history, campaign)
    for line in outcome.lines():
        click.echo(line)
    _judged(outcome.report)


@histories.command()
@click.argument("seconds", type=click.FloatRange(1))
@_people
@_seed
@_keep
def network(seconds: float, people: int, seed: int, history: Path | None) -> None:
    """Cut, delay and duplicate requests for so many SECONDS."""
    disturbed = _run(history, lambda folder, file: disturb_network(folder, file, seconds, size=Size(people), seed=seed))
    click.echo("; ".join(f"{fault.value}: {count}" for fault, count in disturbed.faults.most_common()))
    _judged(disturbed.report)


@histories.command()
@click.argument("count", type=click.IntRange(1))
@_people
@_seed
@_keep
def disk(count: int, people: int, seed: int, history: Path | None) -> None:
    """Let the disk fail COUNT times under load."""
    failed = _run(history, lambda folder, file: fail_disk(folder, file, count, size=Size(people), seed=seed))
    click.echo("; ".join(f"{fault.value}: {count}" for fault, count in failed.faults.most_common()))
    _judged(failed.report)


@histories.command()
@click.argument("epochs", type=click.IntRange(1))
@click.option("--clients", default=CLIENTS, show_default=True, help="Devices in the group.")
@_seed
@_keep
def race(epochs: int, clients: int, seed: int, history: Path | None) -> None:
    """Let all members of one group race for so many EPOCHS."""
    ended = _run(history, lambda folder, file: race_commits(folder, file, clients=clients, epochs=epochs, seed=seed))
    click.echo(f"{sum(ended.won)} epochs, won by {sum(map(bool, ended.won))} of {clients} clients")
    click.echo(f"{len(ended.authenticators)} epoch authenticator at the end")
    _judged(ended.report)
    sys.exit(0 if len(ended.authenticators) == 1 else EXIT_VIOLATED)


@histories.command()
@click.argument("copies", type=click.IntRange(1))
@_seed
def damage(copies: int, seed: int) -> None:
    """Damage so many COPIES of a database in one place each, and read from them."""
    damaged = _run(None, lambda folder, _: damage_copies(folder, copies, seed=seed))
    for (name, became), count in sorted(damaged.counts.items()):
        click.echo(f"{name}: {became}: {count}")
    sys.exit(EXIT_VIOLATED if any(became is Became.WRONG for _, became in damaged.counts) else 0)


def _run(history: Path | None, campaign: Callable[[Path, Path], Coroutine[Any, Any, T]]) -> T:
    with TemporaryDirectory(prefix="ringtrue-histories-") as folder:
        return uvloop.run(campaign(Path(folder), history or Path(folder) / "history.jsonl"))


def _judged(report: Report) -> None:
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
