"""Incognito: nobody who looks on, and no file, learns more. One place where the account is kept from being written to.

While it is on nothing is marked read, no draft is kept, and nothing is exported; what screens show is theirs to hide.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from client.desk.api import Admission, Api, Chats, Device, Devices, Messages, People, Trust
from client.desk.told import Told
from client.desk.views import Rendering
from client.errors import ClientError


class IncognitoError(ClientError):
    """This would put words of a conversation somewhere else, which incognito is there to prevent."""

    code = "incognito"
    hint = "End incognito first: /incognito"


class IncognitoApi:
    """An account that keeps still while `on()` is true; every other call goes through unchanged."""

    def __init__(self, api: Api, on: Callable[[], bool]) -> None:
        self._api = api
        self.chats = cast(Chats, _Chats(api.chats, on))
        self.messages = cast(Messages, _Messages(api.messages, on))

    @property
    def people(self) -> People:
        """Requests, contacts and blocked numbers."""
        return self._api.people

    @property
    def admission(self) -> Admission:
        """The rules that say where chats and messages of others go."""
        return self._api.admission

    @property
    def device(self) -> Device:
        """The account, its services and their state."""
        return self._api.device

    @property
    def trust(self) -> Trust:
        """Whom the account believes."""
        return self._api.trust

    @property
    def devices(self) -> Devices:
        """The devices of the account's number."""
        return self._api.devices

    def events(self) -> AsyncGenerator[Told]:
        """What happens from now on."""
        return self._api.events()


class _Chats:
    def __init__(self, chats: Chats, on: Callable[[], bool]) -> None:
        self._chats = chats
        self._on = on

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chats, name)

    async def read(self, group: str, row: int) -> None:
        if not self._on():
            await self._chats.read(group, row)

    async def draft(self, group: str, text: str) -> None:
        if not self._on():
            await self._chats.draft(group, text)

    async def export(self, group: str, form: Rendering) -> str:
        refuse("Export", self._on())
        return await self._chats.export(group, form)


class _Messages:
    def __init__(self, messages: Messages, on: Callable[[], bool]) -> None:
        self._messages = messages
        self._on = on

    def __getattr__(self, name: str) -> Any:
        return getattr(self._messages, name)

    async def proof(self, row: int) -> str:
        refuse("Export", self._on())
        return await self._messages.proof(row)

    async def save(self, row: int, folder: str) -> str:
        refuse("Saving", self._on())
        return await self._messages.save(row, folder)


def refuse(what: str, on: bool) -> None:
    """Raises IncognitoError if it is on."""
    if on:
        raise IncognitoError(f"{what} is refused in incognito")
