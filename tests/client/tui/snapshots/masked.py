"""An account whose random values read the same in every run: keys, ids and digests, each in its own length.

They are put in the place of the real ones in what the account answers, before anything is laid out. So the layout is
that of the real values, however they are wrapped and cut.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from client.desk.api import Api
from client.desk.report_views import ReportView
from client.desk.told import Told
from client.desk.views import View
from lab.client_picture import ShowcaseOpening
from lab.still_world import Line

KEPT = {"group", "toml"}  # what a screen gives back; it is shown nowhere
_RANDOM = re.compile(
    r"(?P<dump>(?:[0-9a-f]{2} ){15,}[0-9a-f]{2})|(?P<hex>\b[0-9a-f]{12,}\b)"
    r"|(?P<digest>sha256-[\w+/]{43})|(?<=/g/)[\w-]{22}|[\w-]{40,}"  # ..., a group id, a part of a token
)
_HEX, _ALPHABET = "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz"


def masked(value: Any) -> Any:
    """Views, lists and texts of them with every random value replaced."""
    if isinstance(value, View):
        changes = {name: masked(getattr(value, name)) for name in value.__struct_fields__ if name not in KEPT}
        if "digits" in changes:
            changes["digits"] = re.sub(r"\d", partial(_next, iter(range(10**6))), changes["digits"])
        if isinstance(value, ReportView):
            changes["size"] = 4230  # certificates in it have signatures of several lengths
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, dict):
        return {key: masked(each) for key, each in value.items()}
    return _RANDOM.sub(_placeholder, value) if isinstance(value, str) else value


def _next(numbers: Any, _: re.Match[str]) -> str:
    return str(next(numbers) % 10)


def _placeholder(found: re.Match[str]) -> str:
    text = found[0]
    if found["dump"]:
        return " ".join(f"{place % 256:02x}" for place in range(len(text) // 3 + 1))
    if text.isdecimal():  # a time or a number
        return text
    alphabet, begins = _HEX if found["hex"] else _ALPHABET, "sha256-" if found["digest"] else ""
    return (begins + alphabet * (len(text) // len(alphabet) + 1))[: len(text)]


class MaskedPart:
    """One part of an account: every call is answered by the account, and its answer masked."""

    def __init__(self, part: object) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._part, name)

        async def answered(*arguments: Any, **named: Any) -> Any:
            return masked(await call(*arguments, **named))

        return answered


class MaskedApi:
    """client.desk.api.Api over another one."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.chats, self.messages = MaskedPart(api.chats), MaskedPart(api.messages)
        self.people, self.device = MaskedPart(api.people), MaskedPart(api.device)
        self.admission = MaskedPart(api.admission)

    async def events(self) -> AsyncGenerator[Told]:
        async with aclosing(self._api.events()) as events:
            async for told in events:
                yield masked(told)


@dataclass(frozen=True, slots=True)
class MaskedOpening(ShowcaseOpening):
    """The way to the showcase's account over this connection; without `given` the passphrase is asked for."""

    line: Line
    given: bool = True

    def asks(self) -> bool:
        return not self.given

    @asynccontextmanager
    async def open(self, passphrase: str | None) -> AsyncIterator[Any]:
        async with self.show.world.desk("Alice", self.line) as desk:
            await desk.device.sync()
            yield MaskedApi(desk)
