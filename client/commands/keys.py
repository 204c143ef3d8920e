"""Commands about the keys of a number, which proves itself and not who holds it."""

import click

from client.commands.opened import opened
from client.invite import parse_invite
from client.terminal.rendering import tell_key
from client.terminal.voices import Terminal, account_command

NUMBER = click.argument("number")


@click.group()
def keys() -> None:
    """See on which keys you have met a number."""


@keys.command("list")
@NUMBER
@account_command
async def keys_list(terminal: Terminal, number: str) -> None:
    """List the keys of NUMBER that were seen in your chats."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        for key in await api.people.keys(person.e164):
            tell_key(terminal, key)


@keys.command("meet")
@NUMBER
@click.argument("key")
@account_command
async def keys_meet(terminal: Terminal, number: str, key: str) -> None:
    """Say that KEY is the same person's as NUMBER's others: compare the check number first."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        for each in await api.people.meet(person.e164, key):
            tell_key(terminal, each)
