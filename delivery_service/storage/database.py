"""A PostgreSQL database as an operator names it: reached without showing a password, asked if it keeps its word."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from delivery_service.errors import StartError
from delivery_service.storage.sqlite import SCHEMA_VERSION

SERVER_FLOOR = 150_000  # server_version_num; older servers were never tried
CONNECT_TIMEOUT = 10  # seconds
COMMAND = "ringtrue delivery migrate --database URL"
FORM = "postgresql://USER:PASSWORD@HOST:PORT/NAME, with signs like @ and / in the password as %40 and %2F"

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

SETTINGS = """
SELECT current_setting('server_version_num')::int, current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('synchronous_standby_names'), pg_is_in_recovery()
"""
_VERSION = "SELECT version_num::bigint FROM schema_version"
_STANDBYS = "ANY 1 (name, name) of two standbys"


def place(url: str) -> str:
    """Hosts with their ports and the database of a URL, and nothing else of it. Raises StartError."""
    said = _parsed(url)
    hosts, ports = str(said.get("host", "localhost")).split(","), str(said.get("port", "")).split(",")
    if len(ports) < len(hosts):
        ports = ports[:1] * len(hosts)  # one port is that of all hosts (libpq)
    servers = ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=False))
    return f"{servers}/{said.get('dbname', said.get('user', ''))}"


def each_server(url: str) -> list[str]:
    """The same URL for each of the servers that it names. Raises StartError."""
    said = _parsed(url)
    lists = {name: str(said[name]).split(",") for name in ("host", "hostaddr", "port") if name in said}
    count = max((len(values) for name, values in lists.items() if name != "port"), default=1)
    return [
        make_conninfo(url, **{name: values[min(number, len(values) - 1)] for name, values in lists.items()})
        for number in range(count)  # one port is that of all hosts (libpq)
    ]


def connect(url: str, **options: Any) -> Connection:
    """A connection of its own. Raises StartError, without the password, if there is none."""
    _parsed(url)
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT, **options)
    except psycopg.Error as error:
        raise StartError(f"the database {place(url)} cannot be reached: {_without_password(url, error)}") from None


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a service; `one_copy`: the operator accepts that the disk of one machine is all that has it."""

    url: str = field(repr=False)
    one_copy: bool = False

    @property
    def place(self) -> str:
        """Host, port and name, for people."""
        return place(self.url)

    def connect(self, **options: Any) -> Connection:
        """A connection to a server that keeps what it acknowledges, with tables of this release. Raises StartError."""
        connection = connect(self.url, **options)
        try:
            check_server(connection, one_copy=self.one_copy)
            check_schema(connection)
        except StartError:
            connection.close()
            raise
        except psycopg.Error as error:
            connection.close()
            raise StartError(f"the database {place(self.url)} cannot be used: {error}") from error
        connection.rollback()
        return connection


def check_server(connection: Connection, *, one_copy: bool = False) -> None:
    """Raises StartError for a server that could lose what it acknowledged.

    `one_copy`: the operator accepts that the disk of one machine is all there is.
    """
    row = connection.execute(SETTINGS).fetchone()
    assert row is not None
    check_settings(row, one_copy=one_copy)


def check_settings(row: tuple[Any, ...], *, one_copy: bool = False) -> None:
    """See check_server; `row`: what SETTINGS selects."""
    version, fsync, commit, standbys, standby = row
    if version < SERVER_FLOOR:
        raise StartError(f"PostgreSQL {SERVER_FLOOR // 10_000} or later is needed, the server is {version // 10_000}")
    if standby:
        raise StartError("the server is a standby, which takes no entries: name the primary in --database")
    if fsync != "on":
        raise StartError("the server loses what it acknowledged when its machine fails: set fsync = on")
    if commit not in ("on", "remote_apply") and not (one_copy and commit in ("local", "remote_write")):
        raise StartError(f"synchronous_commit is {commit}, which acknowledges what may be lost: set it to on")
    if not standbys.strip() and not one_copy:
        raise StartError(
            "the server acknowledges what only its own disk has: set synchronous_standby_names, for instance to "
            f"{_STANDBYS}, or accept one copy with --accept-one-copy"
        )


def check_schema(connection: Connection) -> None:
    """Raises StartError for a database whose schema this release cannot use."""
    version = stored_version(connection)
    if version == SCHEMA_VERSION:
        return
    if version < SCHEMA_VERSION:
        was = f"schema {version}" if version else "no schema"
        raise StartError(f"the database has {was}, this release needs {SCHEMA_VERSION}: run '{COMMAND}' first")
    row = connection.execute("SELECT oldest FROM schema_support WHERE version = %s", [version]).fetchone()
    if row is None or row[0] > SCHEMA_VERSION:
        raise StartError(f"the database has schema {version}, this release knows {SCHEMA_VERSION}: install a newer one")


def stored_version(connection: Connection) -> int:
    """The version of the schema, 0 without one."""
    there = connection.execute("SELECT to_regclass('schema_version')").fetchone()
    row = connection.execute(_VERSION).fetchone() if there is not None and there[0] is not None else None
    return int(row[0]) if row is not None else 0


def _parsed(url: str) -> dict[str, Any]:
    try:
        said = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError):
        said = {}
    # A sign that ends a part of the URL too early leaves the rest of a password in another part.
    parts = "".join(str(said.get(name, "")) for name in ("host", "port", "dbname", "user"))
    if not said or "@" in parts or not str(said.get("port", "0")).replace(",", "").isdecimal():
        raise StartError(f"--database is no database's URL: write {FORM}") from None
    return said


def _without_password(url: str, error: psycopg.Error) -> str:
    password = _parsed(url).get("password")
    words = " ".join(str(error).split())
    return words.replace(str(password), "…") if password else words
