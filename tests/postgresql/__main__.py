"""`python -m tests.postgresql [--standbys N] COMMAND…` runs a command beside a cluster of its own, for measurements.

The command finds the URL of a migrated database in RINGTRUE_BENCH_DATABASE. With standbys, one of them must have what
is acknowledged.
"""

import os
import subprocess
import sys

import click

from delivery_service.migrations import migrate
from tests.postgresql.cluster import running_cluster
from tests.postgresql.server import why_not

VARIABLE = "RINGTRUE_BENCH_DATABASE"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--standbys", default=0, show_default=True, type=click.IntRange(0, 4))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def beside_cluster(standbys: int, command: tuple[str, ...]) -> None:
    """Run COMMAND beside a PostgreSQL cluster that ends with it."""
    if reason := why_not():
        raise click.ClickException(reason)
    with running_cluster(standbys) as cluster:
        cluster.primary.execute("CREATE DATABASE bench TEMPLATE template0")
        url = cluster.primary.url("bench")
        migrate(url)
        sys.exit(subprocess.run(command, env={**os.environ, VARIABLE: url}).returncode)


if __name__ == "__main__":
    beside_cluster()
