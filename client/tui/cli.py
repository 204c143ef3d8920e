"""`ringtrue run`: the terminal client. It imports little: the first frame is drawn before anything heavy is loaded."""

import asyncio
import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from client.config import ThemeName, config_path, load_config
from client.errors import ClientError
from client.storage.home import AUTHORITY, DELIVERY, default_home
from client.terminal.abilities import ask_graphics, look_at_terminal

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp

NO_TERMINAL = "Use --plain or receive --json"
ANSWER_WAIT = 0.1  # seconds; also what the start costs in a terminal that never answers
EXIT_USAGE, EXIT_FAILED = 2, 1
RARELY = (50_000, 20, 50)  # when Python looks for garbage: its defaults do so some hundred times during the start
LOADED = 3  # seconds after which nearly everything that stays is there; looking through it takes 70 ms each time


@click.command()
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), envvar="RINGTRUE_HOME", default=default_home)
@click.option("--passphrase-fd", type=int, help="Read the passphrase from this open file descriptor.")
@click.option("--passphrase-file", type=click.Path(dir_okay=False, path_type=Path), envvar="RINGTRUE_PASSPHRASE_FILE")
@click.option("--incognito", is_flag=True, help="Show no names and texts outside a chat; mark nothing as read.")
@click.option("--theme", type=click.Choice(get_args(ThemeName)), help="Other colours, this time.")
@click.option("--plain", is_flag=True, help="Line by line, for screen readers and simple terminals.")
@click.option("--authority", default=AUTHORITY, show_default=True, help="What the first run proposes.")
@click.option("--delivery", default=DELIVERY, show_default=True, help="What the first run proposes.")
@click.option("--in-browser", is_flag=True, hidden=True)  # what `ringtrue serve` runs: a page draws, not a terminal
def run(
    home: Path,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    incognito: bool,
    theme: ThemeName | None,
    plain: bool,
    authority: str,
    delivery: str,
    in_browser: bool,
) -> None:
    """Chat, in the whole window of this terminal; with --plain, line by line."""
    if plain:
        return _run_plain(home, passphrase_fd, passphrase_file, incognito, authority, delivery)
    if not in_browser and not (look_at_terminal().can_draw and sys.stderr.isatty()):  # Textual draws on stderr
        click.echo(f"Error: this is no terminal that can be drawn on.\n{NO_TERMINAL}", err=True)
        raise click.exceptions.Exit(EXIT_USAGE)
    gc.set_threshold(*RARELY)
    try:
        given = _given(home, passphrase_fd, passphrase_file)
        code = asyncio.run(_run(home, given, theme, incognito, authority, delivery, in_browser))
    except ClientError as error:
        click.echo(f"Error: {error}\n{error.hint}".rstrip(), err=True)
        raise click.exceptions.Exit(error.exit_code) from None
    raise click.exceptions.Exit(code)


async def _run(
    home: Path,
    given: str | None,
    theme: ThemeName | None,
    incognito: bool,
    authority: str,
    delivery: str,
    in_browser: bool,
) -> int:
    from client.tui.app import RingtrueApp
    from client.tui.opening import AccountOpening
    from client.tui.outward import RESTORE_TITLE

    config = load_config(config_path())
    if theme is not None:
        config = replace(config, theme=theme)
    app = RingtrueApp(home, config, opening=AccountOpening(home, authority, delivery, given), incognito=incognito)
    if in_browser:
        from client.tui.browser_driver import BrowserDriver

        app.driver_class = BrowserDriver
    elif config.images == "auto":
        _ask_for_pictures(app)
    asyncio.get_running_loop().call_later(LOADED, gc.freeze)
    try:
        await app.run_async()
    finally:
        if not in_browser:
            sys.stderr.write(RESTORE_TITLE)
            sys.stderr.flush()
    return EXIT_FAILED if app.crash_log is not None else app.return_code or 0


def _ask_for_pictures(app: "RingtrueApp") -> None:
    """Ask the terminal how it shows pictures, before the app reads from it; most terminals answer within 10 ms."""
    app.graphics = ask_graphics(os.environ, sys.stdin.fileno(), ANSWER_WAIT)
    if app.graphics != "none":
        from client.tui.images import prepare_native

        prepare_native(app.graphics)


def _given(home: Path, descriptor: int | None, file: Path | None) -> str | None:
    if descriptor is None and file is None:
        return None
    from client.terminal.voices import Terminal

    return Terminal(home, False, descriptor, file).given_passphrase()


def _run_plain(
    home: Path, descriptor: int | None, file: Path | None, incognito: bool, authority: str, delivery: str
) -> None:
    from client.plain.cli import plain

    arguments = ["--home", str(home), "--authority", authority, "--delivery", delivery]
    if incognito:
        arguments.append("--incognito")
    if descriptor is not None:
        arguments += ["--passphrase-fd", str(descriptor)]
    if file is not None:
        arguments += ["--passphrase-file", str(file)]
    plain.main(arguments, prog_name="ringtrue --plain")
