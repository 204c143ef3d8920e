"""The lock: nothing is done and nothing is read out until somebody shows that the account is theirs."""

import asyncio
from collections.abc import Callable

from client.errors import AccountError
from client.plain.paper import Paper
from client.storage.home import Home
from client.storage.keys import needs_passphrase, open_key

MINUTE = 60  # seconds
LOCKED = "Locked. Nothing is read out until it is opened."
STAYS = "What stands above stays in the terminal: clear its scrollback, or close it, to hide that too."


class Lock:
    """Locks on demand, and when nobody has typed a line for so many `minutes`; 0: never by itself."""

    def __init__(self, paper: Paper, home: Home, minutes: int, clock: Callable[[], float]) -> None:
        self._paper = paper
        self._home = home
        self._limit = minutes * MINUTE
        self._clock = clock
        self._touched = clock()

    @property
    def is_due(self) -> bool:
        """Whether nobody has typed for as long as the settings say."""
        return bool(self._limit) and self._clock() - self._touched >= self._limit

    async def look(self) -> None:
        """A line was typed: before it is used, lock if that is due. Raises EndedError."""
        if self.is_due:
            await self.hold()
        self._touched = self._clock()

    async def hold(self) -> None:
        """Lock until the account is opened. Raises EndedError."""
        self._paper.say(LOCKED)
        self._paper.say(STAYS)
        await opening_passphrase(self._paper, self._home)
        self._paper.say("Opened.")
        self._touched = self._clock()


async def opening_passphrase(paper: Paper, home: Home) -> str | None:
    """Ask until the account opens; None if a keyring holds its key and has opened it. Raises EndedError."""
    asks = _takes_passphrase(home)
    while True:
        typed = await paper.ask(
            "Passphrase (it is not shown):" if asks else "This system's keyring opens it. Press Enter:", hidden=True
        )
        try:
            await asyncio.to_thread(open_key, home, typed if asks else None)
        except AccountError as error:
            paper.trouble(error)
        else:
            return typed if asks else None


def _takes_passphrase(home: Home) -> bool:
    try:
        return needs_passphrase(home)
    except AccountError:  # the lock stays; trying to open it says what is wrong
        return True
