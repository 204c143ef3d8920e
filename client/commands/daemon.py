"""The commands for programs: the daemon, and the schema of everything that it says."""

import asyncio
import json
import signal

import click

from client.commands.opened import tell_troubles
from client.desk.daemon import Daemon
from client.desk.desk import open_desk
from client.desk.endpoint import daemon_is_running, socket_path
from client.desk.lines import Ready, Warned
from client.desk.schema import schema_document
from client.errors import AccountBusyError
from client.terminal.rendering import show
from client.terminal.voices import Terminal, account_command
from client.words.spelling import shown_number


@click.command()
@account_command
async def daemon(terminal: Terminal) -> None:
    """Keep the account open and up to date, and let any number of programs use it at once.

    Commands and the terminal client find it by themselves. It ends with Ctrl-C or SIGTERM.
    """
    if daemon_is_running(terminal.home):
        raise AccountBusyError(
            f"a daemon runs for the account in {terminal.home} already",
            code="daemon-runs",
            hint="Every command uses it by itself; nothing is to be done.",
        )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_desk(terminal.home, terminal.passphrase()) as api:
        account = await api.device.account()
        path = str(socket_path(terminal.home))

        def ready() -> None:
            show(terminal, "ready", f"{shown_number(account.number)} is ready at {path}", Ready(account.number, path))

        def warn(words: str) -> None:
            show(terminal, "warning", words, Warned(words))

        telling = asyncio.create_task(tell_troubles(api, warn, follow=True))
        try:
            await Daemon(api, terminal.home, warn).run(ready, stop)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


@click.command()
def schema() -> None:
    """Print the JSON Schema of every call, event, JSON line and error."""
    click.echo(json.dumps(schema_document(), indent=2))
