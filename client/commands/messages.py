"""Commands that write messages, and that change those which were written."""

import sys
from pathlib import Path

import click

from client.commands.chats import CHAT
from client.commands.opened import EXIT_NETWORK, opened, sync_if_possible
from client.desk.api import Api
from client.desk.lines import Written
from client.desk.views import MessageView
from client.terminal.rendering import show, tell_message
from client.terminal.voices import Terminal, account_command

MESSAGE = click.argument("message_id", metavar="MESSAGE")


@click.command()
@CHAT
@click.argument("text")
@account_command
async def send(terminal: Terminal, chat_name: str, text: str) -> None:
    """Send TEXT, or standard input if TEXT is -, to CHAT."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        group = (await api.chats.find(chat_name)).group
        await _sent(terminal, api, await api.messages.send(group, _given(text)))


@click.command()
@MESSAGE
@click.argument("text")
@account_command
async def reply(terminal: Terminal, message_id: str, text: str) -> None:
    """Answer MESSAGE (an id or its beginning) with TEXT, or with standard input if TEXT is -."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        quoted = await api.messages.find(message_id)
        await _sent(terminal, api, await api.messages.send(quoted.group, _given(text), reply_to=quoted.row))


@click.command()
@CHAT
@click.argument("file", type=click.Path(exists=True, dir_okay=False, resolve_path=True))
@click.option("--caption", default="", help="What to say about it.")
@account_command
async def attach(terminal: Terminal, chat_name: str, file: str, caption: str) -> None:
    """Encrypt FILE, store it at the service and offer it to CHAT."""
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        group = (await api.chats.find(chat_name)).group
        await _sent(terminal, api, await api.messages.send_file(group, file, caption))


@click.command()
@MESSAGE
@account_command
async def retry(terminal: Terminal, message_id: str) -> None:
    """Send MESSAGE again, which failed."""
    async with opened(terminal) as api:
        await _sent(terminal, api, await api.messages.retry((await api.messages.find(message_id)).row))


@click.command()
@MESSAGE
@click.argument("text")
@account_command
async def edit(terminal: Terminal, message_id: str, text: str) -> None:
    """Say TEXT in the place of an own MESSAGE."""
    async with opened(terminal) as api:
        await api.device.sync()
        await _changed(terminal, api, await api.messages.edit((await api.messages.find(message_id)).row, _given(text)))


@click.command()
@MESSAGE
@account_command
async def delete(terminal: Terminal, message_id: str) -> None:
    """Take an own MESSAGE back, for everybody."""
    async with opened(terminal) as api:
        await api.device.sync()
        await _changed(terminal, api, await api.messages.delete((await api.messages.find(message_id)).row))


@click.command()
@MESSAGE
@click.argument("emoji")
@account_command
async def react(terminal: Terminal, message_id: str, emoji: str) -> None:
    """React to MESSAGE with one EMOJI; the same one again takes it back."""
    async with opened(terminal) as api:
        await api.device.sync()
        await _changed(terminal, api, await api.messages.react((await api.messages.find(message_id)).row, emoji))


@click.command()
@MESSAGE
@click.argument("folder", type=click.Path(file_okay=False, resolve_path=True, path_type=Path), default=".")
@account_command
async def save(terminal: Terminal, message_id: str, folder: Path) -> None:
    """Fetch and decrypt the file that MESSAGE offers, into FOLDER."""
    async with opened(terminal) as api:
        file = await api.messages.save((await api.messages.find(message_id)).row, str(folder))
    show(terminal, "saved", f"Saved as {file}.", Written(file))


def _given(text: str) -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text


async def _changed(terminal: Terminal, api: Api, message: MessageView) -> None:
    await sync_if_possible(terminal, api)
    tell_message(terminal, await api.messages.get(message.row))


async def _sent(terminal: Terminal, api: Api, message: MessageView) -> None:
    """Bring an own message on its way, and say how far it has come."""
    if message.state in ("queued", "sending", "accepted"):
        await sync_if_possible(terminal, api)
        message = await api.messages.get(message.row)
    tell_message(terminal, message)
    if message.state == "failed":
        words = message.reason or "the service refused the message"
        terminal.fail("refused", words, "Try again: ringtrue retry MESSAGE", 1)
    if message.state in ("queued", "sending"):
        hint = "It goes out with the next command, or by itself while a daemon runs."
        terminal.fail("not-sent", "the message waits on this device", hint, EXIT_NETWORK)
