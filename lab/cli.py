"""The lab's part of the `ringtrue` command."""

import asyncio
import sys
from shutil import get_terminal_size

import click

from lab.paint import Paint

NARROWEST, WIDEST = 80, 92  # columns
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON Lines.")
@click.option("--seed", type=int, help="Settles who says what, and the order of the attacks.")
@click.option("--slow", is_flag=True, help="Pause after each event, for an audience.")
@click.option("--pause", type=click.FloatRange(0, 60), help="Seconds to pause after each event.")
def demo(as_json: bool, seed: int | None, slow: bool, pause: float | None) -> None:
    """Show it all on this machine: real services, people who talk, and an attacker who tries everything.

    Needs no account and no network. Exits with 1 if an attack succeeds or an honest message is not verified.
    """
    from lab.demo import run_demo
    from lab.narration import JsonNarration, Narration

    columns = get_terminal_size((WIDEST, 24)).columns
    told = Narration(sys.stdout, Paint.for_stream(sys.stdout), min(max(columns, NARROWEST), WIDEST))
    narrator = JsonNarration(sys.stdout) if as_json else told
    wait = pause if pause is not None else 1.2 if slow else 0.0
    try:
        succeeded = asyncio.run(run_demo(narrator, seed, wait))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    if not succeeded:
        raise click.exceptions.Exit(1)
