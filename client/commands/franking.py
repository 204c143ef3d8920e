"""Commands about the keys with which the delivery service confirms messages."""

import click

from client.commands.opened import opened
from client.desk.views import FrankingKeyView
from client.terminal.rendering import show
from client.terminal.voices import Listing, Terminal, account_command


@click.group(cls=Listing)
def franking() -> None:
    """See by which keys the delivery service confirms messages, and decide on a new one."""


@franking.command("list")
@account_command
async def franking_list(terminal: Terminal) -> None:
    """Show the keys that are used here, and the one that the service shows now."""
    async with opened(terminal) as api:
        for key in await api.device.franking_keys():
            _tell(terminal, key)


@franking.command("use")
@click.argument("key")
@account_command
async def franking_use(terminal: Terminal, key: str) -> None:
    """Use KEY from now on, the one that the service shows, after its operator has said why it changed."""
    async with opened(terminal) as api:
        for each in await api.device.use_franking_key(key):
            _tell(terminal, each)


def _tell(terminal: Terminal, key: FrankingKeyView) -> None:
    used = "✗ NOT USED" if key.since is None else f"✓ used since {key.since:%Y-%m-%d}"
    shown = "shown by the service now" if key.shown else "not shown by the service now"
    show(terminal, "franking-key", f"{key.key}  {used}, {shown}", key)
