"""The commands that back a service up, and bring it back."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click
import platformdirs

from delivery_service.backup import back_up, encrypt_folder, mark_restored, restore
from delivery_service.errors import StartError
from delivery_service.storage.encryption import read_key_file

_LOST = "What the service took after the backup is lost, and every client is told so."
_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: platformdirs.user_data_path("ringtrue") / "delivery",
    show_default="the user's data folder",
    help="Folder of the database.",
)
encrypted = click.option(
    "--encrypt-with",
    "key_file",
    metavar="KEYFILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The database is encrypted with the 32 octets in this file.",
)


def key_in(file: Path | None) -> bytes | None:
    """The key that --encrypt-with names. Raises StartError."""
    return None if file is None else read_key_file(file)


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_data_dir
@encrypted
def backup_command(folder: Path, data_dir: Path, key_file: Path | None) -> None:
    """Copy database, keys and blobs into FOLDER, which must be new; the service may go on meanwhile."""
    try:
        label = back_up(data_dir, folder, int(time.time()), key_in(key_file))
    except StartError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Backed up to {folder}; the database has SHA-256 {label.database}. It holds the service's keys.")


@click.command("restore")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_data_dir
@encrypted
def restore_command(folder: Path, data_dir: Path, key_file: Path | None) -> None:
    """Make the data folder of a backup in FOLDER, after checking it."""
    try:
        label, groups = restore(folder, data_dir, key_in(key_file))
    except StartError as error:
        raise click.ClickException(str(error)) from error
    at = datetime.fromtimestamp(label.at, UTC)
    click.echo(f"Restored {_counted(groups)} to {data_dir} as of {at:%Y-%m-%dT%H:%M:%SZ}. {_LOST}")


@click.command("encrypt")
@_data_dir
@click.option("--encrypt-with", "key_file", metavar="KEYFILE", required=True, type=click.Path(path_type=Path))
def encrypt_command(data_dir: Path, key_file: Path) -> None:
    """Encrypt the database of a data folder in which no service runs; what the disk kept of before may remain."""
    try:
        encrypt_folder(data_dir, read_key_file(key_file))
    except StartError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"The database in {data_dir} is encrypted. Without {key_file} it is lost, and so are its backups.")


@click.command("mark-restored")
@click.option("--database", "url", envvar="RINGTRUE_DATABASE", required=True, help="URL of the PostgreSQL database.")
def mark_restored_command(url: str) -> None:
    """Say that a PostgreSQL database was restored from a backup, before any replica starts on it."""
    try:
        groups = mark_restored(url)
    except StartError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"As of the backup, {_counted(groups)} can go on. {_LOST}")


def _counted(groups: int) -> str:
    return "1 group" if groups == 1 else f"{groups} groups"
