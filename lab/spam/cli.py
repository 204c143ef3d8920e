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

from lab.spam.records import read_run, summary, write_rows, write_run
from lab.spam.scenario import ALL, NONE, Defence, Habits, Scenario, name_of, named
from lab.spam.series import Point, series

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
@click.option("--misreports", type=click.FloatRange(0, 1), default=Habits().misreports, show_default=True,
              help="Share of honest strangers' requests that are reported.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("spam-lab"), show_default=True)
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="one a core")
@click.option("--figures/--no-figures", default=True, help="Draw them from what was measured (needs matplotlib).")
def spam(
    seeds: Sequence[int],
    users: int,
    spammers: int,
    days: int,
    defences: Sequence[str],
    misreports: float,
    out: Path,
    jobs: int,
    figures: bool,
) -> None:
    """Let spammers with genuine numbers loose on people, with each defence on and off.

    All and none are measured with every seed, what lies between with the first.

    DEFENCES are `all`, `none`, `all-NAME` or names joined by `+`: admission, quotas, consent, reports.

    Everything but the words and the people's habits is real. Writes run-SEED-DEFENCES.jsonl into the folder, and counts
    and draws whatever runs it holds, as `ringtrue lab figures` does.
    """
    runs = product(map(_defences, defences), dict.fromkeys(seeds))
    scenarios = [
        Scenario(seed, users, spammers, days, defences=each, habits=Habits(misreports=misreports))
        for each, seed in runs
        if seed == seeds[0] or each in (ALL, NONE)
    ]
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(min(jobs, len(scenarios)), get_context("spawn")) as pool:
        for _ in pool.map(_run, scenarios, [out] * len(scenarios)):
            pass
    _count(out, figures)


@lab.command("figures")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--figures/--no-figures", default=True, help="Draw them, too (needs matplotlib).")
def figures_(folder: Path, figures: bool) -> None:
    """Count the runs in FOLDER: summary.csv, series.csv and the figures; prints the summary as JSON Lines."""
    _count(folder, figures)


def _defences(text: str) -> frozenset[Defence]:
    try:
        return named(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!a}: say all, none, all-NAME, or names joined by +") from error


def _run(scenario: Scenario, out: Path) -> None:
    from lab.spam.run import run

    write_run(out / f"run-{scenario.seed}-{name_of(scenario.defences)}.jsonl", scenario, asyncio.run(run(scenario)))


def _count(folder: Path, figures: bool) -> None:
    try:
        runs = [read_run(path) for path in folder.glob("run-*.jsonl")]
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if not runs:
        raise click.ClickException(f"{folder} holds no runs; `ringtrue lab spam --out {folder}` makes them")
    runs.sort(
        key=lambda run: (COMPARED.index(name) if (name := name_of(run[0].defences)) in COMPARED else 99, run[0].seed)
    )
    summaries = [summary(*run) for run in runs]
    points = [point for run in runs for point in series(*run)]
    for each in summaries:
        click.echo(json.dumps(dataclasses.asdict(each)))
    write_rows(folder / "summary.csv", summaries)
    write_rows(folder / "series.csv", points)
    if figures:
        _draw(points, folder)


def _order(scenario: Scenario) -> tuple[int, str, int]:
    """As they are compared, others after them."""
    name = name_of(scenario.defences)
    return (COMPARED.index(name) if name in COMPARED else len(COMPARED)), name, scenario.seed


def _draw(points: Sequence[Point], folder: Path) -> None:
    try:
        from lab.spam.figures import draw
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"figures need matplotlib ({error}); `uv sync` installs it, or --no-figures"
        ) from error
    draw(points, folder)
