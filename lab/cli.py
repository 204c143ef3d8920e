"""The lab's part of the `ringtrue` command."""

import asyncio
import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, get_args

import click

from client.config import ThemeName
from client.terminal.abilities import look_at_terminal
from lab.paint import Paint

if TYPE_CHECKING:
    from lab.demo import Programme

NARROWEST, WIDEST = 80, 92  # columns
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
SLOW = 1.2  # seconds after each line
SLOWER = 2.0  # times as long on the screen
FAILED = 1


@click.command()
@click.option("--plain", is_flag=True, help="Tell it line by line, for screen readers and logs.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON Lines.")
@click.option("--web", is_flag=True, help="Show it in a browser of this machine.")
@click.option("--attack", "names", multiple=True, metavar="NAME", help="Play only this one; may be repeated.")
@click.option("--list", "lists", is_flag=True, help="Name the attacks, and play none.")
@click.option("--seed", type=int, help="Settles who says what, and the order of the attacks.")
@click.option("--slow", is_flag=True, help="Take more time over each event, for an audience.")
@click.option("--pause", type=click.FloatRange(0, 60), help="Seconds to pause after each event.")
@click.option("--theme", type=click.Choice(get_args(ThemeName)), help="Other colours than the settings say.")
@click.option("--in-browser", is_flag=True, hidden=True)  # what --web runs: a page draws, not a terminal
def demo(
    plain: bool,
    as_json: bool,
    web: bool,
    names: tuple[str, ...],
    lists: bool,
    seed: int | None,
    slow: bool,
    pause: float | None,
    theme: ThemeName | None,
    in_browser: bool,
) -> None:
    """Show it all on this machine: real services, people who talk, an attacker who tries everything, and spam.

    Needs no account and no network. Fills the terminal, or tells it line by line where there is none. Exits with 1 if
    an attack succeeds or an honest message is not verified.
    """
    programme = _programme(names, seed)
    if lists:
        _list()
    elif web:
        _serve(names, seed, slow, pause, theme)
    elif as_json or plain or not (in_browser or (look_at_terminal().can_draw and sys.stderr.isatty())):
        _tell(programme, as_json, pause if pause is not None else SLOW if slow else 0.0)
    else:
        _show(programme, theme, pause, SLOWER if slow else 1.0, in_browser)


def _programme(names: Sequence[str], seed: int | None) -> "Programme":
    from lab.attacks.catalogue import ATTACKS
    from lab.demo import Programme
    from lab.wave import WAVE

    if not names:
        return Programme(seed)
    by_name = {attack.name: attack for attack in ATTACKS}
    unknown = next((name for name in names if name not in by_name and name != WAVE), None)
    if unknown is not None:
        raise click.BadParameter(f"there is no attack {unknown!a}; --list names them", param_hint="--attack")
    chosen = [by_name[name] for name in names if name != WAVE]
    return Programme(seed, chosen, WAVE in names)


def _list() -> None:
    from lab.attacks.catalogue import ATTACKS
    from lab.wave import WAVE

    for attack in ATTACKS:
        click.echo(f"{attack.name:<24} {attack.title}")
    click.echo(f"{WAVE:<24} A spammer writes to everybody")


def _tell(programme: "Programme", as_json: bool, pause: float) -> None:
    from lab.demo import run_demo
    from lab.json_lines import JsonNarration
    from lab.narration import Narration

    columns = get_terminal_size((WIDEST, 24)).columns
    told = Narration(sys.stdout, Paint.for_stream(sys.stdout), min(max(columns, NARROWEST), WIDEST))
    narrator = JsonNarration(sys.stdout) if as_json else told
    try:
        _end(asyncio.run(run_demo(narrator, programme, pause)))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _show(
    programme: "Programme", theme: ThemeName | None, pause: float | None, factor: float, in_browser: bool
) -> None:
    from client.errors import ConfigError
    from lab.show.showing import show

    try:
        _end(show(programme, theme, pause, factor, in_browser=in_browser))
    except ConfigError as error:
        click.echo(f"Error: {error}\n{error.hint}", err=True)
        raise click.exceptions.Exit(error.exit_code) from None


def _serve(names: Sequence[str], seed: int | None, slow: bool, pause: float | None, theme: ThemeName | None) -> None:
    from lab.show.web import serve

    again = [f"--attack={name}" for name in names]
    again += [] if seed is None else [f"--seed={seed}"]
    again += [] if pause is None else [f"--pause={pause}"]
    again += [] if theme is None else [f"--theme={theme}"]
    serve([*again, *(["--slow"] if slow else [])])


def _end(succeeded: bool) -> None:
    if not succeeded:
        raise click.exceptions.Exit(FAILED)
