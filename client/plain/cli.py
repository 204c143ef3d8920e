"""`ringtrue plain`: the line mode."""

import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from client.config import config_path, load_config
from client.desk.api import Api
from client.desk.endpoint import daemon_is_running
from client.desk.opening import open_api
from client.errors import NotEnrolledError
from client.plain.conversing import converse
from client.plain.first_run import first_run
from client.plain.locking import opening_passphrase
from client.plain.paper import EndedError, Paper
from client.storage.home import AUTHORITY, DELIVERY, Home
from client.storage.keys import needs_passphrase
from client.terminal.voices import Terminal, account_command

STANDARD_INPUT = 0


@click.command()
@click.option("--authority", default=AUTHORITY, show_default=True, help="The first run's proposal for the authority.")
@click.option("--delivery", default=DELIVERY, show_default=True, help="The first run's proposal for the service.")
@click.option("--incognito", is_flag=True, help="Announce no names and texts; mark nothing as read, keep nothing.")
@account_command
async def plain(terminal: Terminal, authority: str, delivery: str, incognito: bool) -> None:
    """Chat line by line, in numbered menus: for screen readers, simple terminals and scripts."""
    await run_plain(terminal, authority, delivery, incognito=incognito)


async def run_plain(terminal: Terminal, authority: str, delivery: str, *, incognito: bool = False) -> None:
    """The line mode on standard input and output, from the first run on if there is no account yet."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? for what it does not have
    config = load_config(config_path())
    paper = Paper(STANDARD_INPUT, sys.stdout, emoji_in_words=config.emoji == "text")
    with paper.reading():
        try:
            first = not Home(terminal.home).key_file.exists()
            given = terminal.given_passphrase()
            while True:
                passphrase = await first_run(paper, terminal.home, authority, delivery, given) if first else given
                try:
                    async with opened(paper, terminal.home, passphrase) as api:
                        await converse(api, paper, config, Home(terminal.home), first=first, incognito=incognito)
                    break
                except NotEnrolledError:  # an earlier attempt made a store, and ended before there was an account
                    first = True
        except EndedError:
            paper.say("The input has ended. Nothing is lost: start again to go on.")


@asynccontextmanager
async def opened(paper: Paper, home: Path, passphrase: str | None) -> AsyncIterator[Api]:
    """The account; its passphrase is asked for if it takes one that is not known, and no daemon has it open."""
    if passphrase is None and not daemon_is_running(home) and needs_passphrase(Home(home)):
        passphrase = await opening_passphrase(paper, Home(home))
    async with open_api(home, lambda: passphrase) as api:
        yield api
