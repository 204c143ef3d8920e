"""The schema of a PostgreSQL database: made and raised by migrations, refused when it is another."""

from pathlib import Path

import psycopg
import pytest

from delivery_service.errors import StartError
from delivery_service.migrations import REVISIONS, migrate
from delivery_service.storage.database import COMMAND, check_schema
from delivery_service.storage.sqlite import SCHEMA_VERSION

NEXT = f"""
from alembic import op
from delivery_service.migrations.steps import support

revision = "{SCHEMA_VERSION + 1}"
down_revision = "{SCHEMA_VERSION}"


def upgrade() -> None:
    op.execute("ALTER TABLE groups ADD COLUMN colour BIGINT")
    support({SCHEMA_VERSION + 1}, oldest=OLDEST)
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
