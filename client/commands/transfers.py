"""The command about files that are being sent."""

import click

from client.commands.opened import opened, sync_if_possible
from client.desk.transfer_views import TransferView, transfer_words
from client.terminal.rendering import show
from client.terminal.voices import Terminal, account_command


@click.command()
@click.option("--cancel", type=click.IntRange(1), metavar="TRANSFER", help="Send this one no more.")
@account_command
async def transfers(terminal: Terminal, cancel: int | None) -> None:
    """Show the files that are on their way, and go on with what was interrupted."""
    async with opened(terminal) as api:
        if cancel is not None:
            waiting = await api.messages.cancel_transfer(cancel)
        else:
            if await api.messages.transfers():
                await sync_if_possible(terminal, api)
            waiting = await api.messages.transfers()
        for transfer in waiting:
            _tell(terminal, transfer)


def _tell(terminal: Terminal, transfer: TransferView) -> None:
    show(terminal, "transfer", f"{transfer.transfer}  {transfer.name}, {transfer_words(transfer)}", transfer)
