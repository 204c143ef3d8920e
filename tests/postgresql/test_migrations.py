"""The schema of a PostgreSQL database: made and raised by migrations, refused when it is another."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import apsw
import psycopg
import pytest

from delivery_service.errors import StartError
from delivery_service.migrations import REVISIONS, migrate
from delivery_service.storage.database import COMMAND, Database, check_schema
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import DATABASE_FILE, SCHEMA_VERSION, SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.wire import Appended
from tests.delivery_service.stored import ALICE, GROUP, Recorder, claim, new_commit, new_entry

NEXT = f"""
from alembic import op
from delivery_service.migrations.steps import support

revision = "{SCHEMA_VERSION + 1}"
down_revision = "{SCHEMA_VERSION}"


def upgrade() -> None:
    op.execute("ALTER TABLE groups ADD COLUMN colour BIGINT")
    support({SCHEMA_VERSION + 1}, oldest=OLDEST)
"""


_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

# One group of Alice's with an entry, and a key package of Bob's, as the release before wrote them.
ROWS = f"""
INSERT INTO groups (number, group_id, epoch, head, floor) VALUES (1000, '\\x{GROUP.hex()}', 0, 1, 1);
INSERT INTO observers VALUES (1000, '\\x{b"snap".hex()}', '\\x00', '\\x00');
INSERT INTO memberships VALUES (1000, '\\x{ALICE.hex()}', 0, NULL);
INSERT INTO log (position, group_number, seq, epoch, kind, key, digest, at_ms, body)
VALUES (1000, 1000, 1, 0, 0, '\\x01', '\\x02', 1, '\\x{b"said".hex()}');
INSERT INTO key_packages (position, reference, device, number, state, not_after, body)
VALUES (1000, '\\x03', '\\x{b"+12025550143/b".hex()}', '+12025550143', 0, 4000000000, '\\x{b"pack".hex()}');
INSERT INTO inbox (device, position, group_id, seq, at_ms, welcome, inviter) VALUES ('\\x04', 1, '\\x05', 1, 1, 1, '');
INSERT INTO blobs (number, name, at, size) VALUES (1000, '\\x06', 1, 1);
"""


def write_next(folder: Path, oldest: int) -> None:
    (folder / "next.py").write_text(NEXT.replace("OLDEST", str(oldest)))


def check(url: str) -> None:
    with psycopg.connect(url) as connection:
        check_schema(connection)


def test_an_empty_database_is_refused_with_the_command_to_run_and_migrated_once(empty_database: str) -> None:
    with pytest.raises(StartError, match=COMMAND):
        check(empty_database)
    assert migrate(empty_database) == (0, SCHEMA_VERSION)
    check(empty_database)
    assert migrate(empty_database) == (SCHEMA_VERSION, SCHEMA_VERSION)


def test_an_older_schema_is_refused(empty_database: str, tmp_path: Path) -> None:
    (tmp_path / "schema_2.py").write_text((REVISIONS / "schema_2.py").read_text())
    assert migrate(empty_database, (tmp_path,)) == (0, 2)
    with pytest.raises(StartError, match=f"has schema 2, this release needs {SCHEMA_VERSION}"):
        check(empty_database)


def test_the_next_schema_is_accepted_if_it_says_so(empty_database: str, tmp_path: Path) -> None:
    migrate(empty_database)
    write_next(tmp_path, SCHEMA_VERSION)
    assert migrate(empty_database, (REVISIONS, tmp_path)) == (SCHEMA_VERSION, SCHEMA_VERSION + 1)
    check(empty_database)


def test_the_next_schema_is_refused_unless_it_says_so(empty_database: str, tmp_path: Path) -> None:
    migrate(empty_database)
    write_next(tmp_path, SCHEMA_VERSION + 1)
    migrate(empty_database, (REVISIONS, tmp_path))
    with pytest.raises(StartError, match="install a newer one"):
        check(empty_database)


def test_a_failing_migration_changes_nothing(empty_database: str, tmp_path: Path) -> None:
    migrate(empty_database)
    (tmp_path / "next.py").write_text(NEXT.replace("OLDEST", "5").replace("COLUMN colour", "COLUMN number"))
    with pytest.raises(StartError, match='nothing of it was: column "number" of relation "groups" already exists'):
        migrate(empty_database, (REVISIONS, tmp_path))
    check(empty_database)


def test_a_migration_that_a_replica_got_in_the_way_of_is_tried_again(empty_database: str, tmp_path: Path) -> None:
    for version in range(2, SCHEMA_VERSION):
        (tmp_path / f"schema_{version}.py").write_text((REVISIONS / f"schema_{version}.py").read_text())
    migrate(empty_database, (tmp_path,))
    with psycopg.connect(empty_database, autocommit=True) as watching, psycopg.connect(empty_database) as replica:
        replica.execute("SELECT 1 FROM observers")  # what the migration comes to after key_packages
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(migrate, empty_database)
            while watching.execute(_WAITS).fetchone() is None:
                pass
            replica.execute("SET deadlock_timeout = '30s'")
            replica.execute("SELECT 1 FROM key_packages")
            replica.commit()
            assert migrating.result() == (SCHEMA_VERSION - 1, SCHEMA_VERSION)


def test_rows_of_the_schema_before_are_kept(empty_database: str, tmp_path: Path) -> None:
    for version in range(2, SCHEMA_VERSION):
        (tmp_path / f"schema_{version}.py").write_text((REVISIONS / f"schema_{version}.py").read_text())
    migrate(empty_database, (tmp_path,))
    with psycopg.connect(empty_database) as connection:
        connection.execute(ROWS)
    assert migrate(empty_database) == (SCHEMA_VERSION - 1, SCHEMA_VERSION)
    asyncio.run(goes_on(PostgresqlEngine(Database(empty_database, one_copy=True))))


def test_rows_of_the_schema_before_are_kept_by_the_embedded_database_too(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / DATABASE_FILE))) as db:
        for part in sorted(files("delivery_service.storage").joinpath("schema").iterdir(), key=lambda each: each.name):
            if int(part.name.partition("_")[0]) < SCHEMA_VERSION:
                db.execute(part.read_text())
        db.execute(ROWS.replace("'\\x", "x'"))
        db.pragma("user_version", SCHEMA_VERSION - 1)
    asyncio.run(goes_on(SqliteEngine(tmp_path)))


async def goes_on(engine: Engine) -> None:
    """What the rows say is read, and their group goes on."""
    engine.start(Recorder())
    store = Store(engine)
    try:
        batch = await store.read(GROUP, ALICE, 0)
        assert [(entry.seq, entry.kind, entry.body) for entry in batch.entries] == [(1, "application", b"said")]
        assert await store.observer(GROUP) == (0, b"snap")
        assert await claim(store, "+12025550143") == [b"pack"]
        assert await store.append(new_entry()) == Appended(2, 0)
        assert await store.commit(new_commit(0)) == Appended(3, 0)
    finally:
        await engine.stop()
