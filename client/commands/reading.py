"""Commands that show messages, and what was checked about them."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import click

from client.commands.chats import CHAT, put_out
from client.commands.messages import MESSAGE
from client.commands.opened import EXIT_TIMED_OUT, opened
from client.desk.api import Api
from client.desk.told import RequestArrived
from client.terminal.rendering import tell_inspection, tell_message, tell_request
from client.terminal.voices import Listing, Terminal, account_command

ROWS_AT_ONCE = 1000


@click.command()
@click.option("--follow", is_flag=True, help="Keep running and show messages as they come.")
@click.option("--max", "limit", type=click.IntRange(1), help="End after so many rows.")
@click.option("--timeout", type=click.FloatRange(0), help="With --follow: end after so many seconds, with exit code 7.")
@account_command
async def receive(terminal: Terminal, follow: bool, limit: int | None, timeout: float | None) -> None:
    """Fetch what is new, verify it and show it, each row once; and who asks to talk, until that is answered."""
    async with opened(terminal, follow=follow) as api:
        if not follow:
            try:
                await api.device.sync()
            finally:  # what has been received is shown, whatever else went wrong
                await _tell_requests(terminal, api)
                await _tell_unshown(terminal, api, limit)
            return
        try:
            async with asyncio.timeout(timeout):
                await _follow(terminal, api, limit)
        except TimeoutError:
            terminal.fail("timed-out", f"nothing more came within {timeout:g} s", "", EXIT_TIMED_OUT)


@click.command()
@CHAT
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many rows at most.")
@account_command
async def history(terminal: Terminal, chat_name: str, limit: int) -> None:
    """Show the last messages of CHAT again."""
    async with opened(terminal) as api:
        for message in await api.messages.page((await api.chats.find(chat_name)).group, limit=limit):
            tell_message(terminal, message)


@click.command()
@click.argument("words")
@click.option("--chat", "chat_name", help="In this chat only.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many rows at most.")
@account_command
async def search(terminal: Terminal, words: str, chat_name: str | None, limit: int) -> None:
    """Show the newest messages that contain WORDS."""
    async with opened(terminal) as api:
        group = None if chat_name is None else (await api.chats.find(chat_name)).group
        for message in await api.messages.search(words, group, limit):
            tell_message(terminal, message)


@click.command()
@MESSAGE
@account_command
async def inspect(terminal: Terminal, message_id: str) -> None:
    """Show every check of MESSAGE, what each compared, and the certificates."""
    async with opened(terminal) as api:
        tell_inspection(terminal, await api.messages.inspect((await api.messages.find(message_id)).row))


@click.command("export")
@MESSAGE
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@account_command
async def export_message(terminal: Terminal, message_id: str, output: Path | None) -> None:
    """Write MESSAGE with its proof, for `ringtrue verify`."""
    async with opened(terminal) as api:
        written = await api.messages.proof((await api.messages.find(message_id)).row)
    put_out(terminal, written, output)


@click.group(cls=Listing)
def quarantine() -> None:
    """Look at what was held back, and why."""


@quarantine.command("list")
@account_command
async def quarantine_list(terminal: Terminal) -> None:
    """List what was held back, chats and messages, without its words."""
    async with opened(terminal) as api:
        for chat in await api.people.held():
            tell_request(terminal, chat)
        for message in await api.messages.quarantine():
            tell_message(terminal, message)


@quarantine.command("show")
@MESSAGE
@account_command
async def quarantine_show(terminal: Terminal, message_id: str) -> None:
    """Show one held-back message with its words."""
    async with opened(terminal) as api:
        tell_message(terminal, await api.messages.reveal((await api.messages.find(message_id)).row))


async def _follow(terminal: Terminal, api: Api, limit: int | None) -> None:
    async with aclosing(api.events()) as events:
        # Asked for first, so that nothing falls between what is there now and what comes.
        coming = asyncio.ensure_future(anext(events))
        try:
            asking = await _tell_requests(terminal, api)
            shown = await _tell_unshown(terminal, api, limit)
            while limit is None or shown < limit:
                if isinstance(told := await coming, RequestArrived) and told.request.handle not in asking:
                    asking.add(told.request.handle)
                    tell_request(terminal, told.request)
                coming = asyncio.ensure_future(anext(events))
                shown += await _tell_unshown(terminal, api, None if limit is None else limit - shown)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _tell_requests(terminal: Terminal, api: Api) -> set[str]:
    waiting = await api.people.requests()
    for request in waiting:
        tell_request(terminal, request)
    return {request.handle for request in waiting}


async def _tell_unshown(terminal: Terminal, api: Api, limit: int | None) -> int:
    rows = await api.messages.unshown(limit or ROWS_AT_ONCE)
    for row in rows:
        tell_message(terminal, row)
    if rows:  # only now: a row that was not put out yet must not count as shown
        await api.messages.shown(rows[-1].row)
    return len(rows)
