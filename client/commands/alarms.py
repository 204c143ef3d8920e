"""Commands about alarms: signs that the number or this device's key is used elsewhere."""

import click

from client.commands.opened import if_possible, opened
from client.terminal.rendering import tell_alarm, tell_log
from client.terminal.voices import Listing, Terminal, account_command


@click.group(cls=Listing)
def alarms() -> None:
    """See whether your number or this device's key is used elsewhere."""


@alarms.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were put away, too.")
@account_command
async def alarms_list(terminal: Terminal, everything: bool) -> None:
    """Ask both services now, and list what was seen and what to do about it."""
    async with opened(terminal) as api:
        await if_possible(terminal, api.device.watch())
        found = await api.device.alarms(everything)
        for alarm in found:
            tell_alarm(terminal, alarm)
        if not found:
            terminal.hint("Nothing was seen: no certificate, session or key package that this device did not ask for.")


@alarms.command("acknowledge")
@click.argument("alarm", type=click.IntRange(1), metavar="ALARM")
@click.option("--mine", is_flag=True, help="The certificate is for another device of yours.")
@account_command
async def alarms_acknowledge(terminal: Terminal, alarm: int, mine: bool) -> None:
    """Put ALARM away, once you know what it was."""
    async with opened(terminal) as api:
        for left in await api.device.acknowledge(alarm, mine):
            tell_alarm(terminal, left)


@alarms.command("logs")
@account_command
async def alarms_logs(terminal: Terminal) -> None:
    """Ask now, and list the logs of certificates that are watched for your number."""
    async with opened(terminal) as api:
        await if_possible(terminal, api.device.watch())
        found = await api.device.logs()
        for log in found:
            tell_log(terminal, log)
        if not found:
            terminal.hint("Your authority names no log: who is certified for your number, only the authority can say.")
