"""The `delivery` command."""

import re
import socket
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import apsw
import click
import httpx
import msgspec
import platformdirs
import uvloop
from starlette.applications import Starlette

from delivery_service import serving
from delivery_service.app import create_app
from delivery_service.backup_commands import (
    backup_command,
    encrypt_command,
    encrypted,
    key_in,
    mark_restored_command,
    restore_command,
)
from delivery_service.blob_storage import BlobStorage
from delivery_service.database_commands import database_of, migrate_command, stored
from delivery_service.errors import StartError
from delivery_service.franking import read_key
from delivery_service.policy import Policy
from delivery_service.policy_options import governed
from delivery_service.serving import Exposure, exposed
from delivery_service.storage.sqlite import check_sqlite
from identity.certificates import TrustAnchors
from identity.errors import CertificateError, IdentityError
from identity.reports.franking import franking_tag
from identity.reports.report import parse_evidence

EXIT_REFUSED = 3
_HOST_NAME = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?")

T = TypeVar("T")

_data_dir = click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of keys and data."
)


def _host_name(context: click.Context, option: click.Parameter, name: str) -> str:
    """Clients sign for this name and groups carry it for ever: what no address has is refused at once."""
    if not _HOST_NAME.fullmatch(name):
        raise click.BadParameter("give a host name alone, such as chat.example: no address and no port")
    return name


@click.group()
def delivery() -> None:
    """Carry encrypted messages: the delivery service."""


delivery.add_command(backup_command)
delivery.add_command(restore_command)
delivery.add_command(encrypt_command)
delivery.add_command(migrate_command)
delivery.add_command(mark_restored_command)


@delivery.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8442, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--name",
    default="localhost",
    show_default=True,
    callback=_host_name,
    help="The service's host name in group URIs.",
)
@_data_dir
@click.option("--anchors", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM file of roots.")
@click.option("--authority", help="URL of an authority whose roots are fetched once, at start.")
@click.option("--blobs", help="Keep attachments at s3://BUCKET/PREFIX.  [default: in a folder beside the database]")
@click.option("--s3-endpoint", help="URL of an object storage that speaks S3, if it is not AWS.")
@governed
@stored
@encrypted
@exposed
def serve(
    host: str,
    port: int,
    name: str,
    data_dir: Path | None,
    anchors: Path | None,
    authority: str | None,
    blobs: str | None,
    s3_endpoint: str | None,
    database: str | None,
    one_copy: bool,
    key_file: Path | None,
    policy: Policy,
    **exposed: Any,
) -> None:
    """Run the service until it is interrupted."""
    folder, exposure = _folder(data_dir), Exposure(**exposed)
    try:
        exposure.check(host)
        check_sqlite(apsw.sqlite_lib_version())
        stored_in, storage = database_of(database, one_copy), _storage(blobs, s3_endpoint)
        trusted = _trust_anchors(anchors, authority)
        if stored_in is not None and key_file is not None:
            raise StartError("--encrypt-with is for the database in the folder: encrypt PostgreSQL's below its own")
        app = create_app(
            folder,
            trusted,
            host=name,
            storage=storage,
            database=stored_in,
            policy=policy,
            encryption=key_in(key_file),
        )
        listener = _listening(host, port)
    except (StartError, CertificateError, OSError) as error:
        raise click.ClickException(str(error)) from error
    with listener, suppress(KeyboardInterrupt):
        where = folder if stored_in is None else f"{stored_in.place}, keys in {folder}"
        if stored_in is not None and blobs is None:
            click.echo(f"Attachments are in {folder} for this process alone: replicas share them by --blobs.", err=True)
        _run(app, listener, f"delivery service {name}, data in {where}", exposure)


@delivery.command("franking-key")
@_data_dir
def franking_key(data_dir: Path | None) -> None:
    """Print the public key by which others check what this service confirms, for an authority's --hub."""
    key = _explained(lambda: read_key(_folder(data_dir)))
    click.echo(b64encode(key.public.point).decode("ascii"))


@delivery.command("verify-frank")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_data_dir
def verify_frank(file: Path, data_dir: Path | None) -> None:
    """Check by this service's own MAC what a report in FILE, or its evidence, says was sent here: exit code 0 or 3."""
    key = _explained(lambda: read_key(_folder(data_dir)))
    evidence = _explained(lambda: parse_evidence(_evidence(file.read_bytes())))
    for place, item in enumerate(evidence.items, 1):
        try:
            franked = item.franked()
            key.confirm(franking_tag(franked.framed), franked.context, franked.frank)
        except IdentityError as error:
            click.echo(f"message {place}: NOT CONFIRMED: {error}")
            raise click.exceptions.Exit(EXIT_REFUSED) from error
        at = datetime.fromtimestamp(item.accepted_ms // 1000, UTC)
        click.echo(f"message {place}: confirmed: {item.sender} sent it to {item.group} at {at:%Y-%m-%dT%H:%M:%SZ}")


class _Report(msgspec.Struct):
    """What is wanted of a report as `ringtrue report --by-frank --out FILE` writes it."""

    evidence: str


def _evidence(octets: bytes) -> bytes:
    try:
        return msgspec.json.decode(octets, type=_Report).evidence.encode("utf-8", "replace")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return octets  # the evidence itself, or what is none


def _folder(data_dir: Path | None) -> Path:
    return data_dir or platformdirs.user_data_path("ringtrue") / "delivery"


def _storage(blobs: str | None, endpoint: str | None) -> BlobStorage | None:
    """The object storage that is asked for. Credentials come from the usual environment or profile."""
    if blobs is None:
        if endpoint is not None:
            raise StartError("--s3-endpoint is for --blobs s3://BUCKET/PREFIX")
        return None
    from delivery_service.blob_storage.s3 import S3Blobs  # a third of a second, which a folder does not need

    return S3Blobs(blobs, endpoint)


def _explained(work: Callable[[], T]) -> T:
    try:
        return work()
    except (StartError, IdentityError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise StartError(
            f"cannot listen at {host} port {port}: {reason}; choose another --host or --port, or end what is there"
        ) from error


def _run(app: Starlette, listener: socket.socket, title: str, exposure: Exposure) -> None:
    try:
        uvloop.run(serving.serve(app, listener, title, exposure))
    except StartError as error:
        raise click.ClickException(str(error)) from error


def _trust_anchors(anchors: Path | None, authority: str | None) -> TrustAnchors:
    if (anchors is None) == (authority is None):
        raise StartError("say whom to trust: --anchors FILE or --authority URL")
    if anchors is not None:
        return TrustAnchors.from_pem(anchors.read_bytes())
    return TrustAnchors.from_pem(_fetch(urljoin(f"{authority}/", "v1/anchors.pem")))


def _fetch(url: str) -> bytes:
    try:
        answer = httpx.get(url, follow_redirects=False)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StartError(
            f"cannot fetch the roots from {url}: {reason}; check --authority, and that the authority runs"
        ) from error
    return answer.content
