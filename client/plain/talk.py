"""The state of one conversation in line mode, and what every item of its menus may use."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from client.config import Config
from client.desk.api import Api
from client.desk.incognito import IncognitoApi
from client.desk.views import ChatView, MessageView
from client.errors import ClientError
from client.failures import EXPECTED
from client.plain import phrases
from client.plain.locking import Lock
from client.plain.news import News, changed
from client.plain.open_chat import OpenChat
from client.plain.paper import Paper
from client.terminal.ending_words import closed_words, way_on

PATIENCE = 2.0  # seconds in which an own message is expected to reach the service


class NotNowError(ClientError):
    """Something was asked for where there is nothing that it could act on."""

    code = "not-now"
    exit_code = 2


class Talk:
    """One account, one person at a keyboard; `chat` is what is open, `ended` whether they want to leave.

    While `incognito` is on, nothing that is asked for through `api` leaves a trace on this device.
    """

    def __init__(self, api: Api, paper: Paper, config: Config, news: News, lock: Lock) -> None:
        self.api: Api = IncognitoApi(api, lambda: self.incognito)
        self.lock = lock
        self.incognito = False
        self.paper = paper
        self.config = config
        self.news = news
        self.chat: OpenChat | None = None
        self.ended = False
        self._composed: list[str] | None = None  # lines of what is being written, while it is

    @property
    def open_chat(self) -> OpenChat:
        """The chat that is open. Raises NotNowError."""
        if self.chat is None:
            raise NotNowError("no chat is open", hint="Open one first: /chats")
        return self.chat

    async def agrees_to_keys(self, words: str) -> bool:
        """Whether the person wants to talk to a known number on a key that they have not met."""
        return await self.paper.agreed(f"CAUTION: {words} Go on?")

    async def enter(self, view: ChatView, row: int | None = None) -> None:
        """Open a chat, at a row if one is given."""
        self.chat = OpenChat(self.api, self.paper, view)
        self.paper.say(f"Chat {phrases.heading(view)}.")
        if words := f"{closed_words(view)} {way_on(view)}".strip():
            self.paper.say(words)
        if view.draft:
            self.paper.say(f"A draft waits; /draft sends it. It says: {view.draft}")
        await self.chat.begin(row)

    async def look_again(self) -> ChatView:
        """The open chat as it is now. Raises NotNowError."""
        chat = self.open_chat
        chat.view = await self.api.chats.get(chat.group)
        return chat.view

    async def announce(self) -> None:
        """Read out what was held back while a line was being typed. Raises what ended the account's daemon."""
        self.news.told.clear()
        told = self.news.take()
        group = None if self.chat is None else self.chat.group
        for words in self.news.announced(told, group, discreet=self.incognito):
            self.paper.say(words)
        if self.chat is not None:
            for each in changed(told, self.chat.group):
                self.chat.change(each)
            await self.chat.arrived()
            await self._follow()

    async def _follow(self) -> None:
        """Go along with a chat that has moved while it was open, and say so."""
        before = self.open_chat.view
        now = await self.look_again()
        if now.successor and not before.successor:
            self.paper.say("This chat was begun anew. What you write next goes into the new one, which is open now.")
            await self.enter(await self.api.chats.get(now.successor))

    async def answer(self, argument: str, question: str) -> str:
        """The argument, or what is answered when asked for it. Raises NotNowError if that is nothing."""
        given = argument.strip() or (await self.paper.ask(f"{question}:")).strip()
        if not given:
            raise NotNowError("nothing was given, nothing was done")
        return given

    async def chosen(self, question: str, words: Sequence[str]) -> int | None:
        """Read out a numbered list, and ask for one of it."""
        for number, each in enumerate(words, 1):
            self.paper.say(f"{number}. {each}")
        return await self.paper.chosen(question, words)

    async def message(self, argument: str) -> tuple[MessageView, str]:
        """The message that is meant, and what follows its number; it is asked for if none is given."""
        number, _, rest = argument.strip().partition(" ")
        if not _is_number(number):
            number, rest = await self._asked_number(), argument.strip()
        return await self.api.messages.get(self.open_chat.row(int(number))), rest.strip()

    async def text(self, given: str, question: str) -> str:
        """A text to be sent: given, or one line; what is not finished becomes a draft."""
        self._composed = []
        text = given or await self.paper.ask(f"{question}:")
        self._composed = None
        if not text.strip():
            raise NotNowError("nothing was written, nothing was sent")
        return text

    async def lines(self) -> str:
        """Lines up to one with only a full stop; what is not finished becomes a draft."""
        self._composed = lines = []
        while (line := await self.paper.ask("Line:")) != ".":
            lines.append(line)
        self._composed = None
        return "\n".join(lines)

    async def send(self, text: str, reply_to: int | None = None) -> None:
        """Send a text to the open chat, and read out how far it came; what cannot be sent becomes a draft."""
        chat = self.open_chat
        try:
            message = await self.api.messages.send(chat.group, text, reply_to)
        except EXPECTED:
            await self._rescue(text)
            raise
        await self.sent(message)

    async def sent(self, message: MessageView) -> None:
        """Wait until an own message has reached the service, for a moment, and read it out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while message.state in ("queued", "sending"):
                    self.news.told.clear()
                    message = await self.api.messages.get(message.row)
                    if message.state in ("queued", "sending"):
                        await self.news.told.wait()
        await self.open_chat.arrived()
        if not self.open_chat.has_read_out(message.row):  # somebody reads further up
            self.open_chat.put_out(message)

    async def close(self) -> None:
        """Keep what was being written when the input ended."""
        unfinished = self.paper.unfinished()
        text = "\n".join([*(self._composed or []), unfinished]).strip()
        if self._composed is not None and self.chat is not None and text and not text.startswith("/"):
            await self._rescue(text)

    async def turn(self) -> str:
        """One line at the prompt; in a chat it may be a message, so what is not finished becomes a draft."""
        count = (await self.api.device.status()).unread
        unread = f", {count} unread" if count else ""
        if self.chat is None:
            return await self.paper.ask(f"Menu{unread}, number or word:")
        self._composed = []
        typed = await self.paper.ask(f"Message to {phrases.quoted(self.chat.view.chat)}{unread}, / for menu:")
        self._composed = None
        return typed

    async def _rescue(self, text: str) -> None:
        """Add a text to the open chat's draft; if the account is out of reach, it stands at least in the transcript."""
        if self.incognito:
            self.paper.say(f"Incognito keeps no draft. You were writing: {text}")
            return
        try:
            view = await self.look_again()
            await self.api.chats.draft(view.group, f"{view.draft}\n{text}" if view.draft else text)
            self.paper.say("What you wrote is kept as a draft: /draft")
        except EXPECTED:
            self.paper.say(f"You were writing: {text}")

    async def _asked_number(self) -> str:
        last = self.open_chat.last_number
        if last is None:
            raise NotNowError("there is no message here")
        number = (await self.paper.ask(f"Which message? (number, Enter for {last}):")).strip() or str(last)
        if not _is_number(number):
            raise NotNowError(f"{number[:40]!a} is no number of a message")
        return number


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
