"""`python -m tests.postgresql.failovers COUNT` kills the primary of a cluster of its own so often, under load."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import uvloop

from lab.histories import failover, options
from lab.histories.__main__ import judged
from tests.postgresql.cluster import running_cluster
from tests.postgresql.server import why_not


@click.command()
@click.argument("count", type=click.IntRange(1))
@click.option("--replicas", default=2, show_default=True, help="Of the service.")
@options.pause(failover.PAUSE)
@options.appends
@options.minutes
@options.sized
@options.seed
@options.history
def failovers(count: int, minutes: float, history: Path | None, **how: Any) -> None:
    """Kill the primary and one replica COUNT times while one of two standbys is away."""
    if reason := why_not():
        raise click.ClickException(reason)
    with running_cluster(standbys=2) as cluster, TemporaryDirectory(prefix="ringtrue-failovers-") as folder:
        file = history or Path(folder) / "history.jsonl"
        limits = {"copied": True, "limit": 60 * minutes}
        outcome = uvloop.run(failover.fail_over(Path(folder), file, count, cluster, **limits, **how))
    click.echo(outcome.line())
    judged(outcome.report)


if __name__ == "__main__":
    failovers()
