"""The menu as far as it is about reports: to report a message, and to hear what counts against a number."""

from collections.abc import Sequence

from client.defence.report_words import KINDS, report_lines, standing_lines
from client.plain.item import Item
from client.plain.talk import Talk
from client.words.spelling import shown_number


async def report(talk: Talk, rows: Sequence[int], *, veiled: bool = False) -> bool:
    """Read out exactly what would be sent, and send it if the person agrees; `veiled`: without words of strangers."""
    chosen = await talk.chosen("Report it as what?", tuple(KINDS.values()))
    if chosen is None:
        return False
    kind = list(KINDS)[chosen]
    note = (await talk.paper.ask("A note to the authority's operator (Enter for none):")).strip()
    shown = await talk.api.messages.report_preview(list(rows), kind, note)
    if veiled and await talk.paper.agreed("A stranger wrote what would be sent. Read it out?"):
        veiled = False
    for words in report_lines(shown, veiled=veiled):
        talk.paper.say(words)
    if not shown.proves or not await talk.paper.agreed("Send the report?"):
        return False
    talk.paper.say((await talk.api.messages.report(shown.rows, kind, note, shown=shown.sha256)).words)
    return True


async def _report(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    sender = message.sender
    if not await report(talk, [message.row]) or sender is None:
        return
    if await talk.paper.agreed(f"Block {shown_number(sender)} as well?"):
        await talk.api.people.block(sender)
        talk.paper.say("Blocked.")


async def _standing(talk: Talk, argument: str) -> None:
    if not argument:
        for words in standing_lines(await talk.api.device.standing()):
            talk.paper.say(words)
        return
    found = await talk.api.people.status(argument)
    label = f"{found.label} " if found.label else ""
    talk.paper.say(f"{label}{shown_number(found.number)}: {found.words}")


async def _appeal(talk: Talk, argument: str) -> None:
    text = await talk.answer(argument, "What should the operator know? An appeal can be made once")
    for words in standing_lines(await talk.api.device.standing(text)):
        talk.paper.say(words)


REPORT_ITEMS = (Item("report", "report a message to the authority", _report, "MESSAGE"),)
STANDING_ITEMS = (
    Item("standing", "what counts against your number, or another one", _standing, "NUMBER"),
    Item("appeal", "appeal, once, against your number's status", _appeal, "TEXT"),
)
