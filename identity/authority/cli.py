"""The commands `authority serve` and `authority anchors`."""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import platformdirs
import uvicorn

from identity.authority.app import open_authority
from identity.authority.codes import ConsoleSender
from identity.authority.errors import AuthorityError
from identity.authority.folder import read_anchors
from identity.authority.hubs import hub_keys
from identity.authority.report_commands import clear_reports, list_reports, show_reports
from identity.authority.report_policy import ReportPolicy
from identity.authority.status.commands import REASON_NAMES, list_revocations, port_out, revoke_certificate
from identity.errors import CertificateError, NumberError
from identity.prefixes import ANY_NUMBER

SHUTDOWN_TIMEOUT = 2  # seconds for open requests at the end

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: platformdirs.user_data_path("ringtrue") / "authority",
    show_default="the user's data folder",
    help="Folder of keys and database, private to its owner.",
)


@click.group()
def authority() -> None:
    """Certify telephone numbers: for development and pilots."""


@authority.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8441, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--base-url", help="How clients reach the authority; by default http://HOST:PORT.")
@_data_dir
@click.option(
    "--allow",
    metavar="PREFIX",
    multiple=True,
    help="Certify only numbers that start so, such as +1202555; may be repeated. Stays in force until changed. "
    f"At first {ANY_NUMBER}, which is any number.",
)
@click.option(
    "--hub",
    "hubs",
    metavar="URL_OR_FILE",
    multiple=True,
    help="Believe the franks of this delivery service, by its URL or a file with its key; may be repeated.",
)
@click.option("--trusted-proxy", metavar="ADDRESS", help="Take client addresses from this proxy's X-Forwarded-For.")
def serve(
    host: str,
    port: int,
    base_url: str | None,
    data_dir: Path,
    allow: tuple[str, ...],
    hubs: tuple[str, ...],
    trusted_proxy: str | None,
) -> None:
    """Run the authority; codes appear on standard error. Makes its keys on the first run."""
    if base_url is None and _is_wildcard(host):
        raise click.UsageError(f"--base-url is needed: clients cannot reach {host}")
    with _listening(host, port) as listener:
        reachable = base_url or _url(host, listener.getsockname()[1])
        with _explained():
            policy = ReportPolicy(hub_keys=hub_keys(hubs))
            app = open_authority(data_dir, reachable, ConsoleSender(), allow=allow or None, policy=policy)
        click.echo(f"Authority at {reachable}, data in {data_dir}. Codes appear here.", err=True)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            proxy_headers=trusted_proxy is not None,
            forwarded_allow_ips=trusted_proxy,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
        )
        with suppress(KeyboardInterrupt):  # Ctrl-C is how a person ends it; uvicorn has closed everything by then
            uvicorn.Server(config).run(sockets=[listener])


@authority.command()
@_data_dir
def anchors(data_dir: Path) -> None:
    """Print the root certificates that clients install, as PEM."""
    with _explained():
        sys.stdout.write(read_anchors(data_dir).decode("ascii"))


@authority.group()
def reports() -> None:
    """See what was reported, hear appeals, and end a status; the authority may be running."""


@reports.command("list")
@_data_dir
def reports_list(data_dir: Path) -> None:
    """List every number with a status, those that were appealed first."""
    list_reports(data_dir)


@reports.command("show")
@click.argument("number")
@_data_dir
def reports_show(data_dir: Path, number: str) -> None:
    """Show what was reported of NUMBER, message by message, and its appeal."""
    show_reports(data_dir, number)


@reports.command("clear")
@click.argument("number")
@_data_dir
def reports_clear(data_dir: Path, number: str) -> None:
    """End the status of NUMBER; the reports of whoever reported it do not count for a while."""
    clear_reports(data_dir, number)


@authority.command("revoke")
@click.argument("fingerprint")
@click.option(
    "--reason",
    type=click.Choice(REASON_NAMES),
    default=REASON_NAMES[0],
    show_default=True,
    help="Why (RFC 5280). keyCompromise also ends what was signed before.",
)
@_data_dir
def revoke_one(data_dir: Path, fingerprint: str, reason: str) -> None:
    """Revoke the certificate with this SHA-256; the authority may be running."""
    revoke_certificate(data_dir, fingerprint, reason)


@authority.command("port-out")
@click.argument("number")
@_data_dir
def port_out_number(data_dir: Path, number: str) -> None:
    """Let NUMBER go to somebody else: revoke all its certificates; only a new code proves it again."""
    port_out(data_dir, number)


@authority.command("revocations")
@_data_dir
def revocations_list(data_dir: Path) -> None:
    """List the certificates that are revoked, the newest first."""
    list_revocations(data_dir)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it answers in two parts wait 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise click.ClickException(f"cannot listen at {host} port {port}: {error.strerror or error}") from error
        yield listener


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (NumberError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    except (AuthorityError, CertificateError) as error:
        raise click.ClickException(str(error)) from error


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
