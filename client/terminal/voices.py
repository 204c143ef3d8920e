"""The command line's two voices: data on stdout, for people or as JSON Lines, and everything else on stderr."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec

import click

from client.desk.lines import SCHEMA_VERSION
from client.errors import PassphraseNeededError
from client.failures import EXPECTED, failure
from client.storage.home import Home, default_home
from client.storage.keys import keyring_available, needs_passphrase

P = ParamSpec("P")

INTERRUPTED = 130
CELLS_AT_LEAST = 40  # of a terminal that says it is narrower


@dataclass(frozen=True, slots=True)
class Terminal:
    """One command's account folder, output form and passphrase source."""

    home: Path
    as_json: bool
    passphrase_fd: int | None
    passphrase_file: Path | None

    def tell(self, kind: str, words: str, /, **values: object) -> None:
        """Put out one thing: `words` for people, or `kind` and `values` as one line of ASCII JSON."""
        if self.as_json:
            words = json.dumps({"v": SCHEMA_VERSION, "type": kind, **values}, ensure_ascii=True)
        click.echo(words)
        sys.stdout.flush()

    @property
    def cells(self) -> int | None:
        """How wide a line of the output is; None if it is no terminal."""
        return max(CELLS_AT_LEAST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None

    def hint(self, words: str) -> None:
        """Say something that is not data."""
        click.echo(words, err=True)

    def fail(self, code: str, words: str, hint: str, exit_code: int) -> NoReturn:
        """End the command: on stderr what happened and what to do, in JSON mode an object on stdout too."""
        if self.as_json:
            self.tell("error", "", code=exit_code, reason=code, detail=words, hint=hint)
        self.hint(f"Error: {words}" + (f"\n{hint}" if hint else ""))
        raise click.exceptions.Exit(exit_code)

    def passphrase(self) -> str | None:
        """The passphrase of the account in this folder, None if the keyring holds its key. Raises AccountError."""
        if not needs_passphrase(Home(self.home)):
            return None
        return self.given_passphrase() or self._asked("Passphrase", confirm=False)

    def new_passphrase(self) -> str | None:
        """A passphrase for a new account, None if the keyring is to hold its key. Raises PassphraseNeededError."""
        given = self.given_passphrase()
        if given is None and keyring_available():
            return None
        return given or self._asked("Choose a passphrase", confirm=True)

    def given_passphrase(self) -> str | None:
        """What --passphrase-fd or the file says, None if neither was named. Raises PassphraseNeededError."""
        if self.passphrase_fd is not None:
            return _first_line(self.passphrase_fd)
        if self.passphrase_file is not None:
            return _first_line(self.passphrase_file)
        return None

    def _asked(self, prompt: str, *, confirm: bool) -> str:
        if not sys.stdin.isatty():
            raise PassphraseNeededError(
                "the account needs a passphrase, and there is no terminal to ask at",
                hint="Give it with --passphrase-fd, or name its file in RINGTRUE_PASSPHRASE_FILE.",
            )
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def _first_line(source: int | Path) -> str:
    try:
        with open(source, encoding="utf-8") as opened:
            line = opened.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise PassphraseNeededError("what was given as the passphrase is not UTF-8 text") from error
    if not line:
        raise PassphraseNeededError("what was given as the passphrase is empty")
    return line


_OPTIONS = (
    click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="RINGTRUE_HOME",
        default=default_home,
        show_default="the user's data folder",
        help="The account's folder (RINGTRUE_HOME).",
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object per line on stdout."),
    click.option("--passphrase-fd", type=int, help="Read the passphrase from this open file descriptor."),
    click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="RINGTRUE_PASSPHRASE_FILE",
        help="Read the passphrase from the first line of this file (RINGTRUE_PASSPHRASE_FILE).",
    ),
)


def account_command(
    command: Callable[Concatenate[Terminal, P], Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Make a coroutine a command: it gets a Terminal, is awaited, and its errors become words and an exit code."""

    def run(
        home: Path,
        as_json: bool,
        passphrase_fd: int | None,
        passphrase_file: Path | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        terminal = Terminal(home, as_json, passphrase_fd, passphrase_file)
        try:
            asyncio.run(command(terminal, *args, **kwargs))
        except EXPECTED as error:
            problem = failure(error)
            terminal.fail(problem.code, problem.detail, problem.hint, problem.exit)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None

    wrapped = update_wrapper(run, command)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


class Listing(click.Group):
    """A group of commands that does its `list` where no other is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in `list` unless a command or help is asked for."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args.insert(0, "list")
        return super().parse_args(ctx, args)
