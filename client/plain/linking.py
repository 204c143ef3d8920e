"""The other first run: this device is linked by one that has the number, question by question."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from client.credentials.link_code import LinkCode, parse_link_code
from client.credentials.link_here import Keep, link_here
from client.errors import LinkError
from client.failures import EXPECTED
from client.formats.text import safe_text
from client.plain.paper import Paper
from client.terminal.device_words import SHOW_CODE, compare_there, linked_words, wanted_here
from identity.number import TelephoneNumber

BACK = "back"  # what leads to the question for a number


class LinkedHere:
    """One person before a device that is to be linked; the client.credentials.link_here.Onlooker.

    `kept` asks for a passphrase until the account is kept under it, and returns that.
    """

    def __init__(self, paper: Paper, kept: Callable[[Paper, Keep], Awaitable[str | None]]) -> None:
        self._paper = paper
        self._kept = kept
        self.passphrase: str | None = None

    async def link(self, folder: Path, authority: str) -> bool:
        """Ask for the code until the device is linked; False if the person goes back. Raises EndedError."""
        self._paper.say(SHOW_CODE)
        while (code := await self._code()) is not None:
            where = await self._or("Where do the two meet (authority)?", code.authority or authority)
            name = await self._or("What is this device to be called there?", socket.gethostname())
            self._paper.say("Looking for the other device. To cancel: Ctrl+C.")
            try:
                linked = await link_here(folder, code, self, authority=where, name=name)
            except EXPECTED as error:
                self._paper.trouble(error)
                continue
            if linked.trouble is not None:
                self._paper.trouble(linked.trouble)
            self._paper.say(linked_words(linked))
            return True
        return False

    async def _code(self) -> LinkCode | None:
        while (typed := (await self._paper.ask(f"The code that it shows (or {BACK}):")).strip()).lower() != BACK:
            try:
                return parse_link_code(typed)
            except LinkError as error:
                self._paper.trouble(error)
        return None

    async def _or(self, question: str, before: str) -> str:
        return (await self._paper.ask(f"{question} (Enter for {safe_text(before).text})")).strip() or before

    # --- what the linking tells and asks

    def compare(self, digits: str) -> None:
        """Read out the digits."""
        self._paper.say(f"The digits here: {digits}")
        self._paper.say(compare_there(digits))
        self._paper.say("Waiting for the answer on the other device. To cancel: Ctrl+C.")

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        """Ask whether this is the number that was meant."""
        return await self._paper.agreed(f"It was agreed there. {wanted_here(str(number), authority)}")

    async def protect(self, keep: Keep) -> None:
        """Ask how the account is to be kept."""
        self.passphrase = await self._kept(self._paper, keep)

    def hear(self, words: str) -> None:
        """Read out what is going on."""
        self._paper.say(f"{words}.")
