"""Commands about people: who asks to talk, whom this account knows, and whom it does not hear."""

import click

from client.commands.asking import grant, refuse
from client.commands.opened import opened, sync_if_possible
from client.desk.api import Api
from client.desk.lines import Group
from client.desk.people_views import RequestView
from client.errors import ChatError, InviteError
from client.invite import parse_invite
from client.terminal.rendering import show, tell_chat, tell_contact, tell_request
from client.terminal.voices import Listing, Terminal, account_command
from client.words.spelling import shown_number
from identity.errors import IdentityError

NUMBER = click.argument("number")


@click.group(cls=Listing)
def requests() -> None:
    """Decide who may talk to you."""


@requests.command("list")
@click.option("--held", is_flag=True, help="Those that a rule held back, of which nothing else tells.")
@account_command
async def requests_list(terminal: Terminal, held: bool) -> None:
    """List who wants to talk; nothing that they wrote is shown."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for request in await (api.people.held() if held else api.people.requests()):
            tell_request(terminal, request)


@requests.command("accept")
@click.argument("who", metavar="NUMBER|GROUP")
@account_command
async def requests_accept(terminal: Terminal, who: str) -> None:
    """Talk: whoever asked becomes a contact, and `receive` shows what they wrote."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for request in await _meant(api, who):
            if request.kind == "contact":
                await grant(terminal, api, request)
            else:
                tell_chat(terminal, await api.people.accept(request.group))


@requests.command("decline")
@click.argument("who", metavar="NUMBER|GROUP")
@account_command
async def requests_decline(terminal: Terminal, who: str) -> None:
    """Leave the chat, and forget what was said in it."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for request in await _meant(api, who):
            if request.kind == "contact":
                await refuse(terminal, api, request)
                continue
            await api.people.decline(request.group)
            show(terminal, "declined", f"Declined {shown_number(request.number)}.", Group(request.group))


@requests.command("block")
@click.argument("who", metavar="NUMBER|GROUP")
@account_command
async def requests_block(terminal: Terminal, who: str) -> None:
    """Decline, and block the number."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for number in dict.fromkeys(request.number for request in await _meant(api, who)):
            tell_contact(terminal, await api.people.block(number))


@click.group(cls=Listing)
def contacts() -> None:
    """Keep the people that you know."""


@contacts.command("list")
@account_command
async def contacts_list(terminal: Terminal) -> None:
    """List everybody who was accepted, named or blocked."""
    async with opened(terminal) as api:
        for contact in await api.people.contacts():
            tell_contact(terminal, contact)


@contacts.command("add")
@NUMBER
@click.argument("name", required=False)
@account_command
async def contacts_add(terminal: Terminal, number: str, name: str | None) -> None:
    """Make NUMBER a contact, so that it can write without asking; NAME is what only you call it."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        contact = await api.people.know(person.e164)
        tell_contact(terminal, contact if name is None else await api.people.name(person.e164, name))


@contacts.command("name")
@NUMBER
@click.argument("name")
@account_command
async def contacts_name(terminal: Terminal, number: str, name: str) -> None:
    """Call NUMBER by a NAME that only you see; an empty one forgets it."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        tell_contact(terminal, await api.people.name(person.e164, name))


@click.command()
@NUMBER
@account_command
async def block(terminal: Terminal, number: str) -> None:
    """Decline what NUMBER asks, and hide what it writes elsewhere."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        tell_contact(terminal, await api.people.block(person.e164))


@click.command()
@NUMBER
@account_command
async def unblock(terminal: Terminal, number: str) -> None:
    """Treat NUMBER as a stranger again."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        tell_contact(terminal, await api.people.unblock(person.e164))


async def _meant(api: Api, who: str) -> list[RequestView]:
    """The requests of a number, or the one whose group id begins so; else what was held back. Raises ChatError."""
    try:
        number = parse_invite(who).e164
    except (IdentityError, InviteError):
        number = ""
    for waiting in (await api.people.requests(), await api.people.held()):
        asked = [request for request in waiting if request.number == number]
        named = [request for request in waiting if request.group.startswith(who.lower())]
        if asked or len(named) == 1:
            return asked or named
    raise ChatError(f"not one request is meant by {who!a}", code="unknown-request", hint=_WHO_ASKS)


_WHO_ASKS = "See who asks: ringtrue requests, and ringtrue requests list --held"
