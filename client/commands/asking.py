"""Commands about reaching and being reached: how this number may be reached, whom it asks, and who agreed."""

import click

from client.commands.opened import opened, sync_if_possible
from client.desk.api import Api
from client.desk.lines import Answered
from client.desk.people_views import RequestView
from client.invite import parse_invite
from client.terminal.rendering import show, tell_ask, tell_contact, tell_mode
from client.terminal.voices import Terminal, account_command
from client.words.spelling import shown_number


@click.command()
@click.argument("mode", required=False, type=click.Choice(["open", "ask", "contacts"]))
@account_command
async def reachable(terminal: Terminal, mode: str | None) -> None:
    """Show or choose who can write to you: everybody (open), whom you let when they ask (ask), or your contacts."""
    async with opened(terminal) as api:
        if mode is None:
            await sync_if_possible(terminal, api)
        tell_mode(terminal, await api.people.mode(mode))


@click.command()
@click.argument("number")
@account_command
async def ask(terminal: Terminal, number: str) -> None:
    """Ask NUMBER to let you write to it; nothing but your number is sent."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        tell_ask(terminal, await api.people.ask(person.e164))


@click.command()
@account_command
async def asked(terminal: Terminal) -> None:
    """List whom you have asked, and who has agreed."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for each in await api.people.asked():
            tell_ask(terminal, each)


async def grant(terminal: Terminal, api: Api, request: RequestView) -> None:
    """Let a number through that asked, and say so."""
    contact = await api.people.grant(request.number)
    terminal.hint(f"{shown_number(request.number)} is told, and can write to you now.")
    tell_contact(terminal, contact)


async def refuse(terminal: Terminal, api: Api, request: RequestView) -> None:
    """Answer a number that asked with no, and say so."""
    await api.people.refuse(request.number)
    show(terminal, "refused", f"Refused {shown_number(request.number)}. They are not told.", Answered(request.number))
