"""What the commands share: opening the account, and bringing it up to date."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from client.desk.api import Api
from client.desk.opening import open_api
from client.desk.told import StatusChanged, TroubleTold
from client.errors import ClientError
from client.terminal.voices import Terminal

EXIT_NETWORK, EXIT_TIMED_OUT = 6, 7
PASSING = (EXIT_NETWORK, EXIT_TIMED_OUT)  # exit codes of errors that do not keep a command from its work
_LAST_WORDS = 0.1  # seconds in which the last events of a command arrive


@asynccontextmanager
async def opened(terminal: Terminal, *, follow: bool = False) -> AsyncIterator[Api]:
    """The account that a command works on; trouble with one of its chats becomes a hint.

    With `follow` it stays up to date by itself, as it does anyway if a daemon runs.
    """
    async with open_api(terminal.home, terminal.passphrase, follow=follow) as api:
        listening = asyncio.create_task(tell_troubles(api, terminal.hint, follow=follow))
        try:
            yield api
            await asyncio.wait((listening,), timeout=_LAST_WORDS)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def sync_if_possible(terminal: Terminal, api: Api) -> None:
    """Read and post whatever there is; without network, or asked to wait, go on with what is here."""
    await if_possible(terminal, api.device.sync())


async def if_possible(terminal: Terminal, call: Awaitable[object]) -> None:
    """Do what the services are asked for; without network, or asked to wait, go on with what is here."""
    try:
        await call
    except ClientError as error:
        if error.exit_code not in PASSING or error.code == "daemon-gone":
            raise
        terminal.hint(f"Not up to date: {error}")


async def tell_troubles(api: Api, say: Callable[[str], None], *, follow: bool) -> None:
    """Say what could not be done now, for ever; with `follow` also that the services do not answer."""
    trouble = ""
    async with aclosing(api.events()) as events:
        async for told in events:
            match told:
                case TroubleTold():
                    say(f"Trouble: {told.words}" + (f"\n{told.hint}" if told.hint else ""))
                case StatusChanged(status=status) if follow:
                    if status.trouble not in ("", trouble):
                        say(f"Trouble: {status.trouble}")
                    trouble = status.trouble
