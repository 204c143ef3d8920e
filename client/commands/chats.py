"""Commands about chats and who is in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click

from client.commands.opened import opened, sync_if_possible
from client.desk.lines import Membership, Written
from client.desk.views import Rendering
from client.invite import parse_invite
from client.records.service_facts import kept_for
from client.terminal.rendering import show, tell_agreement, tell_chat, tell_check_number, tell_member
from client.terminal.voices import Listing, Terminal, account_command
from client.words.duration import DurationError, seconds_of

CHAT = click.argument("chat_name", metavar="CHAT")
NEW_KEYS = click.option("--new-keys", is_flag=True, help="Also on keys of a known number that you have not met.")


@click.group(cls=Listing)
def chat() -> None:
    """Create and list chats."""


@chat.command("new")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
@click.option("--open", "for_all", is_flag=True, help="Let every member change who is in it, not only admins.")
@NEW_KEYS
@account_command
async def chat_new(terminal: Terminal, name: str, numbers: Sequence[str], for_all: bool, new_keys: bool) -> None:
    """Create the chat NAME with the people of NUMBERS."""
    people = [parse_invite(number).e164 for number in numbers]
    async with opened(terminal) as api:
        tell_chat(terminal, await api.chats.create(name, people, not for_all, new_keys))


@chat.command("list")
@click.option("--archived", is_flag=True, help="Those that were put away.")
@account_command
async def chat_list(terminal: Terminal, archived: bool) -> None:
    """List all chats."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        for each in await api.chats.all(archived):
            tell_chat(terminal, each)


@chat.command("reset")
@CHAT
@account_command
async def chat_reset(terminal: Terminal, chat_name: str) -> None:
    """Begin CHAT anew with the same people, roles and name; the old chat ends, and everybody's device moves over.

    For a chat in which nothing comes through any more. In a chat with admins, only they may do that.
    """
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        tell_chat(terminal, await api.chats.reset((await api.chats.find(chat_name)).group))


@chat.command("delete")
@CHAT
@click.option("--yes", is_flag=True, help="Do not ask.")
@account_command
async def chat_delete(terminal: Terminal, chat_name: str, yes: bool) -> None:
    """Have CHAT deleted at the delivery service: by an admin, or by the last who is in it.

    Others have a week to fetch what is there. What is on your devices and theirs stays.
    """
    if not yes and not click.confirm(f"Delete {chat_name} at the service, for everybody?", err=True):
        return
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        tell_chat(terminal, await api.chats.delete((await api.chats.find(chat_name)).group))


@click.command()
@CHAT
@click.argument("name")
@account_command
async def rename(terminal: Terminal, chat_name: str, name: str) -> None:
    """Name CHAT, for everybody in it."""
    async with opened(terminal) as api:
        await api.device.sync()
        tell_chat(terminal, await api.chats.rename((await api.chats.find(chat_name)).group, name))


@click.command()
@CHAT
@click.argument("after")
@account_command
async def timer(terminal: Terminal, chat_name: str, after: str) -> None:
    """Let new messages in CHAT disappear AFTER they were read: 30s, 8h, 1w; `off` ends that."""
    seconds = seconds_of(after)
    if seconds is None:
        raise DurationError("messages disappear after some time, or never")
    async with opened(terminal) as api:
        await api.device.sync()
        tell_chat(terminal, await api.chats.timer((await api.chats.find(chat_name)).group, seconds))


@click.command("want-proof")
@CHAT
@click.option("--off", is_flag=True, help="Show such messages again, with their mark.")
@account_command
async def want_proof(terminal: Terminal, chat_name: str, off: bool) -> None:
    """Hold back what comes into CHAT without a proof, from now on."""
    async with opened(terminal) as api:
        tell_chat(terminal, await api.chats.want_proof((await api.chats.find(chat_name)).group, not off))


@click.command()
@CHAT
@click.argument("time", default="always")
@account_command
async def mute(terminal: Terminal, chat_name: str, time: str) -> None:
    """No alerts of CHAT for this TIME (8h, 1w), for ever without one; `off` ends that."""
    seconds = seconds_of(time)
    async with opened(terminal) as api:
        tell_chat(terminal, await api.chats.mute((await api.chats.find(chat_name)).group, seconds))


@click.command()
@CHAT
@click.option("--off", is_flag=True, help="No longer.")
@account_command
async def pin(terminal: Terminal, chat_name: str, off: bool) -> None:
    """Keep CHAT on top of the list."""
    async with opened(terminal) as api:
        tell_chat(terminal, await api.chats.pin((await api.chats.find(chat_name)).group, not off))


