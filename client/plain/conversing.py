"""The conversation in line mode: a prompt, what was held back, what was asked for, and again."""

import asyncio

from client.config import Config
from client.desk.api import Api
from client.desk.remote import DaemonGoneError
from client.failures import EXPECTED
from client.plain import phrases
from client.plain.menu import HELP, IN_CHAT, is_number, meant
from client.plain.news import News
from client.plain.paper import EndedError, Paper
from client.plain.talk import Talk
from client.rendering import spaced


async def converse(api: Api, paper: Paper, config: Config, *, first: bool = False) -> None:
    """Until somebody leaves, or the input ends; `first`: the account is new. Raises DaemonGoneError."""
    news = News(api, await api.device.status())
    collecting = asyncio.create_task(news.collect())
    talk = Talk(api, paper, config, news)
    try:
        await _greet(talk)
        if first:
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
    talk.paper.say(f"Ringtrue, line by line. Your number is {spaced(number)}.")
    for words in list(phrases.status(talk.news.status))[-1:]:  # whether it is online is not known yet
        talk.paper.say(words)
    await HELP.act(talk, "")


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
