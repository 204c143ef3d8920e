"""Opening an account from anywhere: by way of its daemon if one runs, else in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from client.desk.api import Api
from client.desk.endpoint import NoDaemonError
from client.desk.remote import open_remote
from client.errors import AccountBusyError


@asynccontextmanager
async def open_api(home: Path, passphrase: Callable[[], str | None], *, follow: bool = True) -> AsyncIterator[Api]:
    """The account in this folder; `passphrase` is asked only if no daemon has it open. Raises AccountError.

    Without `follow` it reads what is new only when asked to, unless a daemon does it.
    """
    async with AsyncExitStack() as opened:
        try:
            api = await opened.enter_async_context(open_remote(home))
        except NoDaemonError:
            api = await _opened_here(opened, home, passphrase, follow)
        yield api


async def _opened_here(opened: AsyncExitStack, home: Path, passphrase: Callable[[], str | None], follow: bool) -> Api:
    try:
        desk = await asyncio.to_thread(_desk, home, passphrase(), follow)
        return await opened.enter_async_context(desk)
    except AccountBusyError:
        try:  # it may be a daemon that has started in the meantime
            return await opened.enter_async_context(open_remote(home))
        except NoDaemonError:
            pass
        raise


def _desk(home: Path, passphrase: str | None, follow: bool) -> AbstractAsyncContextManager[Api]:
    from client.desk.desk import open_desk  # loads MLS, the store and HTTP, which a daemon's client does without

    return open_desk(home, passphrase, follow=follow)
