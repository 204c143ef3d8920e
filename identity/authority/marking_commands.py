"""The operator's commands about what numbers do not do: `authority numbers`, beside a running authority."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from identity.authority.errors import AuthorityError
from identity.authority.folder import open_store
from identity.authority.markings import Markings
from identity.authority.serving import data_folder
from identity.errors import NumberAttributesError, NumberError
from identity.number_attributes import NumberAttributes

FROM_NOW_ON = "Certificates say so from now on; those that were issued before end within a week."


@click.group()
def numbers() -> None:
    """Say in certificates what numbers do not do; the authority may be running."""


@numbers.command("mark")
@click.argument("prefix")
@click.option("--do-not-originate", "no_calls", is_flag=True, help="They make no calls.")
@click.option("--do-not-originate-messaging", "no_messages", is_flag=True, help="They send no messages.")
@click.option(
    "--authorized-originator",
    "originators",
    metavar="CODE",
    multiple=True,
    help="Of providers, only this one may attest for them, by its code; may be repeated.",
)
@data_folder
def mark(data_dir: Path, prefix: str, no_calls: bool, no_messages: bool, originators: tuple[str, ...]) -> None:
    """Mark all numbers that start with PREFIX, such as +1202555, or one number; the longest prefix counts."""
    with _markings(data_dir) as markings:
        declared = NumberAttributes(no_calls, no_messages, tuple(dict.fromkeys(originators)))
        if declared == NumberAttributes():
            raise click.UsageError("say what the numbers do not do, such as --do-not-originate-messaging")
        markings.mark(prefix, declared)
    click.echo(f"{prefix}: {'; '.join(declared.words())}. {FROM_NOW_ON}")


@numbers.command("unmark")
@click.argument("prefix")
@data_folder
def unmark(data_dir: Path, prefix: str) -> None:
    """Take the mark of PREFIX away."""
    with _markings(data_dir) as markings:
        if not markings.unmark(prefix):
            raise click.ClickException(f"{prefix} has no mark; see: ringtrue authority numbers list")
    click.echo(f"{prefix} has no mark any more. {FROM_NOW_ON}")


@numbers.command("list")
@data_folder
def list_marks(data_dir: Path) -> None:
    """List the marks."""
    with _markings(data_dir) as markings:
        found = markings.all()
    for each in found:
        click.echo(f"{each.prefix}: {'; '.join(each.attributes.words())}")
    if not found:
        click.echo("No number is marked.")


@contextmanager
def _markings(data_dir: Path) -> Iterator[Markings]:
    """The marks in one transaction, which a running authority sees at its next step."""
    try:
        store = open_store(data_dir)
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error
    try:
        with store.transaction():
            yield Markings(store)
    except (NumberError, NumberAttributesError) as error:
        raise click.UsageError(str(error)) from error
    finally:
        store.close()
