"""`python -m lab.bench [NAME…] [--json] [--quick]`: every measurement in one run, in one table.

`python -m lab.bench soak --minutes 20` takes so long, and is measured only when it is named.
"""

import os
import platform
import sys
from collections.abc import Callable
from importlib import import_module

import click

from lab.bench import soak
from lab.bench.rows import Row, table

BENCHES = (
    "passport",
    "revocations",
    "franking",
    "reports",
    "admission",
    "mls",
    "delivery",
    "stores",
    "delivery_options",
    "streams",
    "fan_out",
    "many_groups",
    "overload",
    "blobs",
    "end_to_end",
    "memory",
    "terminal",
    "renewals",
    "enrolment",
)
SOAK = "soak"


@click.command(name="bench")
@click.argument("names", nargs=-1, type=click.Choice((*BENCHES, SOAK)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line instead of a table.")
@click.option("--quick", is_flag=True, help="Fewer repetitions and smaller groups: shows that all runs, not how fast.")
@click.option("--minutes", default=soak.MINUTES, show_default=True, type=click.FloatRange(0.1), help="Of the soak.")
def bench(names: tuple[str, ...], as_json: bool, quick: bool, minutes: float) -> None:
    """Measure, and compare each result with a floor that was measured in the same run."""
    rows: list[Row] = []
    for name in names or BENCHES:
        if not as_json:
            click.echo(f"measuring {name} ...", err=True)
        measured = soak.run(quick, minutes) if name == SOAK else _measure(name, quick)
        if as_json:
            for row in measured:
                click.echo(row.to_json())
            sys.stdout.flush()
        rows += measured
    if not as_json:
        click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians\n")
        click.echo(table(rows))


def _measure(name: str, quick: bool) -> list[Row]:
    run: Callable[[bool], list[Row]] = import_module(f"lab.bench.{name}").run
    return run(quick)


if __name__ == "__main__":
    bench()
