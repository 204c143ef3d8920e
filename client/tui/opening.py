"""How the app comes to its account. What is heavy (cryptography, MLS, HTTP) is imported on the way, not before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from client.desk.api import Api
from client.errors import AccountError

if TYPE_CHECKING:
    from textual.screen import Screen


class Opening(Protocol):
    """The way to one account."""

    def exists(self) -> bool:
        """Whether there is an account to open."""

    def asks(self) -> bool:
        """Whether it takes a passphrase that was not given. Reads the disk; raises AccountError."""

    def open(self, passphrase: str | None) -> AbstractAsyncContextManager[Api]:
        """The account, for as long as the context lasts. Raises ClientError."""

    def welcome(self) -> "Screen[str | None]":
        """The screen that makes an account; its answer is the passphrase."""


@dataclass(frozen=True, slots=True)
class AccountOpening:
    """The account in `home`: by its daemon if one runs, else in this process. `given`: a passphrase known before."""

    home: Path
    authority: str
    delivery: str
    given: str | None = None

    def exists(self) -> bool:
        """Whether somebody has enrolled here."""
        from client.storage.home import Home

        return Home(self.home).key_file.exists()

    def asks(self) -> bool:
        """Whether the store's key is wrapped under a passphrase, and no daemon has it open."""
        from client.desk.endpoint import daemon_is_running
        from client.storage.home import Home
        from client.storage.keys import needs_passphrase

        return self.given is None and not daemon_is_running(self.home) and needs_passphrase(Home(self.home))

    @asynccontextmanager
    async def open(self, passphrase: str | None) -> AsyncIterator[Api]:
        """Open it. Raises AccountError, StoreError."""
        await asyncio.to_thread(_import_desk)
        from client.desk.opening import open_api

        async with open_api(self.home, lambda: self.given if passphrase is None else passphrase, follow=True) as api:
            yield api

    def welcome(self) -> "Screen[str | None]":
        """The first run."""
        from client.tui.screens.welcome import WelcomeScreen

        return WelcomeScreen(self.home, authority=self.authority, delivery=self.delivery)


def _import_desk() -> None:
    import client.desk.opening
    import client.tui.main_screen  # noqa: F401 - both are imported for the event loop, which they would hold up


def takes_passphrase(home: Path) -> bool:
    """Whether it takes a passphrase to open the account; also if that cannot be found out now."""
    from client.storage.home import Home
    from client.storage.keys import needs_passphrase

    try:
        return needs_passphrase(Home(home))
    except AccountError:
        return True


async def opens(home: Path, passphrase: str) -> bool:
    """Whether this opens the account; if a keyring holds its key, whatever that keyring asks for does."""
    return await asyncio.to_thread(_opens, home, passphrase)


def _opens(home: Path, passphrase: str) -> bool:
    from client.errors import WrongPassphraseError
    from client.storage.home import Home
    from client.storage.keys import needs_passphrase, open_key

    place = Home(home)
    try:
        open_key(place, passphrase if needs_passphrase(place) else None)
    except WrongPassphraseError:
        return False
    return True
