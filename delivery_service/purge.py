"""Purge: what a revoked certificate had here ends: its sessions and waits, its key packages, its place in groups."""

import asyncio

from mls_rs import inspect

from delivery_service.credentials import Credentials
from delivery_service.errors import RefusedError
from delivery_service.revocations import KnownLists
from delivery_service.sessions import Sessions
from delivery_service.storage import duties
from delivery_service.storage.duties import PathPlace
from delivery_service.storage.engine import Engine
from delivery_service.wakeups import Wakeups

LISTED_AT_ONCE = 500  # entries of lists that are looked up in one read


class Purge:
    """Looks up each entry of each list once, and once more after a restart."""

    def __init__(
        self, engine: Engine, lists: KnownLists, credentials: Credentials, sessions: Sessions, wakeups: Wakeups
    ) -> None:
        self._engine = engine
        self._lists = lists
        self._credentials = credentials
        self._sessions = sessions
        self._wakeups = wakeups
        self._done: set[PathPlace] = set()

    async def run(self, now: int) -> bool:
        """Carries out what the lists at hand newly name; whether anybody here is. Raises StoreError.

        What is left then is done by the next run.
        """
        anybody = False
        fresh = sorted(self._lists.listed() - self._done, key=lambda place: (place.issuer, place.serial))
        for first in range(0, len(fresh), LISTED_AT_ONCE):
            some = fresh[first : first + LISTED_AT_ONCE]
            holders = await self._engine.read(duties.holders, some)
            for holder in holders:
                self._sessions.end(holder.certificate, now)
                self._wakeups.end(holder.device)
                await self._packages(holder.device, now)
            if holders:
                anybody = True
                await self._engine.write(duties.due_now, sorted({holder.device for holder in holders}))
            self._done.update(some)
        return anybody

    def unrevoked(self, key_packages: list[bytes], now: int) -> list[bytes]:
        """Those that may be handed out, in the time between a new list and its purge; refuses no-key-package."""
        good = [each for each in key_packages if not self._is_bad(each, now)]
        if not good:
            raise RefusedError("no-key-package", "that number has only key packages of revoked certificates")
        return good

    async def _packages(self, device: bytes, now: int) -> None:
        stored = await self._engine.read(duties.packages, device)
        bad = await asyncio.to_thread(lambda: [position for position, message in stored if self._is_bad(message, now)])
        if bad:
            await self._engine.write(duties.purge, bad)

    def _is_bad(self, key_package: bytes, now: int) -> bool:
        ((credential, key),) = inspect(key_package).proposed_credentials
        try:
            self._credentials.device(credential.chain, key, now)
        except RefusedError:
            return True
        return False
