"""The options that name a PostgreSQL database, and the command that brings it to this release's schema."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from delivery_service.errors import StartError

if TYPE_CHECKING:  # psycopg alone takes a quarter of a service's start
    from delivery_service.storage.database import Database

_VARIABLE = "RINGTRUE_DATABASE"


def stored(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --database and --accept-one-copy to a command, as its `database` and `one_copy`."""
    option = click.option(
        "--database",
        envvar=_VARIABLE,
        help=f"URL of a PostgreSQL database; a command line can be read by others, the variable {_VARIABLE} cannot.",
    )
    accept = click.option(
        "--accept-one-copy", "one_copy", is_flag=True, help="Acknowledge what only the database's own disk has."
    )
    return option(accept(command))


def database_of(url: str | None, one_copy: bool) -> "Database | None":
    """What the options name. Raises StartError."""
    if url is None and one_copy:
        raise StartError("--accept-one-copy is about a --database")
    if url is None:
        return None
    from delivery_service.storage.database import Database, place

    place(url)
    return Database(url, one_copy)


@click.command("migrate")
@click.option("--database", "url", envvar=_VARIABLE, required=True, help="URL of the PostgreSQL database.")
def migrate_command(url: str) -> None:
    """Bring a database to the schema of this release; replicas of the release before may go on meanwhile."""
    from delivery_service.migrations import migrate  # to import Alembic takes as long as to start a service
    from delivery_service.storage.database import place

    try:
        before, after = migrate(url)
    except StartError as error:
        raise click.ClickException(str(error)) from error
    if before == after:
        click.echo(f"The database {place(url)} has schema {after} already.")
    else:
        click.echo(f"The database {place(url)} has schema {after} now; before it had {before or 'none'}.")
