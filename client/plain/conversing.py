"""The conversation in line mode: a prompt, what was held back, what was asked for, and again."""

import asyncio
import time
from collections.abc import Callable

from client.config import Config
from client.desk.api import Api
from client.desk.remote import DaemonGoneError
from client.failures import EXPECTED
from client.plain import phrases
from client.plain.account_items import INCOGNITO
from client.plain.bell import Bell
from client.plain.locking import Lock
from client.plain.menu import IN_CHAT, is_number, meant, read_menu
from client.plain.news import News
from client.plain.paper import EndedError, Paper
from client.plain.talk import Talk
from client.storage.home import Home
from client.words.spelling import shown_number


async def converse(
    api: Api,
    paper: Paper,
    config: Config,
    home: Home,
    *,
    first: bool = False,
    incognito: bool = False,
    clock: Callable[[], float] = time.time,
) -> None:
    """Until somebody leaves, or the input ends; `first`: the account is new. Raises DaemonGoneError."""
    news = News(api, await api.device.status(), Bell(paper, config.bell, clock))
    collecting = asyncio.create_task(news.collect())
    lock = Lock(paper, home, config.lock_after_minutes, clock)
    talk = Talk(api, paper, config, news, lock)
    talk.incognito = incognito
    paper.guard = lock.look
    try:
        await _greet(talk)
        if incognito:
            paper.say(INCOGNITO)
        if first and len(await api.devices.all()) == 1:  # else it was linked, and its chats are here
            paper.say("Whom do you want to write to? Enter alone for nobody yet. Your own number for others: /me")
            await _once(talk, "new")
        while not talk.ended:
            await _turn(talk)
    except EndedError:
        paper.say("The input has ended. Nothing is lost.")
    finally:  # also when interrupted
        await talk.close()
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


async def _greet(talk: Talk) -> None:
    number = (await talk.api.device.account()).number
    talk.paper.say(f"Ringtrue, line by line. Your number is {shown_number(number)}.")
    for words in list(phrases.status(talk.news.status))[-1:]:  # whether it is online is not known yet
        talk.paper.say(words)
    read_menu(talk)


async def _turn(talk: Talk) -> None:
    line = await talk.turn()
    await _once(talk, line)
    await talk.announce()


async def _once(talk: Talk, line: str) -> None:
    """Do what a line asks for; what goes wrong is said, and the conversation goes on."""
    try:
        choice = meant(line, in_chat=talk.chat is not None)
        if choice.item is not None:
            await choice.item.act(talk, choice.text)
        elif choice.text and (not is_number(choice.text, IN_CHAT) or await _on_purpose(talk, choice.text)):
            await talk.send(choice.text)
    except DaemonGoneError:
        raise
    except EXPECTED as error:
        talk.paper.trouble(error)


async def _on_purpose(talk: Talk, number: str) -> bool:
    """Whether a bare number is a message: whoever comes from the main menu may have meant the menu."""
    return await talk.paper.agreed(f"For the menu, write /{number}. Send {number} as a message?")
