"""The schema of a PostgreSQL database: brought to this release's version by Alembic, and checked before it is used.

Replicas are upgraded one by one: first `migrate`, while the old ones go on, then each replica. So a revision only adds;
what the release before still uses is dropped by the release after. Each revision says which replicas may go on with it.
"""

from collections.abc import Sequence
from pathlib import Path
from time import sleep

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from delivery_service.errors import StartError
from delivery_service.storage.database import connect, stored_version

REVISIONS = Path(__file__).parent / "versions"
LOCK_TIMEOUT = 2  # seconds that a change of a table may keep everybody's entries waiting behind it
TRIES = 15

# Replicas that go on meanwhile are in the way of a change, or the change is in theirs.
_IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_LOCK = 5_734_110_217  # pg_advisory_xact_lock: one migration at a time


def migrate(url: str, revisions: Sequence[Path] = (REVISIONS,)) -> tuple[int, int]:
    """Brings the database to the newest of the revisions: its versions before (0 if it was empty) and after.

    Raises StartError.
    """
    for left in reversed(range(TRIES)):
        try:
            return _migrate(url, revisions)
        except DBAPIError as error:
            if not left or not isinstance(error.orig, _IN_THE_WAY):
                raise StartError(f"the schema cannot be changed, and nothing of it was: {error.orig}") from error
            sleep(LOCK_TIMEOUT)
    raise AssertionError


def _migrate(url: str, revisions: Sequence[Path]) -> tuple[int, int]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, revisions)))
    with connect(url) as connection:
        before = stored_version(connection)
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool)
    with engine.begin() as connected:
        connected.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'")
        connected.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        config.attributes["connection"] = connected
        command.upgrade(config, "head")
    with connect(url) as connection:
        return before, stored_version(connection)
