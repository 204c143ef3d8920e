"""The commands that serve: both authorities in one process (`serve`), or each by itself."""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
import platformdirs
import uvicorn
from starlette.applications import Starlette

from identity.authority.acme.app import TokenAuthorities
from identity.authority.app import open_authority, open_certificates, open_log_alone, open_tokens
from identity.authority.codes import ConsoleSender
from identity.authority.errors import AuthorityError
from identity.authority.hubs import hub_keys
from identity.authority.remote_roots import fetch_limited, roots_from
from identity.authority.report_policy import ReportPolicy
from identity.authority.status.remote import ListsAt
from identity.authority.tokens.carriers import Carriers
from identity.certificates import TrustAnchors
from identity.enrolment.authority_token import TokenIssuers
from identity.errors import CertificateError, NumberError
from identity.prefixes import ANY_NUMBER

SHUTDOWN_TIMEOUT = 2  # seconds for open requests at the end
X5U_LIMIT = 64 * 1024  # octets of the certificates at a token's x5u

P = ParamSpec("P")
R = TypeVar("R")


def data_folder(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--data-dir`."""
    return click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: platformdirs.user_data_path("ringtrue") / "authority",
        show_default="the user's data folder",
        help="Folder of keys and database, private to its owner.",
    )(command)


def _at(port: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a command what every service takes."""
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at."),
        click.option(
            "--port", default=port, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
        ),
        click.option("--base-url", help="How clients reach the authority; by default http://HOST:PORT."),
        click.option(
            "--trusted-proxy", metavar="ADDRESS", help="Take client addresses from this proxy's X-Forwarded-For."
        ),
        data_folder,
    )

    def give(command: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            command = option(command)
        return command

    return give


_allow = click.option(
    "--allow",
    metavar="PREFIX",
    multiple=True,
    help="Certify only numbers that start so, such as +1202555; may be repeated. Stays in force until changed. "
    f"At first {ANY_NUMBER}, which is any number.",
)
_hubs = click.option(
    "--hub",
    "hubs",
    metavar="URL_OR_FILE",
    multiple=True,
    help="Believe the franks of this delivery service, by its URL or a file with its key; may be repeated.",
)
_carriers = click.option(
    "--carrier",
    "carriers",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Believe the assertions of the carrier with this certificate, PEM; may be repeated.",
)
_logs = click.option(
    "--log",
    "logs",
    metavar="URL",
    multiple=True,
    help="Log what is issued there, see serve-log; may be repeated. Without it, one runs here.",
)


@click.command()
@_at(8441)
@_allow
@_hubs
@_carriers
@_logs
def serve(
    host: str,
    port: int,
    base_url: str | None,
    trusted_proxy: str | None,
    data_dir: Path,
    allow: tuple[str, ...],
    hubs: tuple[str, ...],
    carriers: tuple[Path, ...],
    logs: tuple[str, ...],
) -> None:
    """Run both authorities; codes appear on standard error. Makes its keys on the first run."""

    def build(reachable: str) -> Starlette:
        policy = ReportPolicy(hub_keys=hub_keys(hubs))
        sender, believed = ConsoleSender(), Carriers.read(carriers)
        return open_authority(
            data_dir, reachable, sender, allow=allow or None, policy=policy, carriers=believed, logs=logs
        )

    run(build, host, port, base_url, trusted_proxy, f"Authority at {{}}, data in {data_dir}. Codes appear here.")


@click.command("serve-tokens")
@_at(8443)
@click.option("--allow", metavar="PREFIX", multiple=True, help="Vouch only for numbers that start so; may be repeated.")
@click.option(
    "--certificate-authority",
    "anchors",
    metavar="URL_OR_FILE",
    multiple=True,
    help="Let devices renew by certificates of this authority, by its URL or a file with its roots; may be repeated. "
    "By a URL, what it has revoked is no right any more.",
)
@_carriers
def serve_tokens(
    host: str,
    port: int,
    base_url: str | None,
    trusted_proxy: str | None,
    data_dir: Path,
    allow: tuple[str, ...],
    anchors: tuple[str, ...],
    carriers: tuple[Path, ...],
) -> None:
    """Run the token authority alone: it proves numbers and certifies nothing. Codes appear on standard error."""

    def build(reachable: str) -> Starlette:
        roots, believed = roots_from(anchors, "v1/anchors.pem"), Carriers.read(carriers)
        return open_tokens(
            data_dir,
            reachable,
            ConsoleSender(),
            allow=allow or None,
            anchors=lambda now: TrustAnchors(roots(now)),
            carriers=believed,
            revoked=ListsAt([place for place in anchors if place.startswith(("http://", "https://"))]),
        )

    run(build, host, port, base_url, trusted_proxy, f"Token authority at {{}}, data in {data_dir}. Codes appear here.")


@click.command("serve-certificates")
@_at(8441)
@click.option(
    "--token-authority",
    "tokens",
    metavar="URL_OR_FILE",
    multiple=True,
    required=True,
    help="Take tokens of this authority, by its URL or a file with its roots; may be repeated. Clients hear the first.",
)
@click.option(
    "--x5u-host", "hosts", metavar="HOST", multiple=True, help="Fetch the certificates of tokens here, by HTTPS."
)
@_allow
@_hubs
@_logs
def serve_certificates(
    host: str,
    port: int,
    base_url: str | None,
    trusted_proxy: str | None,
    data_dir: Path,
    tokens: tuple[str, ...],
    hosts: tuple[str, ...],
    allow: tuple[str, ...],
    hubs: tuple[str, ...],
    logs: tuple[str, ...],
) -> None:
    """Run the certification authority alone: it certifies, over ACME, what a token authority vouches for."""

    def build(reachable: str) -> Starlette:
        policy = ReportPolicy(hub_keys=hub_keys(hubs))
        taken = taken_tokens(tokens, hosts)
        return open_certificates(data_dir, reachable, taken, allow=allow or None, policy=policy, logs=logs)

    run(build, host, port, base_url, trusted_proxy, f"Certification authority at {{}}, data in {data_dir}.")


@click.command("serve-log")
@_at(8444)
@click.option("--name", default="Ringtrue development log", show_default=True, help="What people call the log.")
@click.option(
    "--certificate-authority",
    "anchors",
    metavar="URL_OR_FILE",
    multiple=True,
    required=True,
    help="Take what this authority issues, by its URL or a file with its roots; may be repeated.",
)
def serve_log(
    host: str,
    port: int,
    base_url: str | None,
    trusted_proxy: str | None,
    data_dir: Path,
    name: str,
    anchors: tuple[str, ...],
) -> None:
    """Run a log of certificates alone: it takes what is issued, and shows it to everybody. Start it first."""

    def build(reachable: str) -> Starlette:
        roots = roots_from(anchors, "v1/anchors.pem")
        return open_log_alone(data_dir, reachable, name, lambda: roots(int(time.time())))

    run(build, host, port, base_url, trusted_proxy, f"Log at {{}}, data in {data_dir}.")


def taken_tokens(places: Sequence[str], hosts: Sequence[str] = ()) -> TokenAuthorities:
    """The tokens of these authorities, by their URLs or files with their roots; `hosts`: where an x5u may lead."""
    roots = roots_from(places, "at/anchors.pem")
    named = next((place.rstrip("/") for place in places if place.startswith(("http://", "https://"))), None)
    trusted = frozenset(hosts)
    return TokenAuthorities(
        lambda now: TokenIssuers(roots(now), trusted, lambda address: fetch_limited(address, X5U_LIMIT)), named
    )


def run(
    build: Callable[[str], Starlette],
    host: str,
    port: int,
    base_url: str | None,
    trusted_proxy: str | None,
    announcement: str,
) -> None:
    """Serve what `build` makes for its base URL, until a signal; the announcement names that URL."""
    if base_url is None and _is_wildcard(host):
        raise click.UsageError(f"--base-url is needed: clients cannot reach {host}")
    with _listening(host, port) as listener:
        reachable = base_url or _url(host, listener.getsockname()[1])
        with explained():
            app = build(reachable)
        click.echo(announcement.replace("{}", reachable, 1), err=True)
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


@contextmanager
def explained() -> Iterator[None]:
    """Turn what an operator can mend into messages of the command."""
    try:
        yield
    except (NumberError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    except (AuthorityError, CertificateError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it answers in two parts wait 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # whoever connects as soon as the address is announced waits instead of being refused
        except OSError as error:
            raise click.ClickException(f"cannot listen at {host} port {port}: {error.strerror or error}") from error
        yield listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
