"""The command `ringtrue lab`."""

import asyncio
import dataclasses
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import click

from lab.spam.records import Summary, summary, write_attempts, write_summaries
from lab.spam.scenario import ALL, NONE, Defence, Scenario, name_of, named
from lab.spam.series import Point, read_series, series, write_series

COMPARED = ("none", "all", "admission", "reports", "quotas", "consent")


@click.group()
def lab() -> None:
    """Measure the defence in populations of real clients over real services."""


@lab.command()
@click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True, help="Once for each run.")
@click.option("--users", type=click.IntRange(8, 5000), default=500, show_default=True)
@click.option("--spammers", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--days", type=click.IntRange(1, 60), default=3, show_default=True, help="Simulated.")
@click.option("--defences", multiple=True, default=COMPARED, show_default=True, help="What is on, once for each run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("spam-lab"), show_default=True)
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="one a core")
@click.option("--figures/--no-figures", default=True, help="Draw them from what was measured (needs matplotlib).")
def spam(
    seeds: Sequence[int],
    users: int,
    spammers: int,
    days: int,
    defences: Sequence[str],
    out: Path,
    jobs: int,
    figures: bool,
) -> None:
    """Let spammers with genuine numbers loose on people, with each defence on and off.

    All and none are measured with every seed, what lies between with the first.

    DEFENCES are `all`, `none`, `all-NAME` or names joined by `+`: admission, quotas, consent, reports.

    Everything but the words and the people's habits is real. Writes attempts-*.jsonl, summary.csv, series.csv and
    figures into the folder, and prints the summary as JSON Lines.
    """
    runs = product(map(_defences, defences), dict.fromkeys(seeds))
    scenarios = [
        Scenario(seed, users, spammers, days, defences=each)
        for each, seed in runs
        if seed == seeds[0] or each in (ALL, NONE)
    ]
    _measure(scenarios, out, jobs)
    if figures:
        _draw(out)


@lab.command("figures")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def figures_(folder: Path) -> None:
    """Draw the figures anew from the series.csv in FOLDER."""
    _draw(folder)


def _defences(text: str) -> frozenset[Defence]:
    try:
        return named(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!a}: say all, none, all-NAME, or names joined by +") from error


def _measure(scenarios: Sequence[Scenario], out: Path, jobs: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(min(jobs, len(scenarios)), get_context("spawn")) as pool:
        summaries, points = [], []
        for counted, over_time in pool.map(_run, scenarios, [out] * len(scenarios)):
            click.echo(json.dumps(dataclasses.asdict(counted)))
            summaries.append(counted)
            points += over_time
    write_summaries(out / "summary.csv", summaries)
    write_series(out / "series.csv", points)


def _run(scenario: Scenario, out: Path) -> tuple[Summary, list[Point]]:
    from lab.spam.run import run

    attempts = asyncio.run(run(scenario))
    write_attempts(out / f"attempts-{scenario.seed}-{name_of(scenario.defences)}.jsonl", attempts)
    return summary(scenario, attempts), series(scenario, attempts)


def _draw(folder: Path) -> None:
    try:
        from lab.spam.figures import draw
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"figures need matplotlib ({error}); `uv sync` installs it, or --no-figures"
        ) from error
    for path in draw(read_series(folder / "series.csv"), folder):
        click.echo(str(path))
