"""The servers that a database's URL names: the one that goes on with the newest history is the database."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from delivery_service.errors import StartError
from delivery_service.storage.database import Connection, Database, each_server
from delivery_service.storage.lineage import LINEAGE, Lineage, Newest

SEARCH_TIMEOUT = 2  # seconds that a server may take to say what it is
APPLICATION = "ringtrue servers"
_LOG = logging.getLogger("delivery_service.storage.servers")


@dataclass(frozen=True, slots=True)
class Served:
    """A connection, the history that its server had when it was made, and a name for both."""

    connection: Connection
    lineage: Lineage
    name: str


class Servers:
    """Finds the server to work with; one for all connections of a replica."""

    def __init__(self, database: Database, folder: Path | None) -> None:
        self._databases = [replace(database, url=url) for url in each_server(database.url)]
        self._last = self._databases[0]
        self.newest = Newest(folder)
        self._refused: Lineage | None = None  # of which a log was written last
        self.refusals = 0  # connections to servers with an older history

    @property
    def several(self) -> bool:
        """Whether there is one to look for."""
        return len(self._databases) > 1

    @property
    def url(self) -> str:
        """Where the last connection went."""
        return self._last.url

    def connect(self, **options: Any) -> Served:
        """A connection to a server with the newest history known; the last one is asked first. Raises StartError."""
        errors: list[str] = []
        for database in [self._last, *(each for each in self._databases if each is not self._last)]:
            try:
                served = self._connect(database, options)
            except StartError as error:
                errors.append(str(error))
            else:
                self._last = database
                return served
        raise StartError("; ".join(dict.fromkeys(errors)))

    def _connect(self, database: Database, options: dict[str, Any]) -> Served:
        connection = database.connect(**options)
        try:
            lineage = Lineage(*connection.execute(LINEAGE).fetchall()[0])
            self._meet(lineage)
        except (StartError, psycopg.Error) as error:
            connection.close()
            raise StartError(f"the database {database.place} cannot be used: {error}") from error
        connection.rollback()
        return Served(connection, lineage, f"{database.place} {lineage}")

    def _meet(self, lineage: Lineage) -> None:
        try:
            self.newest.meet(lineage)
        except StartError as error:
            self.refusals += 1
            if lineage != self._refused:
                self._refused = lineage
                _LOG.warning("a server was left behind: another has a newer history (%s)", error)
            raise

    async def look_around(self) -> None:
        """Asks every server which history it goes on with: a newer one ends the use of all others."""
        await asyncio.gather(*(self._ask(database) for database in self._databases))

    async def _ask(self, database: Database) -> None:
        with suppress(psycopg.Error, StartError, OSError, TimeoutError):
            async with (
                asyncio.timeout(SEARCH_TIMEOUT),
                await psycopg.AsyncConnection.connect(
                    database.url, connect_timeout=SEARCH_TIMEOUT, application_name=APPLICATION
                ) as connection,
            ):
                self.newest.meet(Lineage(*(await (await connection.execute(LINEAGE)).fetchall())[0]))
