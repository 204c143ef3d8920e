"""What an item of the menus is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from client.plain.talk import Talk

Act = Callable[[Talk, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask for, by its number in its menu or by its word, which is the terminal client's slash name too.

    `argument`: what may follow the word, in words; what is missing is asked for.
    """

    word: str
    title: str
    act: Act
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.word}{f' {self.argument}' if self.argument else ''}: {self.title}"
