"""The main menu, as far as it is about the account, this device and the program."""

import asyncio
from collections.abc import Iterator
from dataclasses import fields

from client.config import config_path
from client.credentials.trust_words import trust_words
from client.plain import phrases
from client.plain.item import Item
from client.plain.talk import Talk
from client.terminal.ending_words import DATA_WORDS, NUMBER_WORDS, deleted_lines
from client.terminal.qr import half_rows, modules
from client.words.spelling import shown_number

INCOGNITO = (
    "Incognito: what is announced names nobody, nothing is marked as read, no draft is kept, nothing is saved or "
    "exported. To end it: /incognito"
)
COUNTING = ("bell", "download_folder", "emoji", "images", "lock_after_minutes")  # settings


async def _me(talk: Talk, argument: str) -> None:
    account = await talk.api.device.account()
    talk.paper.say(f"Your number: {shown_number(account.number)}")
    talk.paper.say(f"Address: {account.invite}")
    talk.paper.say(f"Short code: {account.short_code}")
    talk.paper.say("Others type one of these into their Ringtrue. As a picture: /qr")


async def _qr(talk: Talk, argument: str) -> None:
    account = await talk.api.device.account()
    for row in qr_rows(account.invite, dark_window=argument.strip().lower() != "light"):
        talk.paper.say(row)
    talk.paper.say("For a window with light letters on dark; for dark letters on light: /qr light")


async def _status(talk: Talk, argument: str) -> None:
    for words in phrases.status(await talk.api.device.status()):
        talk.paper.say(words)
    account = await talk.api.device.account()
    talk.paper.say(f"Certificate: ends {phrases.date_and_time(account.certificate_ends)}; it renews itself.")
    talk.paper.say(f"Authority: {account.authority}")
    talk.paper.say(f"Delivery service: {account.delivery}")
    talk.paper.say(f"Roots: {account.anchors}")
    talk.paper.say(f"Folder: {account.home}")


async def _alarms(talk: Talk, argument: str) -> None:
    alarms = await talk.api.device.alarms()
    if not alarms:
        talk.paper.say("Nothing was seen: no certificate, session or key package that this device did not ask for.")
        return
    chosen = await talk.chosen("Put away which?", [phrases.alarm(each) for each in alarms])
    if chosen is None:
        return
    mine = alarms[chosen].kind == "certificate" and await talk.paper.agreed(
        "Is it another device of yours, which you have at hand?"
    )
    if mine or await talk.paper.agreed("It is told no more; it changes nothing about what was seen. Put it away?"):
        await talk.api.device.acknowledge(alarms[chosen].id, mine)
        talk.paper.say("Put away.")


async def _trust(talk: Talk, argument: str) -> None:
    for words in trust_words(await talk.api.trust.show()).splitlines():
        if words:
            talk.paper.say(words)
    talk.paper.say("Roots, pins and the policy are changed on the command line: ringtrue trust")


async def _doctor(talk: Talk, argument: str) -> None:
    for finding in await talk.api.device.doctor():
        talk.paper.say(f"{'In order' if finding.right else 'TROUBLE'}: {finding.subject}: {finding.words}")


async def _service_data(talk: Talk, argument: str) -> None:
    talk.paper.say(f"The service can delete what it keeps. {DATA_WORDS}")
    if not await talk.paper.agreed("Delete this?"):
        return
    number = await talk.paper.agreed(f"{NUMBER_WORDS} Delete this too?")
    for words in deleted_lines(await talk.api.device.delete_service_data(number)):
        talk.paper.say(words)


async def _sync(talk: Talk, argument: str) -> None:
    for words in phrases.status(await talk.api.device.sync()):
        talk.paper.say(words)


async def _settings(talk: Talk, argument: str) -> None:
    for item in fields(talk.config):
        value = getattr(talk.config, item.name)
        talk.paper.say(f"{item.name}: {dict(value) if item.name == 'keys' else value}")
    talk.paper.say(f"In line mode these count: {', '.join(COUNTING)}.")
    talk.paper.say(f'To change them, edit {config_path()} and start again. Example: emoji = "text"')


async def _lock(talk: Talk, argument: str) -> None:
    await talk.lock.hold()


async def _incognito(talk: Talk, argument: str) -> None:
    talk.incognito = not talk.incognito
    talk.paper.say(INCOGNITO if talk.incognito else "Incognito has ended.")


async def _listen(talk: Talk, argument: str) -> None:
    talk.paper.say("Listening. What comes is read out at once. Enter ends it.")
    typed = asyncio.create_task(talk.paper.line_waits())
    try:
        while not typed.done():
            if talk.lock.is_due:
                break
            await talk.announce()
            told = asyncio.create_task(talk.news.told.wait())
            await asyncio.wait((typed, told), return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
    finally:
        typed.cancel()
    talk.paper.skip_empty_line()
    if not talk.paper.line_is_there:  # who asks for it looks at the lock
        await talk.lock.look()


async def _quit(talk: Talk, argument: str) -> None:
    talk.ended = True
    talk.paper.say("Left. Nothing is lost.")


def qr_rows(content: str, *, dark_window: bool) -> Iterator[str]:
    """A QR code as text, two modules to a character, its dark parts dark in a window of either kind."""
    rows = [tuple(module ^ dark_window for module in row) for row in modules(content)]
    yield from half_rows(rows, fill=int(dark_window))


ACCOUNT_ITEMS = (
    Item("me", "your number for others", _me),
    Item("qr", "your number as a QR code", _qr, "light"),
    Item("status", "how the account and its services stand", _status),
    Item("alarms", "signs that something is wrong with your number, key or chats", _alarms),
    Item("trust", "whose certificates count: roots, pins and policy", _trust),
    Item("doctor", "look at keys, certificate, clock, services, store", _doctor),
    Item("deletedata", "delete what the delivery service keeps for you", _service_data),
    Item("sync", "read and send whatever there is, now", _sync),
    Item("settings", "what can be set, and where", _settings),
    Item("listen", "read out messages as they come", _listen),
    Item("lock", "read nothing out until the passphrase is given", _lock),
    Item("incognito", "announce no names and texts, mark nothing read, keep nothing; or end that", _incognito),
    Item("quit", "leave the program; nothing is lost", _quit),
)
