"""`python -m lab.histories check FILE`: judge a recorded history."""

import sys
from pathlib import Path

import click

from lab.histories.checker import Report, check
from lab.histories.history import HistoryError, read_history

EXIT_VIOLATED = 3
SHOWN = 20  # violations


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
    tell(report)
    sys.exit(EXIT_VIOLATED if report.violations else 0)


def tell(report: Report) -> None:
    """Print what was counted and found."""
    click.echo(
        f"{report.groups} groups, {report.operations:,} operations: {report.acked:,} appends acknowledged, "
        f"{report.repeats:,} repeats, {report.stale:,} stale, {report.commits:,} commits, {report.reads:,} reads, "
        f"{report.claimed:,} key packages claimed, {report.unknown:,} without an answer"
    )
    for violation in report.violations[:SHOWN]:
        click.echo(f"VIOLATED {violation.rule.name}: {violation.rule.value}: {violation.where}: {violation.shown}")
    click.echo(f"{len(report.violations)} violations, {report.lost} acknowledged appends lost")


if __name__ == "__main__":
    histories(prog_name="python -m lab.histories")
