"""Commands about reports: to report messages with their proof, and to see what counts against a number."""

from pathlib import Path

import click

from client.commands.chats import put_out
from client.commands.opened import opened, sync_if_possible
from client.defence.report_words import KINDS, report_lines, standing_lines
from client.desk.api import Api
from client.errors import ChatError
from client.invite import parse_invite
from client.terminal.rendering import show, tell_contact
from client.terminal.voices import Terminal, account_command
from client.words.spelling import shown_number

NOTHING_SENT = "Nothing was sent to the authority."


@click.command()
@click.argument("message_ids", metavar="MESSAGE...", nargs=-1, required=True)
@click.option("--kind", type=click.Choice(list(KINDS)), default="spam", show_default=True, help="What you call it.")
@click.option("--note", default="", help="A few words to the authority's operator.")
@click.option("--dry-run", is_flag=True, help="Show exactly what would be sent, and send nothing.")
@click.option("--by-frank", is_flag=True, help="Show what the delivery service confirms, and not the number's proof.")
@click.option("--block", "also_block", is_flag=True, help="Block the number as well.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it for a third party instead.")
@account_command
async def report(
    terminal: Terminal,
    message_ids: tuple[str, ...],
    kind: str,
    note: str,
    dry_run: bool,
    by_frank: bool,
    also_block: bool,
    out: Path | None,
) -> None:
    """Report MESSAGE (an id or its beginning), and others of the same number, to the authority with their proof.

    In the place of a message, the number of somebody whose request waits means the newest one behind that request.
    What is sent is shown. The authority verifies it fully and counts it; a report that proves nothing is refused.
    """
    async with opened(terminal) as api:
        await sync_if_possible(terminal, api)
        rows = [row for message_id in message_ids for row in await _meant(api, message_id)]
        shown = await api.messages.report_preview(rows, kind, note, by_frank)
        if dry_run or out is not None:
            show(terminal, "report", "\n".join((*report_lines(shown), NOTHING_SENT)), shown)
            if out is not None:
                put_out(terminal, await api.messages.report_file(rows, kind, note, by_frank), out)
            return
        sent = await api.messages.report(rows, kind, note, by_frank, shown.sha256)
        show(terminal, "report", "\n".join((*report_lines(sent), sent.words)), sent)
        if also_block:
            tell_contact(terminal, await api.people.block(sent.accused))


@click.command()
@click.argument("number", required=False)
@click.option("--refresh", is_flag=True, help="Fetch the list of reported numbers first.")
@click.option(
    "--appeal", default="", metavar="TEXT", help="Tell the operator, once, why your number's status is wrong."
)
@account_command
async def standing(terminal: Terminal, number: str | None, refresh: bool, appeal: str) -> None:
    """Say what the authority's list says of NUMBER; without one, ask the authority what counts against your own."""
    async with opened(terminal) as api:
        if refresh:
            fetched = await api.device.statuses(refresh=True)
            show(terminal, "status-list", f"The list is fresh: {fetched.words}.", fetched)
        if number is None:
            own = await api.device.standing(appeal)
            show(terminal, "standing", "\n".join(standing_lines(own)), own)
            return
        found = await api.people.status(parse_invite(number).e164)
        label = f"{found.label} " if found.label else ""
        show(terminal, "number-status", f"{label}{shown_number(found.number)}: {found.words}", found)


async def _meant(api: Api, message: str) -> list[int]:
    """The row of a message, or the newest one that a request of this number can be reported by. Raises ChatError."""
    if not message.startswith("+"):
        return [(await api.messages.find(message)).row]
    number = parse_invite(message).e164
    asking = [each for each in (*await api.people.requests(), *await api.people.held()) if each.number == number]
    rows = [row for each in asking if each.messages for row in await api.people.reportable(each.group)]
    if not rows:
        raise ChatError(
            f"no message waits from {shown_number(number)} that proves anything",
            code="no-proof",
            hint="See who asks: ringtrue requests list",
        )
    return [max(rows)]
