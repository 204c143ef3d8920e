"""How a code reaches the owner of a number."""

import sys
from typing import Protocol, TextIO

from identity.authority.wire import CODE_LIFETIME
from identity.number import TelephoneNumber


class CodeSender(Protocol):
    """Carries a code to a number, by text message, by voice, or as below."""

    async def send(self, number: TelephoneNumber, code: str) -> None:
        """Hand the code over for delivery. Raises CodeNotSentError."""


class ConsoleSender:
    """Shows each code to whoever runs the authority: proves nothing about a number, so it is for development."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, number: TelephoneNumber, code: str) -> None:
        """Print one line, to standard error unless told otherwise."""
        line = f"Code for {number}: {code} (valid {CODE_LIFETIME // 60} minutes, once)"
        print(line, file=self._stream or sys.stderr, flush=True)


class CodeOutbox:
    """Keeps the last code of each number, for a demonstration that plays the telephone as well."""

    def __init__(self) -> None:
        self.codes: dict[TelephoneNumber, str] = {}

    async def send(self, number: TelephoneNumber, code: str) -> None:
        """Remember the code; `codes[number]` is what the telephone would show."""
        self.codes[number] = code