@click.command()
@CHAT
@click.option("--off", is_flag=True, help="Take it out again.")
@account_command
async def archive(terminal: Terminal, chat_name: str, off: bool) -> None:
    """Put CHAT away; a new message does not bring it back."""
    async with opened(terminal) as api:
        tell_chat(terminal, await api.chats.archive((await api.chats.find(chat_name)).group, not off))


@click.command()
@CHAT
@account_command
async def members(terminal: Terminal, chat_name: str) -> None:
    """List the people in CHAT, one line for each device."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        group = (await api.chats.find(chat_name)).group
        for member in await api.chats.members(group):
            tell_member(terminal, member)
        anchors = await api.trust.group(group)
        if not anchors.same:
            terminal.hint(f"This chat names the trust anchors {anchors.named}; yours are {anchors.own}.")
        if retention := (await api.device.status()).retention:
            terminal.hint(kept_for(retention))


@click.command()
@CHAT
@click.argument("number")
@NEW_KEYS
@account_command
async def add(terminal: Terminal, chat_name: str, number: str, new_keys: bool) -> None:
    """Add the devices of NUMBER to CHAT."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        await api.device.sync()
        await api.chats.invite((await api.chats.find(chat_name)).group, [person.e164], new_keys)
    show(terminal, "added", f"{person} is in {chat_name} now.", Membership(person.e164, chat_name))


@click.command()
@CHAT
@click.argument("number")
@click.option("--key", help="Only the device with this key, as `ringtrue members --json` names it.")
@account_command
async def remove(terminal: Terminal, chat_name: str, number: str, key: str | None) -> None:
    """Remove every device of NUMBER from CHAT."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        await api.device.sync()
        group = (await api.chats.find(chat_name)).group
        if key is None:
            await api.chats.remove(group, person.e164)
        else:
            await api.chats.remove_device(group, person.e164, key)
    who = str(person) if key is None else f"The device of {person} with the key {key}"
    show(terminal, "removed", f"{who} is no longer in {chat_name}.", Membership(person.e164, chat_name))


@click.command()
@CHAT
@click.argument("number")
@click.option("--off", is_flag=True, help="Make an admin a member again.")
@account_command
async def admin(terminal: Terminal, chat_name: str, number: str, off: bool) -> None:
    """Let NUMBER change who is in CHAT."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        await api.device.sync()
        group = (await api.chats.find(chat_name)).group
        await api.chats.admin(group, person.e164, not off)
        for member in await api.chats.members(group):
            tell_member(terminal, member)


@click.command()
@CHAT
@account_command
async def leave(terminal: Terminal, chat_name: str) -> None:
    """Leave CHAT; another member's program completes it."""
    async with opened(terminal) as api:
        await api.device.sync()
        tell_chat(terminal, await api.chats.leave((await api.chats.find(chat_name)).group))


@click.command("check-number")
@CHAT
@account_command
async def check_number(terminal: Terminal, chat_name: str) -> None:
    """Show thirty digits that must be the same on every member's screen, and who agrees about the log."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        group = (await api.chats.find(chat_name)).group
        tell_check_number(terminal, await api.chats.check_number(group))
        for each in await api.chats.agreement(group):
            tell_agreement(terminal, each)


@click.command("begin-again")
@CHAT
@account_command
async def begin_again(terminal: Terminal, chat_name: str) -> None:
    """Create a new chat with the people of CHAT, where the service shows them different histories."""
    async with opened(terminal) as api:
        await api.device.sync()
        tell_chat(terminal, await api.chats.begin_again((await api.chats.find(chat_name)).group))


@click.command("add-again")
@CHAT
@click.argument("number")
@account_command
async def add_again(terminal: Terminal, chat_name: str, number: str) -> None:
    """Remove NUMBER from CHAT and add it anew, if its invitation was not delivered."""
    person = parse_invite(number)
    async with opened(terminal) as api:
        await api.device.sync()
        await api.chats.add_again((await api.chats.find(chat_name)).group, person.e164)
    show(terminal, "added", f"{person} was added to {chat_name} again.", Membership(person.e164, chat_name))


@click.command("export-chat")
@CHAT
@click.option("--form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@account_command
async def export_chat(terminal: Terminal, chat_name: str, form: str, output: Path | None) -> None:
    """Write the whole conversation; as JSON with the proof of each message."""
    async with opened(terminal) as api:
        written = await api.chats.export((await api.chats.find(chat_name)).group, cast(Rendering, form))
    put_out(terminal, written, output)


def put_out(terminal: Terminal, written: str, output: Path | None) -> None:
    """Put an export on standard output, or into a file."""
    if output is None:
        click.echo(written, nl=not written.endswith("\n"))
        return
    output.write_text(written, encoding="utf-8")
    show(terminal, "exported", f"Written to {output}.", Written(str(output)))
